"""Recognises pictures that were seen before, also as scaled, recompressed, mirrored or slightly cropped copies.

PDQ is a perceptual hash of 256 bits. A recompressed copy lies within 12 bits, one of half the size within 60, and a
crop by a tenth at 90, which is as far as a stranger; so central crops are hashed as well, of what is listed and of what
is looked up.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import cv2
import numpy as np
import pdqhash
from numpy.typing import NDArray

from pipeline.faces import Pixels

BITS: Final = 256
HASH_BYTES: Final = BITS // 8
# PDQ's own recommendation (threatexchange, hashing/hashing.pdf): below it a hash says too little to be listed.
MIN_QUALITY: Final = 50
CROPS: Final = (1.0, 0.9, 0.8)

_SIDE: Final = 512
# Of the eight that PDQ derives in one pass: the picture as it is, and mirrored left to right.
_AS_IS, _MIRRORED = 0, 5
_BLOCK: Final = 131_072

Hashes = NDArray[np.uint8]


class PictureTooPlain(ValueError):
    """A picture with so little structure that its hash would match what it should not."""


@dataclass(frozen=True, slots=True)
class NearestPicture:
    """The nearest listed picture: `distance` in bits, 256 where nothing is listed, and its entry."""

    distance: int
    entry: str | None
    size: int


class PictureDirectory(Protocol):
    """Knows which pictures are listed. It raises where it cannot tell."""

    def nearest(self, hashes: Hashes, tenant: str | None) -> NearestPicture:
        """Return the listed picture nearest to any of uint8 (n, 32), among those in force for the tenant."""


def hashes_to_look_up(pixels: Pixels) -> Hashes:
    """Return the hashes of a picture and its central crops, uint8 (3, 32)."""
    return np.stack([_packed(pdqhash.compute(_reduced(pixels, crop))[0]) for crop in CROPS])


def hashes_to_list(pixels: Pixels) -> Hashes:
    """Return what is listed of a picture, uint8 (6, 32): whole and cropped, plain and mirrored.

    Raises `PictureTooPlain`.
    """
    rows: list[Hashes] = []
    for crop in CROPS:
        hashes, quality = pdqhash.compute_dihedral(_reduced(pixels, crop))
        if quality < MIN_QUALITY and crop == 1:
            raise PictureTooPlain("the picture has too little structure to be recognised again")
        rows += [_packed(hashes[index]) for index in (_AS_IS, _MIRRORED)]
    return np.stack(rows)


class PictureIndex:
    """An unchanging set of hashes, looked through from end to end: a million take some 35 ms."""

    def __init__(self, entries: Sequence[str], hashes: Hashes, lists: NDArray[np.int32] | None = None) -> None:
        """Take uint8 (n, 32) rows with their entries' ids and, by number, the list that each is on."""
        rows = np.ascontiguousarray(hashes, np.uint8)
        if rows.ndim != 2 or rows.shape != (len(entries), HASH_BYTES):
            raise ValueError("an index takes one hash of 256 bits for each entry")
        self._entries = entries
        self._words = rows.view(np.uint64)
        self._lists = np.zeros(len(rows), np.int32) if lists is None else np.asarray(lists, np.int32)

    def __len__(self) -> int:
        return len(self._entries)

    def nearest(self, hashes: Hashes, lists: Collection[int] | None = None) -> NearestPicture:
        """Return the entry nearest to any of the hashes, uint8 (n, 32), among these lists."""
        queries = np.ascontiguousarray(hashes, np.uint8)
        if queries.ndim != 2 or queries.shape[1] != HASH_BYTES or not len(queries):
            raise ValueError("not hashes of 256 bits")
        allowed = None if lists is None else np.isin(self._lists, list(lists))
        size = len(self) if allowed is None else int(allowed.sum())
        best, entry = BITS, None
        for start in range(0, len(self), _BLOCK):
            block = self._words[start : start + _BLOCK]
            for query in queries.view(np.uint64):
                distances = np.bitwise_count(block ^ query).sum(axis=1, dtype=np.int32)
                if allowed is not None:
                    distances[~allowed[start : start + _BLOCK]] = BITS
                index = int(distances.argmin())
                if distances[index] < best:
                    best, entry = int(distances[index]), self._entries[start + index]
        return NearestPicture(best, entry, size)


def _reduced(pixels: Pixels, crop: float) -> Pixels:
    """Return the central part of the picture, RGB, at most 512 px on a side."""
    height, width = pixels.shape[:2]
    top, left = round(height * (1 - crop) / 2), round(width * (1 - crop) / 2)
    part = pixels[top : height - top, left : width - left]
    size = (min(_SIDE, part.shape[1]), min(_SIDE, part.shape[0]))
    resized = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
    return np.ascontiguousarray(resized[..., ::-1])


def _packed(bits: NDArray[np.int64]) -> Hashes:
    return np.packbits(np.asarray(bits, np.uint8))
