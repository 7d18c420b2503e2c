"""Swaps pairs of pictures and measures identity, expression, pose, gaze, the border and the time."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from pipeline.bench.gaze import GazeMeter, gaze_error
from pipeline.bench.measures import expression_error, pose_error, ring_delta_e, seam_ratio
from pipeline.bench.pairs import Album, Pair, Portrait
from pipeline.bench.second import SecondEmbedder
from pipeline.engine import FaceEngine
from pipeline.errors import PipelineError
from pipeline.faces import FaceEnhancer, FaceSwapper, Pixels
from pipeline.models import ModelStore
from pipeline.render import RenderPermit, render
from pipeline.runtime import OnnxRuntime

VERIFIED = 0.5  # of the default embedder: at most this far from the source counts as the source
MEASURED = (
    *("to_source", "to_target", "to_source_second", "to_target_second"),
    *("pose_error_deg", "expression_error", "gaze_error", "seam_ratio", "ring_delta_e"),
)


@dataclass(frozen=True, slots=True)
class PairReport:
    """What one swap measured. `failure` is the code of what stopped it; then there are no figures.

    `to_…` are embedding distances; `expression_error` counts in outer-eye distances, `gaze_error` in widths of the
    eye, `ring_delta_e` in CIEDE2000; `ms` is milliseconds by stage.
    """

    source: str
    target: str
    failure: str | None = None
    figures: dict[str, float] = field(default_factory=dict)
    ms: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """One flat object, figures beside names."""
        plain = asdict(self)
        return {**{key: plain[key] for key in ("source", "target", "failure", "ms")}, **plain["figures"]}


class QualityBench:
    """Renders and measures pairs. Nothing is stored and nothing leaves: the pictures go back to the caller."""

    def __init__(
        self,
        engine: FaceEngine,
        runtime: OnnxRuntime,
        store: ModelStore,
        swapper: FaceSwapper,
        enhancer: FaceEnhancer,
    ) -> None:
        self.album = Album(engine)
        self.second = SecondEmbedder(store)
        self.gaze = GazeMeter(runtime, store)
        self.swapper = swapper
        self.enhancer = enhancer

    def measure(self, pair: Pair) -> tuple[PairReport, Pixels | None]:
        """Swap a pair and measure the result; None where it could not be rendered or shows no face."""
        names = (str(pair.source), str(pair.target))
        try:
            source, target = self.album.open(pair.source), self.album.open(pair.target)
            rendering = render(
                RenderPermit("bench", 1),
                target.pixels,
                target.face,
                [(source.pixels, source.face)],
                swapper=self.swapper,
                enhancer=self.enhancer,
            )
            result = self.album.portrait(rendering.pixels)
        except PipelineError as error:
            return PairReport(*names, failure=error.code), None
        return PairReport(*names, None, self.figures(result, source, target), rendering.milliseconds), rendering.pixels

    def figures(self, result: Portrait, source: Portrait, target: Portrait) -> dict[str, float]:
        """Every figure of one result."""
        ours, theirs, replaced = (self.second.embed(p.pixels, p.face) for p in (result, source, target))
        gazes = [self.gaze.gaze(p.pixels, p.face) for p in (result, target)]
        values: tuple[Any, ...] = (
            np.linalg.norm(result.embedding - source.embedding),
            np.linalg.norm(result.embedding - target.embedding),
            np.linalg.norm(ours - theirs),
            np.linalg.norm(ours - replaced),
            pose_error(result.face, target.face),
            expression_error(result.face, target.face),
            gaze_error(gazes[0], gazes[1]),
            seam_ratio(result.pixels, target.pixels, target.face),
            ring_delta_e(result.pixels, target.pixels, target.face),
        )
        return {name: float(value) for name, value in zip(MEASURED, values, strict=True)}


def summarise(reports: Sequence[PairReport]) -> dict[str, Any]:
    """The medians and shares over all pairs; shares and medians are None where every pair failed."""
    done = [report for report in reports if report.failure is None]

    def median(name: str) -> float | None:
        return round(statistics.median(r.figures[name] for r in done), 5) if done else None

    def share(which: Sequence[bool]) -> float | None:
        return round(sum(which) / len(which), 5) if which else None

    stages = sorted({stage for report in done for stage in report.ms})
    return {
        "pairs": len(reports),
        "failed": round((len(reports) - len(done)) / len(reports), 5) if reports else 0.0,
        "nearer_to_source": share([r.figures["to_source"] < r.figures["to_target"] for r in done]),
        "nearer_to_source_second": share([r.figures["to_source_second"] < r.figures["to_target_second"] for r in done]),
        "verified": share([r.figures["to_source"] <= VERIFIED for r in done]),
        "verified_at": VERIFIED,
        **{name: median(name) for name in MEASURED},
        "ms": {stage: round(statistics.median(r.ms[stage] for r in done), 3) for stage in stages},
    }
