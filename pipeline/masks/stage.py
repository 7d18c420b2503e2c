"""Masks as a stage: whatever swapped the face, only what all masks allow of it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from pipeline.align import AlignedCrop, align, project
from pipeline.faces import Face, Floats, Pixels, SwappedRegion

_TEMPLATE, _SIZE = "ffhq_512", 512  # wide enough to hold a whole face, as parsers are trained on


class FaceMask(Protocol):
    """Says which part of an aligned face may be changed."""

    @property
    def name(self) -> str:
        """What the mask is called in settings."""

    @property
    def digests(self) -> tuple[str, ...]:
        """SHA-256 of its models."""

    def weigh(self, crop: AlignedCrop, face: Face) -> Floats:
        """Return how much of the swap may show, float32 (s, s) 0..1, over the crop of the untouched target."""


class MaskStage:
    """Lowers a region's weight to what the masks allow; implements `FaceEnhancer`.

    The masks look at the target's own aligned face. Outside that crop, about the shoulders, nothing is held back.
    """

    def __init__(self, masks: Sequence[FaceMask]) -> None:
        if not masks:
            raise ValueError("a mask stage needs a mask")
        self._masks = tuple(masks)
        self.name = "+".join(mask.name for mask in masks)
        self.digests: tuple[str, ...] = tuple(digest for mask in masks for digest in mask.digests)

    def enhance(self, region: SwappedRegion, pixels: Pixels, face: Face) -> SwappedRegion:
        """Return the region with a weight that no mask exceeds; `pixels` is the untouched target picture."""
        crop = align(pixels, face, _TEMPLATE, _SIZE)
        allowed = np.min([mask.weigh(crop, face) for mask in self._masks], axis=0)
        height, width = region.weight.shape
        # Outside the crop the mask knows nothing, so what is held back there is nothing.
        held_back = project(1 - allowed, crop.affine, (region.x, region.y, width, height), outside=0)
        return replace(region, weight=np.asarray(region.weight * (1 - np.clip(held_back, 0, 1)), np.float32))
