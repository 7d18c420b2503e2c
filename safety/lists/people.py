"""Looks a face up among many: the nearest of up to a million embeddings, exactly, in milliseconds.

The embeddings are rotated so that most of their spread lies in the first few dimensions. The distance over those alone
is never larger than the whole distance, so a first scan over them may discard without losing anybody; what is left is
compared in full. Kept in memory: 32 float32 and 128 float16 numbers a person, 384 MB for a million.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.faces import Floats

REACH: Final = 0.5
"""Beyond this distance nobody is alike, and how far the nearest is does not matter."""

_COARSE: Final = 32
_BLOCK: Final = 65_536
_SAMPLE: Final = 50_000
# Single precision in the coarse scan and half precision in the store may be off by this much.
_SLACK: Final = 2e-3

# dlib distances between different grown people: 5151 pairs of 102 synthetic faces, of which 20 in 5151 are in truth one
# person generated twice. Variants of one photo (JPEG 25, blur, half size, darker, mirrored) stay within .27.
_STRANGERS: Final = NormalDist(0.845, 0.1155)
NEAREST_LIMIT: Final = 0.28
WIDEST_LIMIT: Final = 0.45
_FALSE_MATCHES: Final = 0.02


def match_limit(size: int) -> float:
    """Return the distance below which a face may be one of `size` people.

    Chosen so that a stranger's face is below it about once in 50; never wider than for comparing two photos, and never
    so narrow that another copy of a listed photo would be missed.
    """
    if size < 1:
        return WIDEST_LIMIT
    limit = _STRANGERS.inv_cdf(_FALSE_MATCHES / size)
    return float(min(max(limit, NEAREST_LIMIT), WIDEST_LIMIT))


@dataclass(frozen=True, slots=True)
class Nearest:
    """The nearest person to a face: `distance`, at most `REACH`; `entry` is whose it is, None beyond that."""

    distance: float
    entry: str | None
    size: int


class PeopleDirectory(Protocol):
    """Knows who is protected. It raises where it cannot tell, for instance because a list cannot be opened."""

    def nearest(self, embeddings: Floats, tenant: str | None) -> Sequence[Nearest]:
        """Return the nearest protected person to each row of float32 (n, 128), among those in force for the tenant."""


class PeopleIndex:
    """An unchanging set of embeddings; a changed list makes a new one. Safe to share between threads."""

    def __init__(self, entries: Sequence[str], embeddings: Floats, lists: NDArray[np.int32] | None = None) -> None:
        """Take float32 (n, d) rows with their entries' ids and, by number, the list that each is on."""
        rows = np.asarray(embeddings, np.float32)
        if rows.ndim != 2 or len(rows) != len(entries) or not np.isfinite(rows).all():
            raise ValueError("an index takes one finite embedding for each entry")
        self._entries = entries
        self._lists = np.zeros(len(rows), np.int32) if lists is None else np.asarray(lists, np.int32)
        if len(self._lists) != len(rows):
            raise ValueError("every entry is on a list")
        self._counts = dict(zip(*(part.tolist() for part in np.unique(self._lists, return_counts=True)), strict=True))
        self._rotation = _rotation(rows)
        # The last column holds half the square of the others, so that one product gives the whole distance.
        self._width = min(_COARSE - 1, rows.shape[1])
        self._coarse = np.empty((len(rows), self._width + 1), np.float32)
        self._exact = np.empty(rows.shape, np.float16)
        for start in range(0, len(rows), _BLOCK):
            turned = rows[start : start + _BLOCK] @ self._rotation
            short = turned[:, : self._width]
            self._coarse[start : start + _BLOCK, :-1] = short
            self._coarse[start : start + _BLOCK, -1] = np.einsum("ij,ij->i", short, short) / 2
            self._exact[start : start + _BLOCK] = turned

    def __len__(self) -> int:
        return len(self._entries)

    def nearest(self, embeddings: Floats, lists: Collection[int] | None = None) -> list[Nearest]:
        """Return the nearest entry to each row of float32 (n, d), among these lists; raises ValueError on nonsense."""
        queries = np.asarray(embeddings, np.float32)
        if queries.ndim != 2 or queries.shape[1] != self._rotation.shape[0] or not np.isfinite(queries).all():
            raise ValueError("not embeddings of this index's size")
        size = len(self) if lists is None else sum(self._counts.get(number, 0) for number in lists)
        turned = queries @ self._rotation
        return [self._one(row, size, lists) for row in turned] if size else [Nearest(REACH, None, 0)] * len(queries)

    def _one(self, query: Floats, size: int, lists: Collection[int] | None) -> Nearest:
        best, entry = REACH, None
        short = np.append(query[: self._width], np.float32(-1))
        square = float(short[:-1] @ short[:-1])
        for start in range(0, len(self), _BLOCK):
            # Not the matrix product of BLAS, whose threads get in the way of those that run models.
            likeness = np.einsum("ij,j->i", self._coarse[start : start + _BLOCK], short)
            near = np.flatnonzero(likeness >= (square - (best + _SLACK) ** 2) / 2) + start
            if lists is not None and len(near):
                near = near[np.isin(self._lists[near], list(lists))]
            if len(near):
                distances = np.linalg.norm(self._exact[near].astype(np.float32) - query, axis=1)
                index = int(distances.argmin())
                if distances[index] < best:
                    best, entry = float(distances[index]), self._entries[int(near[index])]
        return Nearest(best, entry, size)


def _rotation(rows: Floats) -> Floats:
    """Return the orthogonal matrix (d, d) that turns the directions of the widest spread to the front."""
    size = rows.shape[1]
    if len(rows) < 2 * size:
        return np.eye(size, dtype=np.float32)
    sample = rows[:: max(1, len(rows) // _SAMPLE)].astype(np.float64)
    _, vectors = np.linalg.eigh(np.cov(sample.T))
    return np.ascontiguousarray(vectors[:, ::-1], np.float32)
