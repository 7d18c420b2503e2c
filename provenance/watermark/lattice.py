"""The spectral lines of the periodic tile: which carry data, which the pilot, and how they are measured.

A tile that repeats has energy only on a lattice of frequencies. Half of the ring `BAND` is used (the other
half is its mirror image). Some lines form a pilot of known phase, closed under quarter turns and mirroring,
which finds the orientation and the offset of the tile. On the others each real and imaginary part serves one
coded bit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from provenance.watermark.canonical import TILE, Floats
from provenance.watermark.keyed import KeyedDraws

Complex = NDArray[np.complex128]
Reals = NDArray[np.float64]

# Cycles per tile; times SHORT_SIDE / TILE this is 10 to 78 cycles per shorter side of the picture: above the
# large forms of a picture, and mostly below what JPEG at quality 50 or half size takes away.
BAND = (2.6, 19.5)
# The pilot lives in the middle of the band, one orbit of lines in each of eleven rings.
PILOT_BAND = (4.2, 13.0)
PILOT_RINGS = 11
# After whitening, natural pictures keep noise that falls with frequency about as (8 / r) ** 0.4.
NOISE_EXPONENT = 0.4
NOISE_RADIUS = 8.0


class Lattice:
    """The keyed assignment of lattice lines to the pilot and to `coded_bits` bits.

    `rows`, `columns` are the int (lines,) frequencies in cycles per tile; `pilot` and `data` index them.
    """

    def __init__(self, draws: KeyedDraws, coded_bits: int) -> None:
        self.coded_bits = coded_bits
        self.rows, self.columns, self.radius, self._position = half_ring()
        self.pilot = _choose_pilot(draws, self.rows, self.columns)
        self.data = np.setdiff1d(np.arange(len(self.rows)), self.pilot)
        self.noise = (NOISE_RADIUS / self.radius) ** NOISE_EXPONENT
        phase = draws.phases("pilot phase", len(self.pilot))
        self._pilot_weight = np.conj(phase) / self.noise[self.pilot]
        self._assign(draws)

    def _assign(self, draws: KeyedDraws) -> None:
        """Give every bit one degree of freedom from each part of the band, in keyed order and sign."""
        freedom = 2 * len(self.data)
        noise = np.repeat(self.noise[self.data], 2)
        tie_break = np.argsort(draws.permutation("tie break", freedom))
        order = np.lexsort((tie_break, np.repeat(self.radius[self.data], 2)))
        self._bit_of = np.empty(freedom, np.intp)
        for start in range(0, freedom, self.coded_bits):
            chunk = order[start : start + self.coded_bits]
            self._bit_of[chunk] = draws.permutation(f"chunk {start}", self.coded_bits)[: len(chunk)]
        count = np.bincount(self._bit_of, minlength=self.coded_bits)
        self._data_weight = draws.signs("data sign", freedom) / (noise * np.sqrt(count[self._bit_of]))
        # The same assignment as a table, bit -> its degrees of freedom, padded with weight zero.
        self._members = np.zeros((self.coded_bits, int(count.max())), np.intp)
        self._member_weight = np.zeros(self._members.shape)
        for bit in range(self.coded_bits):
            mine = np.flatnonzero(self._bit_of == bit)
            self._members[bit, : len(mine)] = mine
            self._member_weight[bit, : len(mine)] = self._data_weight[mine]
        self.pilot_power: Reals = np.abs(self._pilot_weight) ** 2

    def lines(self, tile: Floats, pixels: int) -> Complex:
        """Return the complex (lines,) of a tile folded from `pixels` values; white noise has variance one."""
        spectrum: Complex = np.fft.fft2(tile).ravel()[self._position] / np.sqrt(pixels / 2)
        return spectrum

    def shifted(self, lines: Complex, down: float, right: float) -> Complex:
        """Return the lines of the tile moved back by an offset in tile pixels."""
        moved: Complex = lines * np.exp(2j * np.pi * (self.rows * down + self.columns * right) / TILE)
        return moved

    def measure(self, lines: Complex) -> tuple[Reals, Reals]:
        """Return soft bits (..., coded_bits) and pilot agreement (..., pilot lines), of about unit noise."""
        data = lines[..., self.data]
        parts = np.stack([data.real, data.imag], axis=-1).reshape(*data.shape[:-1], -1)
        soft = (parts[..., self._members] * self._member_weight).sum(axis=-1)
        return soft, (lines[..., self.pilot] * self._pilot_weight).real

    def adjoint(self, soft: Reals, pilot: Reals) -> Complex:
        """Return the transpose of `measure`: line coefficients from multipliers of bits and pilot lines."""
        parts = (soft[self._bit_of] * self._data_weight).reshape(-1, 2)
        coefficients = np.zeros(len(self.rows), np.complex128)
        coefficients[self.data] = parts[:, 0] + 1j * parts[:, 1]
        coefficients[self.pilot] = np.conj(self._pilot_weight) * pilot
        return coefficients

    def power_of_bits(self, shares: Reals) -> Reals:
        """Return what `measure` gives per bit for `adjoint` of ones whose lines were multiplied by `shares`."""
        power: Reals = (self._member_weight**2 * shares[self.data][self._members // 2]).sum(axis=1)
        return power

    def tile(self, coefficients: Complex) -> Floats:
        """Return the tile float32 (TILE, TILE) with these coefficients, of mean square 2 * sum |c|²."""
        spectrum = np.zeros(TILE * TILE, np.complex128)
        spectrum[self._position] = coefficients
        tile = np.fft.ifft2(spectrum.reshape(TILE, TILE)).real * (2 * TILE * TILE)
        return tile.astype(np.float32)

    def pilot_spectrum(self, tiles: Floats, size: int) -> NDArray[np.complex64]:
        """Return the pilot's cross spectrum complex64 (n, size, size) with tiles (n, TILE, TILE)."""
        flat = np.fft.fft2(tiles).reshape(len(tiles), -1)[:, self._position[self.pilot]]
        spectrum = np.zeros((len(tiles), size, size), np.complex64)
        spectrum[:, self.rows[self.pilot] % size, self.columns[self.pilot] % size] = flat * self._pilot_weight
        return spectrum


