"""Evidence: everything that the gates are given about one picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.faces import Face, Floats, Pixels


@dataclass(frozen=True)
class Evidence:
    """One picture and what is already known about it.

    `subject` is `source:0`, `target` or `output`. `faces` are all faces in it, the largest first; None where looking
    for them failed, which is not the same as an empty tuple. `chosen` is the index of the face in question (the one
    to be replaced, or the replaced one in an output), where that is known. `embeddings` is float32 (len(faces), 128),
    None where embedding failed. `template` is the consented person's embedding, float32 (128,); `original` is that of
    the face which an output replaced. `tenant` is for whom the picture is looked at, which decides the lists in force;
    `data` are the bytes as they were submitted, where there are any.
    """

    subject: str
    pixels: Pixels
    faces: tuple[Face, ...] | None
    chosen: int | None = None
    embeddings: Floats | None = None
    template: Floats | None = None
    original: Floats | None = None
    tenant: str | None = None
    data: bytes | None = None

    @property
    def kind(self) -> str:
        """The kind of picture: `source`, `target`, `output`."""
        return self.subject.partition(":")[0]

    @property
    def face(self) -> Face | None:
        """The face in question, or None where there is none or it is unclear which one is meant."""
        index = self.index
        return None if index is None or self.faces is None else self.faces[index]

    @property
    def index(self) -> int | None:
        """The index of the face in question: the chosen one, else the only one."""
        if not self.faces:
            return None
        if self.chosen is not None:
            return self.chosen if 0 <= self.chosen < len(self.faces) else None
        return 0 if len(self.faces) == 1 else None


def distance(a: Floats, b: Floats) -> float:
    """Return the Euclidean distance of two embeddings; NaN where either is not finite or the shapes differ."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return float(np.linalg.norm(a - b)) if a.shape == b.shape else float("nan")
