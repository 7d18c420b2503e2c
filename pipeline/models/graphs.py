"""Checks a model file that an operator supplies before Assent takes it in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import onnx

from pipeline.errors import ModelUnavailable
from pipeline.models.catalogue import ModelEntry, Shape

_MOST_TENSORS = 8


def check_graph(path: Path, entry: ModelEntry) -> None:
    """Check that the file is one self-contained ONNX model with the tensors that the catalogue declares.

    Raises:
        ModelUnavailable: `model_broken`, it is no ONNX model, or it keeps weights in other files; `model_differs`,
            its tensors are not those of this model.

    """
    graph = _load(path, entry.name).graph
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in _tensors(graph)):
        raise ModelUnavailable(
            "model_broken",
            f"The file for {entry.name} keeps weights in other files beside it, which could be changed unnoticed.",
            "Save the model with all weights in one file: onnx.save(onnx.load(FILE), NEW_FILE).",
        )
    constants = {tensor.name for tensor in graph.initializer}
    inputs = _shapes(value for value in graph.input if value.name not in constants)
    outputs = _shapes(graph.output)
    _require(entry, "inputs", entry.inputs, inputs, exact=True)
    _require(entry, "outputs", entry.outputs, outputs, exact=False)


def _load(path: Path, name: str) -> Any:
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf's own DecodeError among them, whose module has no types
        raise _no_model(name, str(error)) from error
    if not model.graph.node or not model.opset_import:
        raise _no_model(name, "it holds no graph")
    return model


def _no_model(name: str, why: str) -> ModelUnavailable:
    return ModelUnavailable(
        "model_broken", f"The file for {name} is no ONNX model: {why}.", "Supply the model as a .onnx file."
    )


def _tensors(graph: Any) -> Iterator[Any]:
    """Every stored tensor, also inside the branches of control flow."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield attribute.t
            yield from attribute.tensors
            for inner in (attribute.g, *attribute.graphs):
                if inner.node or inner.initializer:
                    yield from _tensors(inner)


def _shapes(values: Any) -> dict[str, Shape]:
    return {
        value.name: tuple(
            dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else dim.dim_param or "?"
            for dim in value.type.tensor_type.shape.dim
        )
        for value in values
    }


def _require(
    entry: ModelEntry, what: str, wanted: Mapping[str, Shape], found: Mapping[str, Shape], *, exact: bool
) -> None:
    count_fits = len(found) == len(wanted) if exact else len(found) >= len(wanted)
    if len(found) <= _MOST_TENSORS and count_fits and fits(list(wanted.values()), list(found.values())):
        return
    if not wanted and not exact:
        return
    raise ModelUnavailable(
        "model_differs",
        f"The file has other {what} than {entry.name}: expected {_described(wanted)}, found {_described(found)}.",
        "Check that it is this model; a variant of it needs an entry of its own in your catalogue file.",
    )


def fits(wanted: Sequence[Shape], found: Sequence[Shape]) -> bool:
    """Whether each wanted shape can be given to a found one of its own; a dimension that varies fits any."""
    return any(
        all(_agree(shape, candidate) for shape, candidate in zip(wanted, order, strict=True))
        for order in permutations(found, len(wanted))
    )


def _agree(a: Shape, b: Shape) -> bool:
    same_rank = len(a) == len(b)
    return same_rank and all(x == y or isinstance(x, str) or isinstance(y, str) for x, y in zip(a, b, strict=True))


def _described(shapes: Mapping[str, Shape]) -> str:
    shown = [f"{name} {'x'.join(map(str, shape)) or 'scalar'}" for name, shape in shapes.items()]
    return ", ".join(shown[:_MOST_TENSORS]) or "none"
