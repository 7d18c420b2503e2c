"""Brings the source's colours to the target's light: one smooth gain a texel, close at the rim, coarse inside."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.faces import Floats
from pipeline.mesh.masks import Masks
from pipeline.mesh.settings import MeshSettings


@dataclass(frozen=True, slots=True)
class Relief:
    """`share` 0.5..1 of the relief over `light` float32 (n, n, 3) that is kept."""

    share: float
    light: Floats


FEWEST_TEXELS = 40  # of common skin, below which colour statistics mean nothing


def masked_blur(values: Floats, weight: Floats, sigma: float) -> Floats:
    """Blur `values` (n, n, c) as if texels outside `weight` (n, n) 0..1 were not there; sigma in texels.

    Wide blurs run on a picture reduced threefold, which nobody can tell apart and costs a tenth.
    """
    side = values.shape[0]
    if sigma > 6 and side % 3 == 0:
        share = _reduced(weight, side // 3)
        total = np.maximum(share, 1e-3)[..., None]
        small = np.asarray(_reduced(values * weight[..., None], side // 3) / total, np.float32)
        wide: Floats = cv2.resize(masked_blur(small, share, sigma / 3), (side, side), interpolation=cv2.INTER_LINEAR)
        return wide
    total = _blurred(weight, sigma)
    return np.asarray(_blurred(values * weight[..., None], sigma) / np.maximum(total, 1e-3)[..., None], np.float32)


def colour_gain(source: Floats, target: Floats, common: Floats, masks: Masks, settings: MeshSettings) -> Floats:
    """The gain float32 (n, n, 3) that takes the source's colours to the target's.

    `source` and `target` float32 (n, n, 3) BGR 0..255 in the flat layout; `common` float32 (n, n) 0..1 the skin that
    both show. First the statistics of the whole face, then its low frequencies.
    """
    if int((common > 0.5).sum()) < FEWEST_TEXELS:
        return np.ones_like(source)
    matched = match_statistics(source, source[common > 0.5], target[common > 0.5], settings)
    overall = (_blurred(matched, 1.5) + 3) / (_blurred(source, 1.5) + 3)
    local = _local_gain(source * overall, target, common, masks, settings)
    return np.asarray(overall * local, dtype=np.float32)


def kept_relief(source: Floats, target: Floats, common: Floats, gain: Floats, settings: MeshSettings) -> Relief:
    """How much of the lit source's relief (wrinkles, blotches, hard light) to keep where the target's skin is calm.

    A dark face that is lit up shows its relief magnified. Arguments as for `colour_gain`, with its result.
    """
    sigma = settings.relief_scale * source.shape[0]
    lit = source * gain
    light = masked_blur(lit, common, sigma)
    ours = _roughness(target - masked_blur(target, common, sigma), common)
    theirs = _roughness(lit - light, common)
    allowed = max(settings.relief_excess * ours, settings.relief_floor)
    return Relief(share=float(np.clip(allowed / max(theirs, 1e-3), 0.5, 1)), light=light)


def _roughness(detail: Floats, common: Floats) -> float:
    """The mean size of what is left without the light, grey levels."""
    return float((np.abs(detail).mean(axis=2) * common).sum() / max(float(common.sum()), 1e-3))


def match_statistics(picture: Floats, source: Floats, target: Floats, settings: MeshSettings) -> Floats:
    """Move `picture` (h, w, 3) by what takes the Lab medians and spreads of `source` (k, 3) to `target` (m, 3)."""
    theirs, ours = _lab(source[None])[0], _lab(target[None])[0]
    theirs_middle, ours_middle = np.median(theirs, axis=0), np.median(ours, axis=0)
    spread = np.abs(ours - ours_middle).mean(axis=0) + np.float32(0.5)
    spread = spread / (np.abs(theirs - theirs_middle).mean(axis=0) + np.float32(0.5))
    contrast = np.clip(spread, settings.contrast_low, settings.contrast_high).astype(np.float32)
    moved = (_lab(picture) - theirs_middle) * contrast + ours_middle
    return np.asarray(np.clip(cv2.cvtColor(moved, cv2.COLOR_LAB2BGR), 0, 1) * np.float32(255), dtype=np.float32)


def _local_gain(source: Floats, target: Floats, common: Floats, masks: Masks, settings: MeshSettings) -> Floats:
    side = source.shape[0]

    def at(scale: float) -> NDArray[np.float32]:
        ours, theirs = (masked_blur(x, common, scale * side) + np.float32(6) for x in (target, source))
        return np.clip(ours / theirs, 1 / settings.largest_gain, settings.largest_gain)

    rim = masks.rim[..., None]
    return np.asarray(at(settings.rim_scale) ** rim * at(settings.core_scale) ** (1 - rim), dtype=np.float32)


def _lab(bgr: NDArray[np.float32]) -> NDArray[np.float32]:
    lab: NDArray[np.float32] = cv2.cvtColor(bgr.astype(np.float32) / np.float32(255), cv2.COLOR_BGR2LAB)
    return lab


def _blurred(values: Floats, sigma: float) -> Floats:
    blurred: Floats = cv2.GaussianBlur(values, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return blurred


def _reduced(values: Floats, side: int) -> Floats:
    reduced: Floats = cv2.resize(values, (side, side), interpolation=cv2.INTER_AREA)
    return reduced
