"""Edits a graph that was exported for one picture so that its first axis may vary."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_AXIS: Final = "assent_batch"


def inputs_of(graph: Any) -> Iterator[Any]:
    """The inputs that a caller feeds, without the constants that old exporters list among them."""
    constants = {tensor.name for tensor in graph.initializer}
    return (value for value in graph.input if value.name not in constants)


def rank(value: Any) -> int:
    """Return the number of axes of an input or output."""
    return len(_dims(value))


def is_single(value: Any) -> bool:
    """Whether an input or output has a first axis of exactly one picture."""
    return rank(value) > 1 and _dims(value)[0].dim_value == 1


def varies(value: Any) -> bool:
    """Whether an input or output has a first axis that is open already."""
    return rank(value) > 1 and _dims(value)[0].dim_value == 0


def freed(model: Any) -> Any:
    """Return a copy whose first axes are open and whose reshapes and resizes keep them so.

    Whether it still computes the same is the caller's to try.
    """
    from onnx import shape_inference  # noqa: PLC0415 - a process that edits no graph does not need it

    edited = shape_inference.infer_shapes(model)
    graph = edited.graph
    sizes = {value.name: _sizes(value) for value in (*graph.input, *graph.value_info)}
    for value in (*inputs_of(graph), *graph.output):
        if is_single(value):
            _dims(value)[0].dim_param = _AXIS
    del graph.value_info[:]  # the shapes in between, which the loader infers anew
    _Editor(graph, sizes).edit()
    return edited


def _dims(value: Any) -> Any:
    return value.type.tensor_type.shape.dim


def _sizes(value: Any) -> list[int]:
    return [dim.dim_value for dim in _dims(value)]


class _Editor:
    """Replaces constants that write down the one picture, in nodes that depend on an input."""

    def __init__(self, graph: Any, sizes: dict[str, list[int]]) -> None:
        self._graph = graph
        self._sizes = sizes
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        self._constants |= {
            node.output[0]: attribute.t
            for node in graph.node
            if node.op_type == "Constant"
            for attribute in node.attribute
            if attribute.name == "value"
        }

    def edit(self) -> None:
        moving = {value.name for value in inputs_of(self._graph)}
        for node in self._graph.node:
            if moving.isdisjoint(node.input):
                continue
            moving.update(node.output)
            if node.op_type == "Reshape":
                self._reshape(node)
            elif node.op_type == "Resize" and len(node.input) == 4:  # with sizes; with scales it has three
                self._resize(node)

    def _reshape(self, node: Any) -> None:
        target = self._constant(node.input[1])
        if target is None or target.size < 2 or target[0] != 1:
            return
        # -1: what is left over; 0: as before. Only one -1 may stand in a target.
        target[0] = 0 if -1 in target else -1
        node.input[1] = self._new(target)

    def _resize(self, node: Any) -> None:
        """Say how much larger the sides become, instead of how large."""
        target, before = self._constant(node.input[3]), self._sizes.get(node.input[0], [])
        if target is None or len(before) != target.size or 0 in before or target[0] != 1:
            return
        node.input[2] = self._new((target / np.array(before)).astype(np.float32))
        del node.input[3]

    def _constant(self, name: str) -> NDArray[Any] | None:
        from onnx import numpy_helper  # noqa: PLC0415

        return numpy_helper.to_array(self._constants[name]).copy() if name in self._constants else None

    def _new(self, values: NDArray[Any]) -> str:
        from onnx import numpy_helper  # noqa: PLC0415

        name = f"{_AXIS}_{len(self._graph.initializer)}"
        self._graph.initializer.append(numpy_helper.from_array(values, name))
        return name
