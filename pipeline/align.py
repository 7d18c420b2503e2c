"""Five-point alignment: where a model wants eyes, nose and mouth, the crop that puts them there, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import FaceRefused
from pipeline.faces import Face, Floats, Pixels, SwappedRegion
from pipeline.warp import Affine, apply, crop, invert

Points = NDArray[np.floating[Any]]

SMALLEST_FACE = 24.0  # ear to ear, px
LEAST_VISIBLE = 0.75  # share of the mesh inside the picture; half a face has about .5

# Eyes, nose tip, mouth corners, image-left first, as shares of the crop's side. The arcface_112 ones are
# insightface's `arcface_src` (v2) and its older cut (v1) over 112; arcface_128 is v2 moved as insightface does for
# 128 px; ffhq_512 is the mean of FFHQ's alignment (facexlib), mtcnn_512 that of MTCNN's five points at 512 px.
_TEMPLATES: Final[Mapping[str, tuple[tuple[float, float], ...]]] = MappingProxyType(
    {
        "arcface_112_v1": (
            (0.35473214, 0.45658929),
            (0.64526786, 0.45658929),
            (0.50000000, 0.61154464),
            (0.37913393, 0.77687500),
            (0.62086607, 0.77687500),
        ),
        "arcface_112_v2": (
            (0.34191607, 0.46157411),
            (0.65653393, 0.45983393),
            (0.50022500, 0.64050536),
            (0.37097589, 0.82469196),
            (0.63151696, 0.82325089),
        ),
        "arcface_128": (
            (0.36167656, 0.40387734),
            (0.63696719, 0.40235469),
            (0.50019687, 0.56044219),
            (0.38710391, 0.72160547),
            (0.61507734, 0.72034453),
        ),
        "ffhq_512": (
            (0.37691676, 0.46864664),
            (0.62285697, 0.46912813),
            (0.50123859, 0.61331904),
            (0.39308822, 0.72541100),
            (0.61150205, 0.72490465),
        ),
        "mtcnn_512": (
            (0.36562865, 0.46733799),
            (0.63305391, 0.46585885),
            (0.50019127, 0.61942959),
            (0.39032951, 0.77598822),
            (0.61178945, 0.77476328),
        ),
    }
)
TEMPLATES: Final = tuple(_TEMPLATES)
"""The names of the templates."""

# The mesh vertices whose mean is each of the five points: the six of an eye's outline that the 68-point scheme
# has too, the tip of the nose and the vertex under it (the templates' nose lies between them), the mouth's corners.
FIVE_POINT_VERTICES: Final[tuple[tuple[int, ...], ...]] = (
    (33, 160, 158, 133, 153, 144),
    (362, 385, 387, 263, 373, 380),
    (1, 4),
    (61,),
    (291,),
)


def template(name: str, size: int) -> NDArray[np.float64]:
    """Return a template's five points in a crop of `size` px, float64 (5, 2); raises ValueError for another name.

    The projects count from the middle of the first pixel, Assent from its corner: hence the half pixel.
    """
    if name not in _TEMPLATES:
        raise ValueError(f"unknown template {name!r}; known are {', '.join(TEMPLATES)}")
    return np.array(_TEMPLATES[name], np.float64) * size + 0.5


def similarity(source: Points, target: Points) -> Affine:
    """Return the least-squares turn, scale and shift that lays (n, 2) points on (n, 2) points (Umeyama 1991).

    It never mirrors. Raises ValueError where the source points all lie in one place.
    """
    here, there = np.asarray(source, np.float64), np.asarray(target, np.float64)
    a, b = here - here.mean(axis=0), there - there.mean(axis=0)
    spread = float((a**2).sum())
    if not spread > 1e-12:
        raise ValueError("the points lie in one place")
    c = float((a * b).sum()) / spread
    s = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / spread
    rotation = np.array([[c, -s], [s, c]])
    shift = there.mean(axis=0) - rotation @ here.mean(axis=0)
    return np.concatenate([rotation, shift[:, None]], axis=1)


def five_points(face: Face) -> Floats:
    """Return the face's eyes, nose and mouth corners, float32 (5, 2): a model's own, or read off the mesh."""
    if face.points is not None:
        return np.asarray(face.points, np.float32)
    return np.array([face.mesh[list(group), :2].mean(axis=0) for group in FIVE_POINT_VERTICES], np.float32)


def five_of_68(points: Points) -> Floats:
    """Return the five points among the 68 of the iBUG scheme, float32 (5, 2)."""
    marks = np.asarray(points, np.float32)
    return np.stack([marks[36:42].mean(axis=0), marks[42:48].mean(axis=0), marks[30], marks[48], marks[54]])


def check_usable(face: Face, pixels: Pixels) -> None:
    """Refuse a face that no neural stage can work with.

    Raises:
        FaceRefused: `face_too_small` under 24 px ear to ear, `face_cut_off` where the picture's border hides a
            quarter of it or more.

    """
    if not face.width >= SMALLEST_FACE:
        raise FaceRefused(
            "face_too_small",
            f"The face is {face.width:.0f} pixels wide; {SMALLEST_FACE:.0f} are needed.",
            "Use a larger picture or come closer to the camera.",
        )
    height, width = pixels.shape[:2]
    inside = ((face.mesh[:, :2] >= 0) & (face.mesh[:, :2] <= (width, height))).all(axis=1)
    if inside.mean() < LEAST_VISIBLE:
        raise FaceRefused(
            "face_cut_off",
            f"Only {100 * inside.mean():.0f} % of the face lie inside the picture.",
            "Use a picture that shows the whole face.",
        )


@dataclass(frozen=True, slots=True)
class AlignedCrop:
    """A square crop, BGR uint8 (size, size, 3), with the map from picture pixels to crop pixels."""

    pixels: Pixels
    affine: Affine


def align(pixels: Pixels, face: Face, name: str, size: int) -> AlignedCrop:
    """Cut out the face with its five points on the template. Raises `FaceRefused` where they lie in one place."""
    try:
        affine = similarity(five_points(face), template(name, size))
    except ValueError:
        raise FaceRefused("no_face", "The face has no extent.", "Use a clear, unobstructed face.") from None
    return AlignedCrop(crop(pixels, affine, size), affine)


def lay_back(pixels: Pixels, content: Pixels, weight: Floats, affine: Affine) -> SwappedRegion:
    """Return the rectangle of the picture that a changed crop covers, ready to be pasted.

    `content` is BGR uint8 (size, size, 3), `weight` float32 (size, size) 0..1, and `affine` maps picture pixels to
    pixels of that crop. Only the crop's bounding box is computed; outside the crop itself the weight is 0.
    Raises `FaceRefused('face_outside')` where the crop does not touch the picture.
    """
    x, y, width, height = bounds(pixels, affine, content.shape[0])
    return SwappedRegion(
        x=x,
        y=y,
        pixels=np.asarray(project(content, affine, (x, y, width, height)), np.uint8),
        weight=np.clip(project(weight, affine, (x, y, width, height), outside=0), 0, 1).astype(np.float32),
        base=np.ascontiguousarray(pixels[y : y + height, x : x + width]),
    )


def project(
    plane: NDArray[Any], affine: Affine, box: tuple[int, int, int, int], *, outside: float | None = None
) -> NDArray[Any]:
    """Return a crop's values over the rectangle x, y, width, height of the picture; any dtype OpenCV warps.

    Outside the crop its edge goes on, or the value `outside` stands. Where the crop is much finer than the picture
    areas are averaged first, so that no detail turns to grain.
    """
    x, y, width, height = box
    plane, affine = _reduced(plane, affine)
    # From a pixel of the rectangle straight to the crop; OpenCV counts from pixel centres.
    inner = affine.copy()
    inner[:, 2] += affine[:, :2] @ (x + 0.5, y + 0.5) - 0.5
    border = cv2.BORDER_REPLICATE if outside is None else cv2.BORDER_CONSTANT
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(plane, inner, (width, height), flags=how, borderMode=border, borderValue=(outside or 0,) * 4)
    )


def bounds(pixels: Pixels, affine: Affine, size: int) -> tuple[int, int, int, int]:
    """Return the crop's bounding box within the picture: x, y, width, height.

    Raises:
        FaceRefused: `face_outside`, the crop does not touch the picture.

    """
    corners = apply(invert(affine), np.array([[0, 0], [size, 0], [0, size], [size, size]], np.float32))
    # A corner that rounding put a hair over a pixel's border does not reach into that pixel.
    left, top = np.maximum(np.floor(corners.min(axis=0) + 1e-3), 0).astype(int).tolist()
    right, bottom = np.minimum(np.ceil(corners.max(axis=0) - 1e-3), pixels.shape[1::-1]).astype(int).tolist()
    if right <= left or bottom <= top:
        raise FaceRefused("face_outside", "The face lies outside the picture.", "Use a picture that shows the face.")
    return left, top, right - left, bottom - top


def _reduced(plane: NDArray[Any], affine: Affine) -> tuple[NDArray[Any], Affine]:
    scale = float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))
    if scale < 2:
        return plane, affine
    size = plane.shape[0]
    side = max(1, round(size / scale))
    return np.asarray(cv2.resize(plane, (side, side), interpolation=cv2.INTER_AREA)), affine * (side / size)
