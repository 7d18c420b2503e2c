"""Face selection: which faces of a picture are meant, and which source goes on which of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import linear_sum_assignment

from pipeline.errors import FaceRefused
from pipeline.faces import Face, Floats

LIKENESS: Final = 0.45
"""Distance of dlib embeddings under which two frontal faces are one person's."""

CLEARLY: Final = 0.05
"""How much nearer the best face must be than the second: nearer ones cannot be told apart."""


@dataclass(frozen=True, slots=True)
class Only:
    """The only face of the picture."""


@dataclass(frozen=True, slots=True)
class Every:
    """All faces of the picture."""


@dataclass(frozen=True, slots=True)
class BySize:
    """The largest face, or the one of this rank, counted from 0."""

    rank: int = 0


@dataclass(frozen=True, slots=True)
class FromLeft:
    """The leftmost face, or the one of this rank from the left, counted from 0."""

    rank: int = 0


@dataclass(frozen=True, slots=True)
class AtPoint:
    """The face at a point of the picture, in pixels: whose box holds it, the nearest middle if several do."""

    x: float
    y: float


@dataclass(frozen=True, slots=True, eq=False)
class Like:
    """The face of a person: an embedding float32 (d,) by the embedder in use, and how far it may be off."""

    embedding: Floats
    threshold: float = LIKENESS


Selector = Only | Every | BySize | FromLeft | AtPoint | Like


@dataclass(frozen=True, slots=True, eq=False)
class Pairing:
    """One source, by its number in the submission, and the faces that it goes on."""

    source: int
    faces: Selector


def choose(selector: Selector, faces: Sequence[Face], embeddings: Floats | None = None) -> list[int]:
    """Return the indices of the faces that are meant, never none.

    `faces` are in any order; `embeddings` float32 (len(faces), d) are needed to choose by likeness.

    Raises:
        FaceRefused: `no_face`, there is none; `several_faces`, one was expected; `face_not_found`, none is there, of
            that rank, or like that; `faces_alike`, two are too much alike to tell which one is meant.

    """
    if not faces:
        raise FaceRefused("no_face", "There is no face in the picture.", "Use a picture with a clear, frontal face.")
    match selector:
        case Every():
            return list(range(len(faces)))
        case Only():
            return [_only(faces)]
        case BySize(rank):
            return [_ranked(sorted(range(len(faces)), key=lambda i: -faces[i].width), rank)]
        case FromLeft(rank):
            return [_ranked(sorted(range(len(faces)), key=lambda i: _middle(faces[i])[0]), rank)]
        case AtPoint(x, y):
            return [_at(faces, x, y)]
        case Like():
            return _matched([selector], _rows(embeddings, faces))


def assign(pairings: Sequence[Pairing], faces: Sequence[Face], embeddings: Floats | None = None) -> dict[int, int]:
    """Return which source goes on which face: {face: source}, in the order of the faces.

    Pairings by likeness are settled together, so that each person's face is found even where two resemble each
    other. Then come the others; `Every` takes the faces that are left.

    Raises:
        FaceRefused: as `choose` does; `face_taken`, two pairings mean the same face.

    """
    taken: dict[int, int] = {}
    likes = [pairing for pairing in pairings if isinstance(pairing.faces, Like)]
    if likes:
        if not faces:
            choose(Every(), faces)
        found = _matched([p.faces for p in likes if isinstance(p.faces, Like)], _rows(embeddings, faces))
        taken.update({face: pairing.source for face, pairing in zip(found, likes, strict=True)})
    for pairing in pairings:
        if not isinstance(pairing.faces, Like | Every):
            for face in choose(pairing.faces, faces):
                if face in taken:
                    raise FaceRefused(
                        "face_taken",
                        f"Two sources, {taken[face]} and {pairing.source}, are meant for one face.",
                        "Give each face one source.",
                    )
                taken[face] = pairing.source
    for pairing in pairings:
        if isinstance(pairing.faces, Every):
            for face in choose(pairing.faces, faces):
                taken.setdefault(face, pairing.source)
    return dict(sorted(taken.items()))


def _only(faces: Sequence[Face]) -> int:
    if len(faces) > 1:
        raise FaceRefused(
            "several_faces",
            f"There are {len(faces)} faces in the picture.",
            "Say which one is meant: by size, by position, or by a reference picture.",
        )
    return 0


def _ranked(order: Sequence[int], rank: int) -> int:
    if not 0 <= rank < len(order):
        raise FaceRefused(
            "face_not_found", f"There is no face number {rank}; the picture has {len(order)}.", "Count from 0."
        )
    return order[rank]


def _at(faces: Sequence[Face], x: float, y: float) -> int:
    point = np.array([x, y], np.float32)
    holding = [i for i, face in enumerate(faces) if (face.box[:2] <= point).all() and (point <= face.box[2:]).all()]
    if not holding:
        raise FaceRefused("face_not_found", f"There is no face at ({x:g}, {y:g}).", "Point at the middle of a face.")
    return min(holding, key=lambda i: float(np.linalg.norm(_middle(faces[i]) - point)))


def _matched(wanted: Sequence[Like], rows: Floats) -> list[int]:
    """One face for each reference, none twice, with the least distance in all."""
    if len(wanted) > len(rows):
        raise FaceRefused(
            "face_not_found",
            f"{len(wanted)} people are looked for, but the picture has {len(rows)} faces.",
            "Leave out who is not in the picture.",
        )
    gaps = np.stack([np.linalg.norm(rows - like.embedding, axis=1) for like in wanted])
    # Who is out of reach costs more than all that are within it, so that as many as can be are found.
    limits = np.array([[like.threshold] for like in wanted])
    people, found = linear_sum_assignment(np.where(gaps <= limits, gaps, gaps + 1e3))
    for person, face in zip(people, found, strict=True):
        if not gaps[person, face] <= wanted[person].threshold:
            raise _nobody(float(gaps[person, face]), wanted[person].threshold)
    chosen = [int(face) for face in found]
    _tell_apart(chosen, np.where(gaps <= limits, gaps, np.inf).astype(np.float32))
    return chosen


def _tell_apart(chosen: Sequence[int], gaps: Floats) -> None:
    """Refuse a choice that a little noise would turn: a free face as near, or two people's faces as well exchanged."""
    for person, face in enumerate(chosen):
        rivals = [i for i in range(gaps.shape[1]) if i not in chosen and gaps[person, i] - gaps[person, face] < CLEARLY]
        for other in range(person):
            there = chosen[other]
            exchanged = gaps[person, there] + gaps[other, face]
            if exchanged - gaps[person, face] - gaps[other, there] < CLEARLY:
                rivals.append(there)
        if rivals:
            raise FaceRefused(
                "faces_alike",
                f"Faces {face} and {rivals[0]} are too much alike to tell which one is meant.",
                "Choose the face by position or by size.",
            )


def _nobody(gap: float, threshold: float) -> FaceRefused:
    return FaceRefused(
        "face_not_found",
        f"Nobody in the picture is like the reference: the nearest is {gap:.2f} away, at most {threshold:.2f} will do.",
        "Use a clearer reference, or choose the face by position.",
    )


def _rows(embeddings: Floats | None, faces: Sequence[Face]) -> Floats:
    if embeddings is None or len(embeddings) != len(faces):
        raise ValueError("choosing by likeness needs one embedding a face")
    return embeddings


def _middle(face: Face) -> Floats:
    return np.asarray((face.box[:2] + face.box[2:]) / 2, np.float32)
