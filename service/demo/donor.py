"""The fictional donor: a person who does not exist, for the demonstration's consent, liveness and swap.

The donor is painted from one public-domain photo by a fixed recipe that was searched for until the embedder says that
it is somebody else; that is measured again every time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import skimage.data

from pipeline.engine import FaceEngine
from pipeline.faces import Face, Floats, Pixels
from service.demo.portrait import Recipe, paint

SOMEBODY_ELSE: Final = 0.62
"""The least distance from the photo's own person; .60 is where the embedder's looser threshold for "same" ends."""

RECIPE: Final = Recipe(
    moves=(
        ("eyes", -2.0, 1.5, 0.12, -0.10),
        ("brows", 1.2, 2.0, -0.02, 0.03),
        ("nose", 0.0, -3.0, -0.25, 0.09),
        ("bridge", 0.0, 0.0, -0.25, 0.0),
        ("mouth", 0.0, 3.0, 0.10, 0.10),
        ("chin", 0.0, 5.0, 0.0, -0.10),
        ("jaw", 3.9, 1.3, 0.0, 0.0),
        ("cheeks", 4.0, -2.0, 0.0, 0.0),
        ("forehead", 0.0, 2.0, 0.0, 0.0),
    ),
    aspect=1.025,
    skin=(0.775, 0.4, 4.9),
    hair=(0.47, 0.9, -7.6),
)
"""Found by hill climbing on the distance from the original, under a penalty on every change and on a young look."""

_MADE_HERE: Final = object()


class NotFictional(Exception):
    """The portrait came out too much like the person whose photo it was made from."""


@dataclass(frozen=True, eq=False)
class Donor:
    """A fictional adult. Only `fictional_donor` makes one.

    `photo` uint8 BGR, read-only; `face` where the engine sees the face in it; `embedding` float32 (d,) its identity;
    `distance` how far that is from the person in the original photo.
    """

    photo: Pixels
    face: Face
    embedding: Floats
    distance: float
    made_by: object = field(repr=False)

    def __post_init__(self) -> None:
        if self.made_by is not _MADE_HERE:
            raise TypeError("a donor is made by fictional_donor() and cannot be built from a picture")
        self.photo.setflags(write=False)


def original_photo() -> Pixels:
    """Return the public-domain photo that the donor is made from, BGR; the demonstration's target."""
    return np.ascontiguousarray(np.asarray(skimage.data.astronaut(), dtype=np.uint8)[..., ::-1])


def fictional_donor(engine: FaceEngine | None = None) -> Donor:
    """Paint the donor and make sure that it is nobody: raises `NotFictional` where it resembles the original.

    `engine` is what looks and measures; by default the packaged models in this process.
    """
    if engine is None:
        from service.demo.recorded import local_engine

        engine = local_engine()
    photo, original = paint(RECIPE), original_photo()
    face, embedding = _only_face(engine, photo)
    _, theirs = _only_face(engine, original)
    distance = float(np.linalg.norm(embedding - theirs))
    if distance < SOMEBODY_ELSE:
        raise NotFictional(f"the donor is {distance:.2f} from the original, {SOMEBODY_ELSE} is demanded")
    return Donor(photo, face, embedding, distance, _MADE_HERE)


def _only_face(engine: FaceEngine, pixels: Pixels) -> tuple[Face, Floats]:
    faces = engine.look(pixels)
    if len(faces) != 1:
        raise NotFictional(f"{len(faces)} faces were found where one was painted")
    return faces[0], engine.embed(pixels, faces)[0]
