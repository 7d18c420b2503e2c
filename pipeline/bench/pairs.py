"""The list of pairs that a benchmark swaps, and the pictures that it names."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pipeline.decode import decode_picture
from pipeline.engine import FaceEngine
from pipeline.errors import FaceRefused, PictureRefused
from pipeline.faces import Face, Floats, Pixels

KEPT = 64  # pictures in memory: pairs mostly repeat the same few


@dataclass(frozen=True, slots=True)
class Pair:
    """Whose face goes onto which picture, as the list names them; relative paths count from the list's folder."""

    source: Path
    target: Path


@dataclass(frozen=True, eq=False)
class Portrait:
    """A picture with its largest face: pixels BGR uint8, embedding float32 (d,)."""

    pixels: Pixels
    face: Face
    embedding: Floats


def read_pairs(listing: Path) -> list[Pair]:
    """Read a CSV file with the columns `source` and `target`; others are ignored.

    Raises `ValueError`, naming the line, where a column is missing or empty or there is no pair at all.
    """
    with listing.open(newline="", encoding="utf-8-sig") as lines:
        rows = csv.DictReader(lines)
        missing = {"source", "target"} - set(rows.fieldnames or ())
        if missing:
            raise ValueError(f"{listing}: there is no column {' and no column '.join(sorted(missing))}")
        pairs = [_pair(listing, number, row) for number, row in enumerate(rows, start=2)]
    if not pairs:
        raise ValueError(f"{listing}: there are no pairs")
    return pairs


def _pair(listing: Path, number: int, row: dict[str, str | None]) -> Pair:
    source, target = ((row[name] or "").strip() for name in ("source", "target"))
    if not (source and target):
        raise ValueError(f"{listing}, line {number}: a pair needs a source and a target")
    return Pair(listing.parent / source, listing.parent / target)


class Album:
    """Opens pictures, finds their largest face and remembers both."""

    def __init__(self, engine: FaceEngine) -> None:
        self.engine = engine
        self.open = lru_cache(maxsize=KEPT)(self._open)

    def _open(self, path: Path) -> Portrait:
        """The picture's portrait; raises `PictureRefused` and `FaceRefused`, as serving a job would."""
        try:
            pixels = decode_picture(path.read_bytes()).pixels
        except OSError as error:
            raise PictureRefused("not_readable", f"{path}: {error.strerror}.") from error
        return self.portrait(pixels)

    def portrait(self, pixels: Pixels) -> Portrait:
        """The portrait of the largest face; raises `FaceRefused('no_face')` where there is none."""
        faces = self.engine.look(pixels)
        if not faces:
            raise FaceRefused("no_face", "There is no face in the picture.", "Use a clear, unobstructed face.")
        return Portrait(pixels, faces[0], self.engine.embed(pixels, faces[:1])[0])
