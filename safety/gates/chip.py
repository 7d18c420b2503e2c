"""dlib's aligned face chip, rebuilt to the pixel: the age network answers decades off on any other crop.

What dlib does (image_transforms/interpolation.h, image_pyramid.h), quirks included: the similarity goes through five
points; the chip's corner pixels, not its edges, are laid on the corners of the rectangle, whose middle is half a pixel
off; a rectangle of more than four times the chip's area is taken from a pyramid of 5x5 binomial reductions, whose map
is p -> p / 2 - (1.25, 0.75); values are cut off, not rounded; outside the picture all is black.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.faces import Face, Pixels

# dlib's mean positions of its five points in the unit square (get_face_chip_details): the eye on the picture's right,
# outer and inner corner, the eye on the left, outer and inner corner, and the base of the nose.
_TEMPLATE: Final = np.array(
    [
        (0.8595674595992, 0.2134981538014),
        (0.6460604764104, 0.2289674387677),
        (0.1205750620789, 0.2137274526848),
        (0.3340850613712, 0.2290642403242),
        (0.4901123135679, 0.6277975316475),
    ]
)
# The mesh vertices nearest to them.
_VERTICES: Final = (263, 362, 33, 133, 2)
# Where those vertices lie beside the points of dlib's own predictor, in units of the distance of the eyes' middles,
# along and across the line of the eyes: the mean over 133 faces; the spread is .02 to .03.
_BIAS: Final = np.array([(0.016, -0.020), (-0.037, -0.015), (-0.041, -0.018), (0.005, -0.014), (-0.016, -0.035)])
# cv2.pyrDown keeps pixel 2k at k, dlib keeps pixel 2k + 2 there: (1, 1) - (1.25, 0.75).
_PYRAMID_SHIFT: Final = np.array([-0.25, 0.25])

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ChipVariant:
    """A crop slightly different from the exact one: `zoom` > 1 shows more; `mirror` flips it left to right."""

    zoom: float = 1.0
    mirror: bool = False


def five_points(face: Face) -> Points:
    """Return dlib's five points derived from the mesh, float64 (5, 2), in pixels counted from pixel centres."""
    points = face.mesh[list(_VERTICES), :2].astype(np.float64) - 0.5
    along = (points[0] + points[1] - points[2] - points[3]) / 2
    across = np.array([-along[1], along[0]])
    shifted: Points = points - _BIAS[:, :1] * along - _BIAS[:, 1:] * across
    return shifted


def dlib_chip(pixels: Pixels, points: Points, size: int, padding: float, variant: ChipVariant | None = None) -> Pixels:
    """Return the chip, BGR uint8 (size, size, 3). `points` is (5, 2) from pixel centres; `padding` means dlib's own."""
    return np.asarray(dlib_chips(pixels, points, size, padding, (variant or ChipVariant(),))[0], np.uint8)


def dlib_chips(
    pixels: Pixels, points: Points, size: int, padding: float, variants: Sequence[ChipVariant]
) -> NDArray[np.uint8]:
    """Return several variants of one chip, BGR uint8 (n, size, size, 3); the pyramid is reduced once for all."""
    centre, rotation, side = _rectangle(points, size, padding)
    part, centre = _neighbourhood(pixels, centre, side * max(variant.zoom for variant in variants) - 1)
    pyramid = _Pyramid(part, centre)
    chips: dict[ChipVariant, Pixels] = {}
    for variant in variants:
        plain = ChipVariant(variant.zoom)
        if plain not in chips:
            chips[plain] = _cut(pyramid, rotation, side * variant.zoom - 1, size)
        if variant.mirror:
            chips[variant] = np.asarray(chips[plain][:, ::-1])
    return np.stack([chips[variant] for variant in variants])


class _Pyramid:
    """dlib's reductions of one part of a picture, made when they are asked for; `centre` is the chip's middle in it."""

    def __init__(self, part: NDArray[np.float32], centre: Points) -> None:
        self._levels = [(part, centre)]

    def level(self, number: int) -> tuple[NDArray[np.float32], Points]:
        """Return the pixels, float32 (h, w, 3), and the chip's middle after this many halvings."""
        while len(self._levels) <= number:
            part, centre = self._levels[-1]
            reduced = np.asarray(np.floor(cv2.pyrDown(part) + 1e-3), np.float32)
            self._levels.append((reduced, centre / 2 + _PYRAMID_SHIFT))
        return self._levels[number]


def _cut(pyramid: _Pyramid, rotation: Points, span: float, size: int) -> Pixels:
    """Return the chip whose corner pixels lie `span` pixels of the whole picture apart."""
    halvings = 0
    while (span / 2 + 1) ** 2 > size * size:
        span, halvings = span / 2, halvings + 1
    part, centre = pyramid.level(halvings)
    linear = rotation * span / (size - 1)
    shift = centre - linear @ np.full(2, (size - 1) / 2)
    warped = cv2.warpAffine(
        part,
        np.concatenate([linear, shift[:, None]], axis=1),
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
    )
    return np.asarray(np.floor(warped + 1e-3), np.uint8)


def _rectangle(points: Points, size: int, padding: float) -> tuple[Points, Points, float]:
    """Return the rectangle's middle (2,), its rotation (2, 2) and its side in pixels."""
    template = (_TEMPLATE + padding) / (2 * padding + 1) * size
    a, b = template - template.mean(axis=0), points - points.mean(axis=0)
    spread = float((a**2).sum())
    c = float((a * b).sum()) / spread
    s = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / spread
    scale = max(float(np.hypot(c, s)), 1e-6)
    similarity = np.array([[c, -s], [s, c]])
    centre = points.mean(axis=0) + similarity @ (size / 2 - template.mean(axis=0))
    return centre, similarity / scale, scale * size


def _neighbourhood(pixels: Pixels, centre: Points, span: float) -> tuple[NDArray[np.float32], Points]:
    """Cut out what the chip can see, so that a large picture is not reduced as a whole.

    The cut begins at a multiple of 1024 px, so that every level of the pyramid has the same pixels as that of the
    whole picture.
    """
    height, width = pixels.shape[:2]
    reach = span + 64
    low = np.clip(np.floor((centre - reach) / 1024) * 1024, 0, None).astype(int)
    high = np.ceil(centre + reach).astype(int)
    x0, y0 = (min(int(low[0]), width - 1), min(int(low[1]), height - 1))
    part = pixels[y0 : max(y0 + 1, int(high[1])), x0 : max(x0 + 1, int(high[0]))]
    return part.astype(np.float32), centre - np.array([x0, y0], np.float64)
