"""A decoded still picture, and the limits that decide which pictures are decoded at all."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.faces import Pixels

MOST_PIXELS = 120_000_000
"""The largest `max_pixels` that the decoder's memory limit has room for."""


@dataclass(frozen=True)
class PictureLimits:
    """What a picture may cost. A larger one is refused before it is decoded.

    `max_side` and `min_side` are pixels, `seconds` bounds the decoding in wall-clock time.
    """

    max_bytes: int = 40_000_000
    max_pixels: int = 50_000_000
    max_side: int = 12_000
    min_side: int = 64
    seconds: float = 15.0

    def __post_init__(self) -> None:
        if not 0 < self.max_pixels <= MOST_PIXELS:
            raise ValueError(f"max_pixels must lie between 1 and {MOST_PIXELS}")
        if not 0 < self.min_side <= self.max_side or self.max_bytes < 1 or self.seconds <= 0:
            raise ValueError("limits must be positive, and min_side at most max_side")


@dataclass(frozen=True)
class Picture:
    """A picture as the pipeline sees it: upright, in sRGB.

    `pixels` is BGR uint8 (H, W, 3), not multiplied by alpha; `alpha` uint8 (H, W) or None where all is
    opaque; `media_type` what the bytes were (`image/jpeg`, `image/png`, `image/webp`). `notices` name what
    decoding changed or left out: `orientation_applied`, `colours_converted`, `colour_profile_ignored`,
    `depth_reduced`, `first_of_several_pictures`, `trailing_data`, `metadata_unreadable`.
    """

    pixels: Pixels
    alpha: Pixels | None
    media_type: str
    notices: tuple[str, ...] = ()
