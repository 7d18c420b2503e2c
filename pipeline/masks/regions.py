"""BiSeNet: which parts of the face are which, so that only some of them are changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np

from pipeline.align import AlignedCrop
from pipeline.faces import Face, Floats
from pipeline.graph import Graph, Models, Sessions
from pipeline.masks.soften import soften
from pipeline.warp import to_input

_SIDE = 512  # px, where the graph leaves it open
# ImageNet's statistics, as torchvision states them.
_MEAN = np.array([0.485, 0.456, 0.406], np.float32).reshape(3, 1, 1)
_SPREAD = np.array([0.229, 0.224, 0.225], np.float32).reshape(3, 1, 1)

# CelebAMask-HQ's classes as zllrunning/face-parsing.PyTorch numbers them.
REGIONS: Final[Mapping[str, tuple[int, ...]]] = MappingProxyType(
    {
        "skin": (1,),
        "brows": (2, 3),
        "eyes": (4, 5),
        "glasses": (6,),
        "nose": (10,),
        "mouth": (11,),
        "lips": (12, 13),
    }
)
"""The regions that can be changed, with their classes."""

FACE: Final = ("skin", "brows", "eyes", "nose", "mouth", "lips")
"""Everything but what the target wears."""


class RegionMask:
    """A BiSeNet face parser: RGB less ImageNet's mean over its spread, 19 classes."""

    name = "bisenet"

    def __init__(self, runtime: Sessions, store: Models, regions: Sequence[str] = FACE) -> None:
        unknown = [region for region in regions if region not in REGIONS]
        if unknown or not regions:
            raise ValueError(f"unknown regions {unknown}; known are {', '.join(REGIONS)}")
        self._graph = Graph(runtime, store, self.name)
        self._input = self._graph.only_input()
        self._side = self._graph.side(self._input, _SIDE)
        self._classes = [number for region in regions for number in REGIONS[region]]
        self.digests: tuple[str, ...] = (self._graph.digest,)

    def weigh(self, crop: AlignedCrop, face: Face) -> Floats:
        """Return how much of the swap may show, float32 (s, s) 0..1, over the aligned crop."""
        del face
        size = crop.pixels.shape[0]
        how = cv2.INTER_AREA if size > self._side else cv2.INTER_LINEAR
        seen = np.asarray(cv2.resize(crop.pixels, (self._side, self._side), interpolation=how), np.uint8)
        scores = self._graph.run({self._input: (to_input([seen], 1 / 255) - _MEAN) / _SPREAD})[0]
        if scores.ndim != 4 or scores.shape[1] <= max(self._classes):
            raise self._graph.unfit(f"its scores are {scores.shape}")
        chosen = np.isin(scores[0].argmax(axis=0), self._classes)
        return soften(chosen.astype(np.float32), size)
