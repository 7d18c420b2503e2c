"""Rebuilds dlib's face recognition network (ResNet-29, 128 numbers a face) as ONNX, for any batch size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from pipeline.faces import Floats
from pipeline.models.dlib_format import DlibFormatError, Layer, Network, read_network

OPSET = 13
IR_VERSION = 8

# One residual block, as dlib's dnn_face_recognition example defines it: two convolutions, the second
# without a relu, added to the block's input, which a down block first halves by average pooling.
_SAME = ("con_4", "affine_", "relu_", "con_4", "affine_", "add_prev_", "relu_")
_DOWN = ("con_4", "affine_", "relu_", "con_4", "affine_", "avg_pool_2", "add_prev_", "relu_")
_SQUARE = (("rows", "columns"), ("stride_y", "stride_x"), ("padding_y", "padding_x"))


def convert_dlib_resnet(source: bytes) -> bytes:
    """Return the serialised ONNX model.

    Input `chips` float32 (N, 3, 150, 150), RGB, (value - mean) / 256; output `descriptors` float32 (N, 128).
    The affine layers are folded into the convolutions before them.

    Raises:
        DlibFormatError: the bytes are not the network this builder knows.

    """
    network = read_network(source)
    builder = _Builder(network.side)
    layers = list(network.layers)
    _stem(builder, _take(layers, ("con_4", "affine_", "relu_", "max_pool_2")))
    while len(layers) > 2:
        down = len(layers) > 5 and layers[5].kind == "avg_pool_2"
        _residual(builder, _take(layers, _DOWN if down else _SAME))
    _head(builder, _take(layers, ("avg_pool_2", "fc_2")))
    return builder.serialise(network)


def _take(layers: list[Layer], kinds: Sequence[str]) -> list[Layer]:
    taken = layers[: len(kinds)]
    if tuple(layer.kind for layer in taken) != tuple(kinds):
        raise DlibFormatError(f"expected the layers {kinds}, found {[layer.kind for layer in taken]}")
    del layers[: len(kinds)]
    return taken


class _Builder:
    """Collects nodes and weights, and keeps track of the present tensor's name, channels and side."""

    def __init__(self, side: int) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.name, self.channels, self.side = "chips", 3, side

    def add(self, kind: str, inputs: Sequence[str], output: str = "", **attributes: Any) -> str:
        output = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def constant(self, values: Any) -> str:
        name = f"constant_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def grow(self, name: str, channels: int, rows: int) -> str:
        """Pad with zeros behind the last channel, and below and right of the last row and column."""
        if not channels and not rows:
            return name
        pads = self.constant(np.array([0, 0, 0, 0, 0, channels, rows, rows], np.int64))
        return self.add("Pad", [name, pads], mode="constant")

    def serialise(self, network: Network) -> bytes:
        def value(name: str, shape: list[str | int]) -> Any:
            return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)

        graph = helper.make_graph(
            self.nodes,
            "dlib_face_recognition_resnet_v1",
            [value("chips", ["N", 3, network.side, network.side])],
            [value("descriptors", ["N", self.channels])],
            initializer=self.weights,
        )
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, producer_name="assent", opset_imports=opsets, ir_version=IR_VERSION)
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString(deterministic=True))


def _stem(builder: _Builder, layers: list[Layer]) -> None:
    convolution, affine, _, pool = layers
    builder.name, builder.channels, builder.side = _convolve(builder, convolution, affine)
    builder.name = builder.add("Relu", [builder.name])
    builder.name, builder.side = _pool(builder, "MaxPool", pool)


def _residual(builder: _Builder, layers: list[Layer]) -> None:
    """Add two convolutions beside a shortcut. Where their extents differ, dlib pads with zeros."""
    shortcut, channels, side = builder.name, builder.channels, builder.side
    if len(layers) == len(_DOWN):
        shortcut, side = _pool(builder, "AveragePool", layers[5])
    builder.name, builder.channels, builder.side = _convolve(builder, layers[0], layers[1])
    builder.name = builder.add("Relu", [builder.name])
    builder.name, builder.channels, builder.side = _convolve(builder, layers[3], layers[4])
    most = max(builder.channels, channels), max(builder.side, side)
    branch = builder.grow(builder.name, most[0] - builder.channels, most[1] - builder.side)
    shortcut = builder.grow(shortcut, most[0] - channels, most[1] - side)
    builder.name = builder.add("Relu", [builder.add("Add", [branch, shortcut])])
    builder.channels, builder.side = most


def _head(builder: _Builder, layers: list[Layer]) -> None:
    pool, dense = layers
    if any(pool.numbers[key] for key in ("rows", "columns")) or dense.numbers["inputs"] != builder.channels:
        raise DlibFormatError("the head is not a global average and a matrix")
    mean = builder.add("Flatten", [builder.add("GlobalAveragePool", [builder.name])], axis=1)
    matrix = dense.weights.reshape(dense.numbers["inputs"], dense.numbers["outputs"])
    builder.name = builder.add("MatMul", [mean, builder.constant(matrix)], "descriptors")
    builder.channels = dense.numbers["outputs"]


def _convolve(builder: _Builder, layer: Layer, affine: Layer) -> tuple[str, int, int]:
    """Add a convolution with the affine layer behind it folded in. Returns name, channels, side."""
    numbers = layer.numbers
    filters, rows, columns = numbers["filters"], numbers["rows"], numbers["columns"]
    size = filters * builder.channels * rows * columns
    if layer.weights.size != size + filters or affine.weights.size != 2 * filters:
        raise DlibFormatError("a convolution does not fit the tensor before it")
    kernel, bias = _folded(layer.weights[:size], layer.weights[size:], affine.weights)
    strides, pads = _strides_and_pads(layer)
    name = builder.add(
        "Conv",
        [
            builder.name,
            builder.constant(kernel.reshape(filters, builder.channels, rows, columns)),
            builder.constant(bias),
        ],
        kernel_shape=[rows, columns],
        strides=strides,
        pads=pads,
    )
    return name, filters, _side_after(layer, builder.side)


def _folded(kernel: Floats, bias: Floats, affine: Floats) -> tuple[Floats, Floats]:
    """Gamma * (kernel x + bias) + beta as one kernel and one bias, rounded once."""
    gamma, beta = affine.astype(np.float64).reshape(2, -1)
    scaled = kernel.astype(np.float64).reshape(gamma.size, -1) * gamma[:, None]
    return scaled.astype(np.float32), (bias * gamma + beta).astype(np.float32)


def _pool(builder: _Builder, kind: str, layer: Layer) -> tuple[str, int]:
    strides, pads = _strides_and_pads(layer)
    shape = [layer.numbers["rows"], layer.numbers["columns"]]
    name = builder.add(kind, [builder.name], kernel_shape=shape, strides=strides, pads=pads)
    return name, _side_after(layer, builder.side)


def _strides_and_pads(layer: Layer) -> tuple[list[int], list[int]]:
    numbers = layer.numbers
    if any(numbers[a] != numbers[b] for a, b in _SQUARE):
        raise DlibFormatError("a window that is not square")
    return [numbers["stride_y"], numbers["stride_x"]], [numbers["padding_y"], numbers["padding_x"]] * 2


def _side_after(layer: Layer, side: int) -> int:
    numbers = layer.numbers
    reach = side + 2 * numbers["padding_y"] - numbers["rows"]
    if reach < 0 or numbers["stride_y"] < 1:
        raise DlibFormatError("a window larger than its tensor")
    return reach // numbers["stride_y"] + 1
