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
# All lines of the pilot are judged together, so each needs less than a bit does.
PILOT_FACTOR = 0.65
# One adverse bit may cost this many margins; beyond that the code repairs it more cheaply.
COST_CAP = 2.0


# Pictures with a shorter side of fewer pixels than this show less of the mark …
COARSE_SIDE = 512
# … by this power of the ratio, up to a limit.
COARSE_POWER = 0.65
MOST_GAIN = 1.6
# Half size takes away what is finer than this many cycles a tile for each pixel of the shorter side.
TAPER_RADIUS = 0.045
TAPER_POWER = 4


@dataclass(frozen=True, slots=True)
class Strength:
    """The wanted `margin` in noise deviations, and what visibility allows.

    `weakest` and `strongest` are in just noticeable differences. Within them, a picture whose luma would keep a PSNR
    above `highest_db` is marked more, since compression rounds small changes away, and none falls below `lowest_db`.
    """

    margin: float
    weakest: float
    strongest: float
    highest_db: float
    lowest_db: float


STANDARD = Strength(margin=2.2, weakest=1.0, strongest=1.3, highest_db=46.5, lowest_db=38.3)
STRONG = Strength(margin=3.4, weakest=1.4, strongest=1.9, highest_db=44.0, lowest_db=36.0)


def _line_shares(lattice: Lattice, side: int) -> Reals:
    """Return how much each line is used, 0..1: small pictures lose the fine lines as soon as they are scaled down."""
    shares = 1.0 / (1.0 + (lattice.radius / (TAPER_RADIUS * side)) ** TAPER_POWER)
    shares[lattice.pilot] = 1.0
    return shares


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

    def __init__(self, lattice: Lattice, scaled: Floats, symbols: Floats, side: int) -> None:
        self.lattice, self.scaled = lattice, scaled
        self.symbols: Reals = symbols.astype(np.float64)
        white, gain = whiten(scaled)
        # Small pictures hide more: their pixels are fewer to a degree of sight, so the mark's cycles are finer.
        self.mask = perceptual_mask(scaled) * np.float32(np.clip((COARSE_SIDE / side) ** COARSE_POWER, 1.0, MOST_GAIN))
        # Expected change of a measured line per unit of its coefficient, and mean square per unit of power.
        self.response = float((self.mask * gain).sum(dtype=np.float64)) / np.sqrt(scaled.size / 2)
        self.power = 2.0 * float(np.mean(self.mask * self.mask, dtype=np.float64))
        self.shares = _line_shares(lattice, side)
        self.data_power = lattice.power_of_bits(self.shares)
        self.host = lattice.measure(lattice.lines(fold(white), scaled.size))

    def demand(self, host: tuple[Reals, Reals], margin: float) -> _Demand:
        """Return the smallest change that lifts every bit and pilot line of `host` to its margin."""
        pilot_margin = margin * PILOT_FACTOR
        soft = self.symbols * np.clip(margin - self.symbols * host[0], 0.0, COST_CAP * margin)
        pilot = np.clip(pilot_margin - host[1], 0.0, COST_CAP * pilot_margin)
        coefficients = self.lattice.adjoint(soft / self.data_power, pilot / self.lattice.pilot_power)
        return _Demand(coefficients * self.shares / self.response, soft, pilot)

    def mean_square(self, demand: _Demand) -> float:
        """Return the mean square, in grey levels, of the residual that meets a demand."""
        return self.power * float((np.abs(demand.coefficients) ** 2).sum())

    def visible(self, differences: float) -> float:
        """Return the mean square, in grey levels, of so many just noticeable differences everywhere."""
        return differences**2 * self.power / 2.0

    def bounded(self, host: tuple[Reals, Reals], strength: Strength) -> tuple[_Demand, float]:
        """Return the demand at the wanted or the nearest affordable margin, and its mean square."""
        demand = self.demand(host, strength.margin)
        energy = self.mean_square(demand)
        least = max(self.visible(strength.weakest), _mean_square(strength.highest_db))
        target = min(max(energy, least), self.visible(strength.strongest))
        target = min(target, _mean_square(strength.lowest_db))
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


def embed_residual(lattice: Lattice, scaled: Floats, symbols: Floats, strength: Strength, side: int) -> Floats:
    """Return the residual float32 (h, w) to add to canonical luma so that it carries the ±1 `symbols`.

    `side` is the shorter side of the picture itself, in pixels.
    Raises `NotFinite` where any value is not a finite number: such a picture would leave unmarked without
    notice.
    """
    problem = _Problem(lattice, scaled, symbols, side)
    host = problem.host
    for _ in range(ROUNDS - 1):
        demand, energy = problem.bounded(host, strength)
        host = problem.missed(problem.residual(demand, energy), demand)
    residual = problem.residual(*problem.bounded(host, strength))
    if not np.isfinite(residual).all():
        raise NotFinite("the residual of the mark has values that are not finite")
    return residual