def half_ring() -> tuple[NDArray[np.intp], NDArray[np.intp], Reals, NDArray[np.intp]]:
    """Return rows, columns, radii and flat FFT positions of the half ring that carries the mark."""
    frequency = np.fft.fftfreq(TILE, 1 / TILE).astype(np.intp)
    rows, columns = np.meshgrid(frequency, frequency, indexing="ij")
    radius = np.hypot(rows, columns)
    half = (columns > 0) | ((columns == 0) & (rows > 0))
    inside = (radius >= BAND[0]) & (radius <= BAND[1]) & half
    return rows[inside], columns[inside], radius[inside], np.flatnonzero(inside.ravel())


def _choose_pilot(draws: KeyedDraws, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the indices of the pilot: one whole orbit under turns and mirroring in each ring."""
    orbits: dict[tuple[int, int], list[int]] = {}
    for index, (row, column) in enumerate(zip(rows.tolist(), columns.tolist(), strict=True)):
        low, high = sorted((abs(row), abs(column)))
        orbits.setdefault((low, high), []).append(index)
    # Orbits on an axis or a diagonal have two lines instead of four, and would weaken their ring.
    full = [
        key for key, lines in orbits.items() if len(lines) == 4 and PILOT_BAND[0] <= np.hypot(*key) <= PILOT_BAND[1]
    ]
    full.sort(key=lambda key: (float(np.hypot(*key)), key))
    chosen: list[int] = []
    for ring, members in enumerate(np.array_split(np.arange(len(full)), PILOT_RINGS)):
        chosen += orbits[full[int(members[draws.below(f"pilot ring {ring}", len(members))])]]
    return np.array(sorted(chosen), np.intp)
