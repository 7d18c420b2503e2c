"""The one door to rendering: nothing else in Assent calls a swapper."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.faces import Face, FaceEnhancer, FaceSwapper, Pixels, SwappedRegion


@dataclass(frozen=True, slots=True)
class RenderPermit:
    """What the caller must show: the job, and the stored verdict (or review) that allowed it to be rendered."""

    job_id: str
    verdict_id: int


@dataclass(frozen=True, slots=True)
class Rendering:
    """A rendered picture, BGR uint8 of the target's shape; the changed rectangle; and what each stage cost."""

    pixels: Pixels
    box: tuple[int, int, int, int]
    milliseconds: dict[str, float]


def render(
    permit: RenderPermit,
    target: Pixels,
    face: Face,
    photos: Sequence[tuple[Pixels, Face]],
    *,
    swapper: FaceSwapper,
    enhancer: FaceEnhancer,
) -> Rendering:
    """Put the person of `photos` on `face` of the target, which itself is not changed.

    Raises `FaceRefused` where a face cannot be rendered, and `ValueError` without a permit.
    """
    if not (isinstance(permit, RenderPermit) and permit.job_id and permit.verdict_id > 0):
        raise ValueError("rendering needs a permit that names a job and the verdict that allowed it")
    started = time.perf_counter()
    identity = swapper.enrol(photos)
    enrolled = time.perf_counter()
    region = swapper.swap(target, face, identity)
    swapped = time.perf_counter()
    region = enhancer.enhance(region, target, face)
    pixels = paste(target, region)
    done = time.perf_counter()
    height, width = region.pixels.shape[:2]
    return Rendering(
        pixels=pixels,
        box=(region.x, region.y, region.x + width, region.y + height),
        milliseconds={
            "enrol": 1e3 * (enrolled - started),
            "swap": 1e3 * (swapped - enrolled),
            "enhance": 1e3 * (done - swapped),
        },
    )


def paste(target: Pixels, region: SwappedRegion) -> Pixels:
    """A copy of the target with the region blended in; every pixel outside its rectangle stays as it was."""
    height, width = region.pixels.shape[:2]
    weight = region.weight[..., None]
    blended = region.pixels * weight + region.base * (1 - weight)
    pixels = target.copy()
    pixels[region.y : region.y + height, region.x : region.x + width] = np.rint(blended).astype(np.uint8)
    return pixels
