"""The stages that Assent brings, as factories by kind and name, and what a factory is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, Literal

from pipeline.detect import BlazeFaceDetector
from pipeline.detectors import RETINAFACE, SCRFD, ScrfdDetector, YoloFaceDetector, YuNetDetector
from pipeline.embed import DlibEmbedder
from pipeline.embedders import ArcFaceEmbedder
from pipeline.enhance import DetailEnhancer
from pipeline.enhancers import RESTORERS, RestorationEnhancer
from pipeline.errors import ModelUnavailable
from pipeline.faces import FaceEmbedder
from pipeline.landmark import MeshLandmarker
from pipeline.landmarkers import FanLandmarker, KeypointLandmarker
from pipeline.masks import AREAS, AreaMask, BoxMask, MaskStage, OcclusionMask, RegionMask
from pipeline.masks.regions import FACE
from pipeline.mesh import MeshSwapper
from pipeline.models import ModelStore
from pipeline.runtime import OnnxRuntime
from pipeline.swappers import FAMILIES, NeuralSwapper, SwapFamily
from pipeline.swappers.source import RawEmbedder

Kind = Literal["detectors", "landmarkers", "embedders", "swappers", "enhancers"]
"""The kinds of stages; `assent.<kind>` is the group of entry points."""


@dataclass(frozen=True, slots=True)
class StageOptions:
    """What can be set about stages. A stage ignores what does not concern it.

    `threshold` least detection score; `pixel_boost` multiplies a neural swapper's resolution; `identity_weight` 0..1
    is how much of the source is put on; `blend` the share of a restored face; `fidelity` 0..1 CodeFormer's own knob;
    `regions` and `areas` what the masks of these names let change; `extra` pairs for plug-ins.
    """

    threshold: float = 0.5
    pixel_boost: int = 1
    identity_weight: float = 1.0
    blend: float = 0.8
    fidelity: float = 0.5
    regions: tuple[str, ...] = FACE
    areas: tuple[str, ...] = AREAS
    extra: tuple[tuple[str, str], ...] = ()


def _no_embedder(name: str) -> FaceEmbedder:
    raise ModelUnavailable("stage_unknown", f"There is no embedder named {name!r}.")


@dataclass(frozen=True, slots=True)
class Kit:
    """What a stage's factory is given: the sessions, the models, the options, and other embedders by name."""

    runtime: OnnxRuntime
    store: ModelStore
    options: StageOptions = StageOptions()
    embedder: Callable[[str], FaceEmbedder] = _no_embedder

    def having(self, options: StageOptions, embedder: Callable[[str], FaceEmbedder]) -> Kit:
        """Return the kit with other options."""
        return replace(self, options=options, embedder=embedder)


Factory = Callable[[Kit], Any]


def _arcface(kit: Kit) -> RawEmbedder:
    embedder = kit.embedder("arcface")
    if not isinstance(embedder, ArcFaceEmbedder):
        raise ModelUnavailable("stage_unfit", "The embedder 'arcface' gives no raw embeddings.")
    return embedder


def _neural(family: SwapFamily) -> Factory:
    def make(kit: Kit) -> NeuralSwapper:
        needs = None if family.source == "picture" else _arcface(kit)
        options = kit.options
        return NeuralSwapper(
            kit.runtime, kit.store, family, needs, boost=options.pixel_boost, weight=options.identity_weight
        )

    return make


def _restorer(name: str) -> Factory:
    return lambda kit: RestorationEnhancer(
        kit.runtime, kit.store, name, blend=kit.options.blend, fidelity=kit.options.fidelity
    )


def _detectors() -> dict[str, Factory]:
    return {
        "blazeface": lambda kit: BlazeFaceDetector(kit.runtime, kit.store, threshold=kit.options.threshold),
        "scrfd": lambda kit: ScrfdDetector(kit.runtime, kit.store, SCRFD, threshold=kit.options.threshold),
        "retinaface": lambda kit: ScrfdDetector(kit.runtime, kit.store, RETINAFACE, threshold=kit.options.threshold),
        "yolov8_face": lambda kit: YoloFaceDetector(kit.runtime, kit.store, threshold=kit.options.threshold),
        "yunet": lambda kit: YuNetDetector(kit.runtime, kit.store, threshold=kit.options.threshold),
    }


def _enhancers() -> dict[str, Factory]:
    return {
        "detail": lambda kit: DetailEnhancer(),
        **{name: _restorer(name) for name in RESTORERS},
        "xseg": lambda kit: MaskStage([OcclusionMask(kit.runtime, kit.store)]),
        "bisenet": lambda kit: MaskStage([RegionMask(kit.runtime, kit.store, kit.options.regions)]),
        "area": lambda kit: MaskStage([AreaMask(kit.options.areas)]),
        "box": lambda kit: MaskStage([BoxMask()]),
    }


def _built_in() -> dict[tuple[Kind, str], Factory]:
    tables: dict[Kind, dict[str, Factory]] = {
        "detectors": _detectors(),
        "landmarkers": {
            "mesh": lambda kit: MeshLandmarker(kit.runtime, kit.store),
            "2dfan4": lambda kit: FanLandmarker(kit.runtime, kit.store),
            "keypoints": lambda kit: KeypointLandmarker(),
        },
        "embedders": {
            "dlib": lambda kit: DlibEmbedder(kit.runtime, kit.store),
            "arcface": lambda kit: ArcFaceEmbedder(kit.runtime, kit.store),
        },
        "swappers": {
            "mesh": lambda kit: MeshSwapper(),
            **{name: _neural(family) for name, family in FAMILIES.items()},
        },
        "enhancers": _enhancers(),
    }
    return {(kind, name): factory for kind, table in tables.items() for name, factory in table.items()}


BUILT_IN: Final[Mapping[tuple[Kind, str], Factory]] = MappingProxyType(_built_in())
"""Every stage that Assent brings, by kind and name."""
