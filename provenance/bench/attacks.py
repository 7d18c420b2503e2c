"""Every attack of the watermark bench by its name."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from provenance.bench.codecs import avif, h264, jpeg, webp
from provenance.bench.pixels import (
    blur,
    brightness,
    captioned,
    contrast,
    covered,
    denoised,
    gamma,
    grey,
    median,
    noise,
    photographed,
)
from provenance.bench.shapes import (
    cropped,
    cropped_at_corner,
    mirrored,
    perspective,
    quarter_turn,
    rescaled,
    scaled,
    turned,
)

Pixels = NDArray[np.uint8]
Attack = Callable[[Pixels], Pixels]


def _chain(*attacks: Attack) -> Attack:
    return lambda pixels: reduce(lambda value, attack: attack(value), attacks, pixels)


def _untouched(pixels: Pixels) -> Pixels:
    return pixels


# The share of each side that is left when 40 % of the area is.
_SIDE_OF_40 = 0.4**0.5

SINGLE: dict[str, Attack] = {
    "none": _untouched,
    **{f"jpeg_{quality}": jpeg(quality) for quality in (90, 75, 50, 30, 20)},
    "webp_60": webp(60),
    "avif_50": avif(50),
    "avif_30": avif(30),
    "half_size": scaled(0.5),
    "quarter_size": scaled(0.25),
    "screenshot": rescaled(0.7),
    **{f"crop_{share}": cropped(share / 100) for share in (5, 10, 20, 30)},
    **{f"crop_corner_{share}": cropped_at_corner(share / 100) for share in (5, 10, 20, 30)},
    "crop_to_40_area": cropped(1 - _SIDE_OF_40),
    "rotate_0.5": turned(0.5),
    "rotate_2": turned(2),
    "rotate_15": turned(15),
    "rotate_90": quarter_turn,
    "mirror": mirrored,
    "aspect_1.2": scaled(1.2**0.5, 1.2**-0.5),
    "perspective": perspective,
    "brightness_up_20": brightness(1.2),
    "brightness_down_20": brightness(0.8),
    "gamma_1.3": gamma(1.3),
    "contrast_1.3": contrast(1.3),
    "noise_10": noise(10),
    "blur_1.5": blur(1.5),
    "median_3": median(3),
    "denoise": denoised,
    "grey": grey,
    "caption": captioned,
    "collage": covered,
    "photo_of_screen": photographed,
    "h264_crf_23": h264(23),
    "h264_crf_28": h264(28),
    "h264_crf_35": h264(35),
    "h264_half_crf_28": _chain(scaled(0.5), h264(28)),
}
CHAINS: dict[str, Attack] = {
    "chain_crop_half_jpeg": _chain(cropped(0.1), scaled(0.5), jpeg(70)),
    "chain_crop_webp": _chain(cropped_at_corner(0.1), webp(60)),
    "chain_scale_jpeg": _chain(scaled(0.7), jpeg(50)),
    "chain_rotate_crop_jpeg": _chain(turned(1), cropped(0.1), jpeg(75)),
    "chain_jpeg_screenshot_jpeg": _chain(jpeg(75), rescaled(0.8), jpeg(60)),
}
ATTACKS: dict[str, Attack] = {**SINGLE, **CHAINS}
