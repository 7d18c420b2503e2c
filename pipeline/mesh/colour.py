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
class Relight:
    """How to light a texture: texture * `gain` + `offset`, float32 and int16 (n, n, 3); None adds nothing."""

    gain: Floats
    offset: NDArray[np.int16] | None


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
    overall = (_blurred(matched, 2.5) + 4) / (_blurred(source, 2.5) + 4)
    usual = np.median(overall[common > 0.5], axis=0)  # the dark line between lips must not light up the lips beside it
    overall = np.clip(overall, usual / np.float32(settings.largest_gain), usual * np.float32(1.25))
    local = _local_gain(source * overall, target, common, masks, settings)
    return np.asarray(overall * local, dtype=np.float32)


def relight(source: Floats, target: Floats, common: Floats, masks: Masks, settings: MeshSettings) -> Relight:
    """Split the source into light and relief, bring the light to the target's and keep of the relief what is credible.

    The light takes `colour_gain`; where it then still strays far from the target's broad shading (hard light, make-up,
    burnt or drowned skin) it is led back. The relief (wrinkles, pores, stubble) keeps its proportion to the light, or
    less where the target's skin is calm.
    Arguments as for `colour_gain`.
    """
    gain = colour_gain(source, target, common, masks, settings)
    sigma = settings.relief_scale * source.shape[0]
    light = _blurred(source, sigma)
    wanted = _led_back(light * gain, target, common, masks, settings)
    whole = (wanted + 2) / (light + 2)
    ours = _roughness(target - _blurred(target, sigma), common)
    theirs = _roughness((source - light) * whole, common)
    allowed = max(settings.relief_excess * ours, settings.relief_floor)
    share = float(np.clip(allowed / max(theirs, 1e-3), settings.relief_least, 1))
    if share > 0.98:
        return Relight(np.asarray(whole, np.float32), None)
    kept = 1 - masks.calm * np.float32(1 - share)  # brows, lashes and lips keep all of theirs
    whole = whole * kept[..., None]
    return Relight(np.asarray(whole, np.float32), np.round(wanted - light * whole).astype(np.int16))


def even_relief(texture: Floats, calm: Floats, settings: MeshSettings) -> Floats:
    """Give skin one relief for all channels, in proportion to the light, and soften its hardest edges: (n, n, 3).

    A channel that is nearly dark in one person's photo is bright in another's: lit up on its own it turns every
    reddening into a stain. `calm` float32 (n, n) 0..1 is the skin; elsewhere the texture (n, n, 3) stays as it is.
    """
    side = texture.shape[0]
    small = _blurred(_reduced(texture, side // 4), settings.relief_scale * side / 4)
    light = np.asarray(cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR)) + np.float32(1)
    relief = (_grey(texture + 1) / _grey(light) - 1)[..., None]
    excess = np.sign(relief) * np.maximum(np.abs(relief) - settings.relief_limit, 0)
    soft = relief - excess * np.float32(0.6)
    even = light * (1 + soft) - 1
    even = even + (texture - light * (1 + relief) + 1) * np.float32(settings.relief_colour)
    return np.asarray(texture + (even - texture) * calm[..., None], dtype=np.float32)


def _led_back(lit: Floats, target: Floats, common: Floats, masks: Masks, settings: MeshSettings) -> Floats:
    """Shrink those deviations from the target's broad light that no skin under it would show."""
    if int((common > 0.5).sum()) < FEWEST_TEXELS:
        return lit
    broad = _lab(masked_blur(target, common, settings.core_scale * lit.shape[0]))
    ours = _lab(np.clip(lit, 0, 255))
    strayed = ours - broad
    limits = np.array([settings.stray_light, settings.stray_colour, settings.stray_colour], np.float32)
    beyond = np.sign(strayed) * np.maximum(np.abs(strayed) - limits, 0)
    back = beyond * (1 - np.float32(settings.stray_kept)) * masks.calm[..., None]
    return np.asarray(cv2.cvtColor(ours - back, cv2.COLOR_LAB2BGR) * np.float32(255), dtype=np.float32)


def _grey(bgr: Floats) -> Floats:
    return np.asarray(bgr @ np.array([0.114, 0.587, 0.299], np.float32), dtype=np.float32)


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
