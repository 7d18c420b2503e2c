"""Informed embedding: the smallest residual that gives every coded bit and pilot line a margin at the reader.

The embedder knows the host picture, so it changes only what the reader would get wrong or nearly wrong. Each
degree of freedom serves one bit, so the least-squares problem with margins has a closed form. Whitening is
not linear: what the linear model missed is measured after each round and counted as part of the host in the
next.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from provenance.watermark.canonical import TILE, Floats, fold, whiten
from provenance.watermark.errors import NotFinite
from provenance.watermark.lattice import Complex, Lattice, Reals
from provenance.watermark.visibility import perceptual_mask

ROUNDS = 4
BISECTIONS = 12
# The pilot has to be found before anything is decoded, so its margin is larger than the data's.
PILOT_FACTOR = 1.3
# One adverse bit may cost this many margins; beyond that the code repairs it more cheaply.
COST_CAP = 3.0


@dataclass(frozen=True, slots=True)
class Strength:
    """The wanted `margin` in noise deviations, within bounds of the canonical PSNR in dB."""

    margin: float
    weakest_db: float
    strongest_db: float


STANDARD = Strength(margin=2.2, weakest_db=42.5, strongest_db=36.8)
STRONG = Strength(margin=3.4, weakest_db=40.0, strongest_db=34.5)


def _mean_square(psnr_db: float) -> float:
    return float(255.0**2 / 10 ** (psnr_db / 10))


@dataclass(frozen=True, slots=True)
class _Demand:
    """What is asked of the residual: line coefficients and the change that they promise in bits and pilot."""

    coefficients: Complex
    soft: Reals
    pilot: Reals


class _Problem:
    """One picture's embedding problem: how line coefficients turn into what the reader measures."""

    def __init__(self, lattice: Lattice, scaled: Floats, symbols: Floats) -> None:
        self.lattice, self.scaled = lattice, scaled
        self.symbols: Reals = symbols.astype(np.float64)
        white, gain = whiten(scaled)
        self.mask = perceptual_mask(scaled, gain)
        # Expected change of a measured line per unit of its coefficient, and mean square per unit of power.
        self.response = float((self.mask * gain).sum(dtype=np.float64)) / np.sqrt(scaled.size / 2)
        self.power = 2.0 * float(np.mean(self.mask * self.mask, dtype=np.float64))
        self.host = lattice.measure(lattice.lines(fold(white), scaled.size))

    def demand(self, host: tuple[Reals, Reals], margin: float) -> _Demand:
        """Return the smallest change that lifts every bit and pilot line of `host` to its margin."""
        pilot_margin = margin * PILOT_FACTOR
        soft = self.symbols * np.clip(margin - self.symbols * host[0], 0.0, COST_CAP * margin)
        pilot = np.clip(pilot_margin - host[1], 0.0, COST_CAP * pilot_margin)
        coefficients = self.lattice.adjoint(soft / self.lattice.data_power, pilot / self.lattice.pilot_power)
        return _Demand(coefficients / self.response, soft, pilot)

    def mean_square(self, demand: _Demand) -> float:
        """Return the mean square, in grey levels, of the residual that meets a demand."""
        return self.power * float((np.abs(demand.coefficients) ** 2).sum())

    def bounded(self, host: tuple[Reals, Reals], strength: Strength) -> tuple[_Demand, float]:
        """Return the demand at the wanted or the nearest affordable margin, and its mean square."""
        demand = self.demand(host, strength.margin)
        energy = self.mean_square(demand)
        target = float(np.clip(energy, _mean_square(strength.weakest_db), _mean_square(strength.strongest_db)))
        if energy == target:
            return demand, target
        low, high = (0.0, strength.margin) if energy > target else (strength.margin, 60.0)
        for _ in range(BISECTIONS):
            margin = (low + high) / 2
            demand = self.demand(host, margin)
            low, high = (margin, high) if self.mean_square(demand) < target else (low, margin)
        return demand, target

    def residual(self, demand: _Demand, mean_square: float) -> Floats:
        """Return the residual float32 (h, w) in grey levels, of exactly the given mean square."""
        height, width = self.scaled.shape
        repeats = (-(-height // TILE), -(-width // TILE))
        residual = np.tile(self.lattice.tile(demand.coefficients), repeats)[:height, :width] * self.mask
        scale = np.sqrt(mean_square / float(np.mean(residual * residual, dtype=np.float64)))
        scaled: Floats = residual * np.float32(scale)
        return scaled

    def missed(self, residual: Floats, demand: _Demand) -> tuple[Reals, Reals]:
        """Return what the reader measures on the marked picture, less what the demand promised."""
        white, _ = whiten(np.clip(self.scaled + residual, 0.0, 255.0))
        soft, pilot = self.lattice.measure(self.lattice.lines(fold(white), self.scaled.size))
        return soft - demand.soft, pilot - demand.pilot


def embed_residual(lattice: Lattice, scaled: Floats, symbols: Floats, strength: Strength) -> Floats:
    """Return the residual float32 (h, w) to add to canonical luma so that it carries the ±1 `symbols`.

    Raises `NotFinite` where any value is not a finite number: such a picture would leave unmarked without
    notice.
    """
    problem = _Problem(lattice, scaled, symbols)
    host = problem.host
    for _ in range(ROUNDS - 1):
        demand, energy = problem.bounded(host, strength)
        host = problem.missed(problem.residual(demand, energy), demand)
    residual = problem.residual(*problem.bounded(host, strength))
    if not np.isfinite(residual).all():
        raise NotFinite("the residual of the mark has values that are not finite")
    return residual
