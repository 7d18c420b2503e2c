"""Feature maps for small detector graphs."""

from __future__ import annotations

from tests.pipeline.small_graphs import Drawing

NOTHING = (0.0, 0.0, 0.0)


Column = tuple[tuple[float, ...], float]


def colour_map(drawing: Drawing, stride: int, name: str, columns: list[Column], width: int) -> str:
    """Rows of `width` numbers, cell by cell: each column a weight of the three channels and a constant."""
    plane = drawing.look("input", [weights for weights, _ in columns], [bias for _, bias in columns], pool=stride)
    return drawing.rows(plane, width, name)


def fixed_map(drawing: Drawing, stride: int, name: str, values: list[float], width: int) -> str:
    return colour_map(drawing, stride, name, [(NOTHING, value) for value in values], width)
