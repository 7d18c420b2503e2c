"""Small swapper graphs, and an embedder that gives what a test wants."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.faces import Face, Floats, Pixels
from pipeline.swappers import SwapFamily
from tests.pipeline.small_graphs import Drawing, Shelf


class FixedEmbedder:
    """Gives its rows, one after the other."""

    name = "fixed"
    digests = ("e" * 64,)

    def __init__(self, *rows: Floats) -> None:
        self._rows = list(rows)

    def embed(self, pixels: Pixels, faces: Sequence[Face]) -> Floats:
        return self.embed_raw(pixels, faces)

    def embed_raw(self, pixels: Pixels, faces: Sequence[Face]) -> Floats:
        return np.stack([self._rows.pop(0) for _ in faces])


def embedding(**values: float) -> Floats:
    """A raw embedding with the given numbers: `embedding(at0=3, at511=4)`."""
    row = np.zeros(512, np.float32)
    for place, value in values.items():
        row[int(place.removeprefix("at"))] = value
    return row


def draw_swapper(
    shelf: Shelf, family: SwapFamily, *, rows: int | str = 1, emap: np.ndarray | None = None, gain: float = 1.0
) -> None:
    """The target comes out as it was, brightened by the source's first three numbers (red, green, blue, 0..1).

    A graph of a family whose output is not denormalised undoes the normalisation itself, as the real ones do.
    """
    drawing = Drawing()
    picture = family.source == "picture"
    source = (rows, 3, family.source_side, family.source_side) if picture else (rows, 512)
    mean, spread = (np.reshape(values, (3, 1, 1)) for values in (family.mean, family.spread))
    plain = drawing.add("Add", drawing.add("Mul", "target", drawing.constant(spread)), drawing.constant(mean))
    if picture:
        light = drawing.add("GlobalAveragePool", "source")
    else:
        first = drawing.add("Slice", "source", drawing.ints(0), drawing.ints(3), drawing.ints(1))
        light = drawing.add("Reshape", first, drawing.ints(-1, 3, 1, 1))
    drawing.constant(np.ones((512, 511)), "decoy")
    if emap is not None:
        drawing.constant(emap, "buff2fs")
        drawing.constant(np.ones((4, 512)), "last")
    lit = drawing.add("Mul", drawing.add("Add", plain, light), drawing.constant(gain))
    if family.denormalise:
        lit = drawing.add("Div", drawing.add("Sub", lit, drawing.constant(mean)), drawing.constant(spread))
    drawing.add("Identity", lit, name="output")
    drawing.save(shelf.file(family.name), {"target": (rows, 3, family.side, family.side), "source": source}, ["output"])


def draw_converter(shelf: Shelf, name: str, factor: float) -> None:
    """An embedding's numbers, moved by one place and multiplied."""
    drawing = Drawing()
    table = np.roll(np.eye(512), 1, axis=1) * factor
    drawing.add("MatMul", "input", drawing.constant(table), name="output")
    drawing.save(shelf.file(name), {"input": (1, 512)}, ["output"])
