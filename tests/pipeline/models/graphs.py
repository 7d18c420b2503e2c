"""Small ONNX files for the store's tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Shape = Sequence[int | str]


def converter(path: Path, *, width: int = 512, factor: float = 2.0, inputs: Mapping[str, Shape] | None = None) -> Path:
    """Write a model that multiplies (1, width) by a factor: the shape of an identity converter."""
    shapes = inputs or {"input": [1, width]}
    first = next(iter(shapes))
    constant = numpy_helper.from_array(np.array([factor], np.float32), "factor")
    graph = helper.make_graph(
        [helper.make_node("Mul", [first, "factor"], ["output"])],
        "converter",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)) for name, shape in shapes.items()],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, list(shapes[first]))],
        initializer=[constant],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def with_outside_weights(path: Path, location: str) -> Path:
    """Write a model whose weights lie in another file, inside the branch of a condition."""
    tensor = numpy_helper.from_array(np.ones(512, np.float32), "inner")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    branch = helper.make_graph([helper.make_node("Identity", ["inner"], ["chosen"])], "branch", [], [], [tensor])
    branch.output.append(helper.make_tensor_value_info("chosen", TensorProto.FLOAT, [512]))
    node = helper.make_node("If", ["flag"], ["picked"], then_branch=branch, else_branch=branch)
    graph = helper.make_graph(
        [node, helper.make_node("Mul", ["input", "picked"], ["output"])],
        "outside",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 512])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 512])],
        initializer=[numpy_helper.from_array(np.array(True), "flag")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return path
