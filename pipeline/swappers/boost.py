"""Pixel boost: a swapper of S px works on a crop of k·S px, seen as k² interleaved pictures of S px."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.faces import Pixels


def split(crop: Pixels, boost: int) -> list[Pixels]:
    """Return the phases of a crop (boost·s, boost·s, 3): picture i·boost+j has the pixels [i::boost, j::boost]."""
    return [np.ascontiguousarray(crop[i::boost, j::boost]) for i in range(boost) for j in range(boost)]


def stitch(phases: Sequence[Pixels]) -> Pixels:
    """Return the crop whose phase pictures these are; the inverse of `split`."""
    boost = round(len(phases) ** 0.5)
    height, width = phases[0].shape[:2]
    crop = np.empty((boost * height, boost * width, 3), np.uint8)
    for number, phase in enumerate(phases):
        crop[number // boost :: boost, number % boost :: boost] = phase
    return crop
