"""Nudity: NudeNet's regions and open_nsfw's class, on every picture that comes in and goes out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np

from pipeline.faces import Floats, Pixels
from pipeline.models import ModelStore
from pipeline.runtime import OnnxRuntime
from safety.evidence import Evidence
from safety.findings import Finding
from safety.gates.base import Reporter, model_note
from safety.gates.nsfw_regions import best_regions

EXPOSED: Final = (
    "anus_exposed",
    "buttocks_exposed",
    "female_breast_exposed",
    "female_genitalia_exposed",
    "male_genitalia_exposed",
)
SUGGESTIVE: Final = (
    "anus_covered",
    "belly_exposed",
    "buttocks_covered",
    "female_breast_covered",
    "female_genitalia_covered",
    "male_breast_exposed",
)

# Yahoo's open_nsfw: resized to 256 px, the middle 224 px, BGR minus the mean of its training pictures.
_RESIZED: Final = 256
_CROPPED: Final = 224
_MEAN_BGR: Final = np.array([104, 117, 123], np.float32)


class NsfwGate:
    """Findings `nsfw.<label>` 0..1 for exposed and suggestive regions, and `nsfw.class` 0..1 for the whole picture."""

    name = "nsfw"

    def __init__(self, runtime: OnnxRuntime, store: ModelStore) -> None:
        self._runtime = runtime
        self._store = store

    def owes(self, kind: str) -> tuple[str, ...]:
        """Every kind of picture is looked at."""
        return ("nsfw.class", *(f"nsfw.{label}" for label in (*EXPOSED, *SUGGESTIVE)))

    def examine(self, evidence: Evidence) -> Sequence[Finding]:
        """Measure the picture; where faces are not known, nothing is excused as part of a face."""
        store = self._store
        models = {name: store.digest(name) for name in ("nudenet_320n", "open_nsfw")}
        report = Reporter(self.name, evidence, model_note(**models))
        regions_session = self._runtime.session(store.path("nudenet_320n"))
        class_session = self._runtime.session(store.path("open_nsfw"))
        found = [report.found("nsfw.class", nsfw_class(class_session, evidence.pixels))]
        boxes = [face.box for face in evidence.faces or ()]
        faces = np.stack(boxes) if boxes else np.zeros((0, 4), np.float32)
        regions = best_regions(regions_session, evidence.pixels, np.asarray(faces, np.float32))
        for label in (*EXPOSED, *SUGGESTIVE):
            region = regions[label]
            found.append(report.found(f"nsfw.{label}", region.score, region=region.box, note=f"at {region.level} px"))
        return found


def nsfw_class(session: Any, pixels: Pixels) -> float:
    """Return open_nsfw's probability 0..1 that the picture is not safe for work."""
    (output,) = session.run(None, {"input:0": _class_input(pixels)})
    table = np.asarray(output, np.float32)
    if table.shape != (1, 2) or not np.isclose(table.sum(), 1, atol=1e-2):
        raise ValueError(f"unexpected answer of the network, shape {table.shape}")
    return float(table[0, 1])


def _class_input(pixels: Pixels) -> Floats:
    """Return float32 (1, 224, 224, 3)."""
    mode = cv2.INTER_AREA if min(pixels.shape[:2]) > _RESIZED else cv2.INTER_LINEAR
    resized = np.asarray(cv2.resize(pixels, (_RESIZED, _RESIZED), interpolation=mode), np.float32)
    start = (_RESIZED - _CROPPED) // 2
    middle = resized[start : start + _CROPPED, start : start + _CROPPED]
    return np.ascontiguousarray(middle - _MEAN_BGR)[None]
