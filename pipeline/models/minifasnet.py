"""Rebuilds MiniFASNet (passive liveness, 80 px) from its published PyTorch weights as ONNX, for any batch size.

Minivision's Silent-Face-Anti-Spoofing, src/model_lib/MiniFASNet.py. Channels are read off the weights' own shapes.
A block is a convolution without bias, a batch norm and, unless it is linear, a PReLU. A unit is a 1x1 block, a 3x3
depthwise block and a linear 1x1 block; in the SE variant the last unit of a residual group passes through
squeeze-and-excitation before the shortcut is added. Batch norms are folded into the layer before them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from pipeline.models.torch_legacy import LegacyFormatError, Weights, read_legacy_weights

SIDE: Final = 80
CLASSES: Final = 3
OPSET: Final = 13
IR_VERSION: Final = 8
_EPSILON: Final = 1e-5  # of every batch norm, PyTorch's default
_LAST: Final = SIDE // 16  # what is left of a side after four halvings
_STAGES: Final = (("conv_23", "conv_3"), ("conv_34", "conv_4"), ("conv_45", "conv_5"))

_Doubles = NDArray[np.float64]


def convert_minifasnet(source: bytes) -> bytes:
    """Return the serialised ONNX model, the same bytes for the same file.

    Input `faces` float32 (N, 3, 80, 80), BGR, 0..255; output `probabilities` float32 (N, 3): a flat spoof, a live
    face, a solid or screen spoof.

    Raises:
        LegacyFormatError: the bytes are not the weights of this network.

    """
    weights = {name.removeprefix("module."): values for name, values in read_legacy_weights(source).items()}
    try:
        return _build(weights)
    except KeyError as error:
        raise LegacyFormatError(f"the weight {error} is missing") from error
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise LegacyFormatError(f"the weights do not fit together: {error}") from error


def _build(weights: Weights) -> bytes:
    builder = _Builder(weights)
    at = builder.block("faces", "conv1", stride=2)
    at = builder.block(at, "conv2_dw")
    for down, group in _STAGES:
        at = builder.unit(at, down, stride=2)
        number = 0
        while f"{group}.model.{number}.conv.conv.weight" in weights:
            at = builder.shortcut(at, builder.unit(at, f"{group}.model.{number}"))
            number += 1
    at = builder.block(at, "conv_6_sep")
    if weights["conv_6_dw.conv.weight"].shape[2:] != (_LAST, _LAST):
        raise LegacyFormatError(f"these weights are not for pictures of {SIDE} px")
    at = builder.block(at, "conv_6_dw", padding=0)
    at = builder.head(at)
    builder.refuse_what_is_left()
    return builder.serialise()


class _Builder:
    """Collects nodes and initialisers, and keeps account of the weights that have been used."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._left = set(weights)
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._channels = {"faces": 3}  # of each tensor, by name

    def add(self, kind: str, inputs: Sequence[str], output: str = "", **attributes: Any) -> str:
        output = output or f"{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        self._channels[output] = self._channels[inputs[0]]
        return output

    def constant(self, values: NDArray[Any]) -> str:
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name))
        return name

    def take(self, name: str, rank: int) -> _Doubles:
        values = self._weights[name]
        self._left.discard(name)
        if values.ndim != rank:
            raise LegacyFormatError(f"{name} has {values.ndim} axes, not {rank}")
        return values.astype(np.float64)

    def norm(self, name: str, channels: int) -> tuple[_Doubles, _Doubles]:
        """A batch norm as a factor and a summand for each channel."""
        parts = [self.take(f"{name}.{part}", 1) for part in ("weight", "bias", "running_mean", "running_var")]
        self._left.discard(f"{name}.num_batches_tracked")
        if any(part.shape != (channels,) for part in parts) or (parts[3] < 0).any():
            raise LegacyFormatError(f"{name} does not fit the layer before it")
        gamma, beta, mean, variance = parts
        factor = gamma / np.sqrt(variance + _EPSILON)
        return factor, beta - mean * factor

    def convolution(self, at: str, name: str, norm: str, *, stride: int = 1, padding: int | None = None) -> str:
        """A convolution with its batch norm; depthwise where a larger kernel has one input channel."""
        kernel = self.take(f"{name}.weight", 4)
        filters, depth, side, width = kernel.shape
        depthwise = depth == 1 and side > 1
        if side != width or (filters if depthwise else depth) != self._channels[at]:
            raise LegacyFormatError(f"{name} does not fit the layer before it")
        factor, summand = self.norm(norm, filters)
        if f"{name}.bias" in self._weights:
            bias = self.take(f"{name}.bias", 1)
            if bias.shape != (filters,):
                raise LegacyFormatError(f"{name}.bias does not fit its kernel")
            summand = summand + bias * factor
        border = side // 2 if padding is None else padding
        output = self.add(
            "Conv",
            [at, self.constant(kernel * factor[:, None, None, None]), self.constant(summand)],
            kernel_shape=[side, side],
            strides=[stride] * 2,
            pads=[border] * 4,
            group=filters if depthwise else 1,
        )
        self._channels[output] = filters
        return output

    def block(self, at: str, name: str, *, stride: int = 1, padding: int | None = None) -> str:
        at = self.convolution(at, f"{name}.conv", f"{name}.bn", stride=stride, padding=padding)
        slope = f"{name}.prelu.weight"
        if slope not in self._weights:
            return at
        slopes = self.take(slope, 1)
        if len(slopes) != self._channels[at]:
            raise LegacyFormatError(f"{slope} does not fit the layer before it")
        return self.add("PRelu", [at, self.constant(slopes[:, None, None])])

    def unit(self, at: str, name: str, *, stride: int = 1) -> str:
        at = self.block(at, f"{name}.conv")
        at = self.block(at, f"{name}.conv_dw", stride=stride)
        at = self.block(at, f"{name}.project")
        squeeze = f"{name}.se_module"
        if f"{squeeze}.fc1.weight" not in self._weights:
            return at
        gate = self.add("GlobalAveragePool", [at])
        gate = self.add("Relu", [self.convolution(gate, f"{squeeze}.fc1", f"{squeeze}.bn1")])
        gate = self.add("Sigmoid", [self.convolution(gate, f"{squeeze}.fc2", f"{squeeze}.bn2")])
        return self.add("Mul", [at, gate])

    def shortcut(self, at: str, branch: str) -> str:
        if self._channels[at] != self._channels[branch]:
            raise LegacyFormatError("a residual unit changes the number of channels")
        return self.add("Add", [at, branch])

    def head(self, at: str) -> str:
        """Two matrices with a batch norm between them, then the probabilities."""
        inner, outer = self.take("linear.weight", 2), self.take("prob.weight", 2)
        factor, summand = self.norm("bn", len(inner))
        if inner.shape[1] != self._channels[at] or outer.shape != (CLASSES, len(inner)):
            raise LegacyFormatError("the last two matrices do not fit")
        at = self.add("Flatten", [at], axis=1)
        at = self.add("Gemm", [at, self.constant(inner * factor[:, None]), self.constant(summand)], transB=1)
        at = self.add("Gemm", [at, self.constant(outer)], transB=1)
        return self.add("Softmax", [at], "probabilities", axis=1)

    def refuse_what_is_left(self) -> None:
        if self._left:
            raise LegacyFormatError(f"weights of another network: {', '.join(sorted(self._left)[:3])}")

    def serialise(self) -> bytes:
        def value(name: str, shape: list[str | int]) -> Any:
            return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)

        graph = helper.make_graph(
            self._nodes,
            "minifasnet",
            [value("faces", ["N", 3, SIDE, SIDE])],
            [value("probabilities", ["N", CLASSES])],
            initializer=self._constants,
        )
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, producer_name="assent", opset_imports=opsets, ir_version=IR_VERSION)
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString(deterministic=True))
