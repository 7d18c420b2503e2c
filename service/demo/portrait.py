"""Paints the portrait of a person who does not exist, out of one public-domain photo, for the demonstration only.

The photo is `skimage.data.astronaut()` (NASA). The head is cut out along a fixed outline, its features are moved, its
skin and hair are given other colours, and it gets other clothes and a plain background. Every number below belongs to
that one photo: the module cannot be applied to another.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

import cv2
import numpy as np
import skimage.data

from pipeline.faces import Floats, Pixels

PHOTO_SHA256 = "a8c429c18afa7b0fd5673e598d73a21225d94c864a71bbb3885126fdecb41071"
LEFT, TOP, SIDE = 90, 0, 260  # the square of the photo that is used, pixels
SCALE = 3  # by which it is enlarged
PORTRAIT_SIDE = SIDE * SCALE

Outline = tuple[tuple[float, float], ...]

# Outlines in pixels of the square.
_HEAD: Outline = (
    *((66, 58), (63, 68), (64, 84), (65, 98), (69, 107), (77, 115), (80, 120), (82, 128), (86, 130), (92, 132)),
    *((93, 141), (96.5, 149), (97, 162), (98, 178), (104, 186), (120, 190), (140, 192), (156, 190), (163, 186)),
    *(
        (164.5, 173),
        (168.5, 158),
        (173, 146),
        (177, 137.5),
        (186, 135.5),
        (191, 130),
        (193, 124),
        (199, 119),
        (204, 112),
    ),
    *((206, 105), (209, 98), (211, 90), (209, 72), (206, 65), (206, 58), (196, 40), (186, 31), (172, 24)),
    *((158, 18), (147, 16), (133, 17), (122, 21), (105, 26), (94, 32), (85, 40), (80, 47), (73, 51)),
)
_FACE: Outline = (
    *((95, 77), (104, 78), (117, 80), (130, 79), (141, 78), (152, 83), (166, 86), (177, 90), (179, 98)),
    *((180, 112), (181, 124), (190, 129), (186, 137), (178, 138), (172, 160), (166, 192), (96, 192), (94, 150)),
    *((91, 133), (85, 131), (80, 121), (87, 116), (91, 104), (95, 92), (96, 84)),
)
_CLOTHES: Outline = (
    *((91, 169), (95, 175), (103, 181), (114, 184), (130, 186), (146, 185), (158, 181), (164, 175), (170, 167)),
    *((173, 186), (181, 202), (204, 214), (232, 227), (252, 246), (262, 280), (-2, 280), (8, 246), (28, 229)),
    *((58, 214), (80, 202), (88, 186)),
)

# Hair that falls behind the ears to the collar, painted freely.
_FALL: Outline = (
    *((68, 70), (65, 96), (66, 120), (70, 146), (78, 168), (92, 180), (116, 184), (146, 184), (170, 179)),
    *((186, 166), (197, 146), (204, 120), (208, 96), (206, 70)),
)

# Two locks of it that fall before the ears.
_LOCKS: tuple[Outline, Outline] = (
    ((66, 98), (82, 106), (88, 112), (91, 124), (93.5, 140), (93.5, 156), (92, 180), (78, 168), (70, 146), (66, 122)),
    ((203, 98), (188, 106), (184, 112), (180, 126), (174, 144), (171, 158), (169, 179), (186, 166), (197, 146)),
)


@dataclass(frozen=True, slots=True)
class Feature:
    """A part of the face: its middle and reach in the square's pixels, `pair` if it is there twice, mirrored."""

    x: float
    y: float
    reach: float
    pair: bool = False


MIDLINE = 134.0  # of the face, at the nose; the face leans by a little over three degrees, which is small enough here

FEATURES: dict[str, Feature] = {
    "eyes": Feature(22, 101, 9, pair=True),
    "brows": Feature(23, 91, 8, pair=True),
    "nose": Feature(0, 124, 9),
    "bridge": Feature(0, 108, 8),
    "mouth": Feature(-1, 144, 20),
    "chin": Feature(0, 170, 14),
    "jaw": Feature(36, 152, 16, pair=True),
    "cheeks": Feature(34, 122, 13, pair=True),
    "forehead": Feature(0, 84, 14),
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is changed: for each feature right, down (pixels of the square) and wider, taller (shares); and colours.

    `aspect` widens the whole head; colours are CIE Lab: a factor on lightness, then what is added to a and b.
    """

    moves: tuple[tuple[str, float, float, float, float], ...]
    aspect: float
    skin: tuple[float, float, float]
    hair: tuple[float, float, float]
    background: tuple[int, int, int] = (176, 170, 164)
    clothes: tuple[int, int, int] = (88, 66, 52)


def paint(recipe: Recipe) -> Pixels:
    """Return the portrait, uint8 BGR (780, 780, 3)."""
    photo, head, hair = _cut_out()
    where = _moved(recipe)
    photo, head, hair = (
        cv2.remap(layer, where, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE) for layer in (photo, head, hair)
    )
    coloured = _coloured(photo, np.clip(hair, 0, 1), recipe)
    hair_layer = _fallen(recipe)
    layers = [
        (hair_layer, _bent(_shape(_rounded(_FALL), 1.6), where)),
        (coloured, np.clip(head, 0, 1)),
        *((hair_layer, _bent(_shape(_rounded(lock), 1.6) * _tapering(), where)) for lock in _LOCKS),
        (_dressed(recipe), _shape(_rounded(_CLOTHES), 0.8)),
    ]
    picture = _backdrop(recipe)
    for layer, alpha in layers:
        picture = picture + (layer - picture) * alpha[..., None]
    return np.clip(np.round(_grained(picture)), 0, 255).astype(np.uint8)


@lru_cache(maxsize=1)
def _cut_out() -> tuple[Floats, Floats, Floats]:
    """The enlarged square float32 BGR 0..255, the head's matte and the hair's matte, float32 0..1."""
    photo = np.asarray(skimage.data.astronaut(), dtype=np.uint8)
    if sha256(photo.tobytes()).hexdigest() != PHOTO_SHA256:
        raise RuntimeError("scikit-image brings another picture than the one this portrait is made from")
    square = np.ascontiguousarray(photo[TOP : TOP + SIDE, LEFT : LEFT + SIDE, ::-1])
    large = cv2.resize(square, None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_CUBIC)
    head = _shape(_rounded(_HEAD), 1.2)
    lab = cv2.cvtColor(large.astype(np.float32) / np.float32(255), cv2.COLOR_BGR2LAB)
    face = _shape(_rounded(_FACE), 2.0)
    yellow = np.clip((lab[..., 2] - 14) / 8, 0, 1) + np.clip((62 - lab[..., 0]) / 20, 0, 1)
    near = _shape(_rounded(_FACE), 8.0)
    hair = np.clip(1 - face + (1 - near) * np.clip(yellow, 0, 1), 0, 1)
    return large.astype(np.float32), head, hair.astype(np.float32)


def _shape(outline: Outline, soft: float) -> Floats:
    """An outline filled, float32 0..1 (780, 780), its edge `soft` pixels of the square wide."""
    mask = np.zeros((PORTRAIT_SIDE, PORTRAIT_SIDE), np.uint8)
    corners = np.round(np.array(outline) * SCALE * 16).astype(np.int32)
    cv2.fillPoly(mask, [corners], 255, cv2.LINE_AA, 4)
    filled: Floats = cv2.GaussianBlur(mask, (0, 0), soft * SCALE / 2).astype(np.float32) / np.float32(255)
    return filled


def _rounded(outline: Outline) -> Outline:
    """Cut the corners of an outline twice (Chaikin), so that it looks grown and not cut."""
    corners = np.array(outline, np.float64)
    for _ in range(2):
        following = np.roll(corners, -1, axis=0)
        corners = np.stack([0.75 * corners + 0.25 * following, 0.25 * corners + 0.75 * following], 1).reshape(-1, 2)
    return tuple((float(x), float(y)) for x, y in corners)


def _moved(recipe: Recipe) -> Floats:
    """Where each pixel of the portrait comes from in the enlarged square, float32 (780, 780, 2)."""
    step = 4  # the field is smooth: it is made on a coarser grid
    axis = (np.arange(PORTRAIT_SIDE // step, dtype=np.float32) + 0.5) * step / SCALE
    x, y = np.meshgrid(axis, axis)
    x = MIDLINE + (x - MIDLINE) / np.float32(recipe.aspect)
    shift_x, shift_y = np.zeros_like(x), np.zeros_like(y)
    for name, right, down, wider, taller in recipe.moves:
        feature = FEATURES[name]
        for side in (-1, 1) if feature.pair else (1,):
            dx, dy = x - (MIDLINE + side * feature.x), y - feature.y
            pull = np.exp(-(dx**2 + dy**2) / (2 * feature.reach**2))
            shift_x -= pull * (side * right + wider * dx)
            shift_y -= pull * (down + taller * dy)
    field = np.dstack([x + shift_x, y + shift_y]) * SCALE - np.float32(0.5)
    large: Floats = cv2.resize(field, (PORTRAIT_SIDE, PORTRAIT_SIDE), interpolation=cv2.INTER_LINEAR)
    return large


def _tapering() -> Floats:
    """From nothing at the temples to everything below them, float32 (780, 1): where locks grow out of the hair."""
    down = np.arange(PORTRAIT_SIDE, dtype=np.float32)[:, None] / SCALE
    return np.asarray(np.clip((down - 98) / 24, 0, 1), dtype=np.float32)


def _bent(layer: Floats, where: Floats) -> Floats:
    bent: Floats = cv2.remap(layer, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return bent


def _coloured(photo: Floats, hair: Floats, recipe: Recipe) -> Floats:
    """Give skin and hair their colours; float32 BGR 0..255."""
    lab = cv2.cvtColor(np.clip(photo, 0, 255) / np.float32(255), cv2.COLOR_BGR2LAB)
    result = np.zeros_like(lab)
    for (light, add_a, add_b), share in ((recipe.skin, 1 - hair), (recipe.hair, hair)):
        curve = 100 * (lab[..., 0] / 100) ** np.float32(1 / light) if light < 1 else lab[..., 0] * light
        fade = np.clip(curve / 30, 0, 1)  # what is nearly black has no colour
        one = np.dstack([np.clip(curve, 0, 100), lab[..., 1] + add_a * fade, lab[..., 2] + add_b * fade])
        result += one.astype(np.float32) * share[..., None]
    coloured: Floats = np.clip(cv2.cvtColor(result, cv2.COLOR_LAB2BGR), 0, 1) * np.float32(255)
    return coloured


def _backdrop(recipe: Recipe) -> Floats:
    """A plain wall, a little lighter in the middle."""
    axis = np.linspace(-1, 1, PORTRAIT_SIDE, dtype=np.float32)
    light = 1.04 - 0.10 * (axis[None] ** 2 + axis[:, None] ** 2)
    return np.asarray(np.array(recipe.background, np.float32) * light[..., None], np.float32)


def _fallen(recipe: Recipe) -> Floats:
    """Strands of hair in the shade of the head."""
    strands = np.random.default_rng(3).standard_normal((PORTRAIT_SIDE, PORTRAIT_SIDE)).astype(np.float32)
    strands = cv2.GaussianBlur(strands, (0, 0), sigmaX=1.1, sigmaY=28)
    strands /= strands.std()
    light = np.clip(26 + 7 * strands, 0, 100) * recipe.hair[0]
    colour = [np.full_like(light, tone * 0.5) for tone in (3 + recipe.hair[1], 22 + recipe.hair[2])]
    bgr: Floats = cv2.cvtColor(np.dstack([light, *colour]).astype(np.float32), cv2.COLOR_LAB2BGR)
    return np.clip(bgr, 0, 1) * np.float32(255)


def _dressed(recipe: Recipe) -> Floats:
    """A plain jumper with a collar, lit from above."""
    axis = np.arange(PORTRAIT_SIDE, dtype=np.float32) / SCALE
    x, y = axis[None], axis[:, None]
    fold = 0.07 * np.sin((x - 130) / 9 + 3 * np.sin(y / 14)) * np.exp(-((y - 230) ** 2) / 900)
    collar = (
        -0.22 * np.exp(-((y - 204 + 7 * ((x - 130) / 40) ** 2) ** 2) / 12) * np.clip((46 - np.abs(x - 130)) / 8, 0, 1)
    )
    light = 0.9 - 0.25 * np.abs(x - 130) / 130 + 0.25 * np.clip((y - 190) / 50, 0, 1) + fold + collar
    knit = np.random.default_rng(5).standard_normal((PORTRAIT_SIDE, PORTRAIT_SIDE)).astype(np.float32)
    light = light + 0.05 * cv2.GaussianBlur(knit, (0, 0), 1.2) * 3
    return np.asarray(np.array(recipe.clothes, np.float32) * light[..., None], np.float32)


def _grained(picture: Floats) -> Floats:
    """The fine noise of a photo, the same every time; the enlarged picture would look too smooth without it."""
    noise = np.random.default_rng(11).standard_normal(picture.shape[:2]).astype(np.float32)
    return np.asarray(picture + (3.2 * cv2.GaussianBlur(noise, (0, 0), 0.7))[..., None], np.float32)
