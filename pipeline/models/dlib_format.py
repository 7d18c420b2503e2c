"""A strict, bounds-checked reader of dlib's serialisation of a neural network.

Only what dlib's face recognition network consists of is known; everything else is refused. The format, as
dlib's serialize.h, tensor.h, layers.h and core.h write it:

* integer: a control byte (low four bits: how many bytes follow, high bit: negative), then those bytes, little
  endian
* real: two integers, mantissa and binary exponent
* string: its length as an integer, then its bytes
* flag: the character '0' or '1'
* tensor: version 2, four extents, then float32 values, little endian
* network: every layer writes its version, then the layer below it, then itself; so all versions stand in
  front, from the loss inward, and the layers follow from the input outward
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from pipeline.faces import Floats

_MAX_LAYERS = 512
_MAX_VALUES = 1 << 26


class DlibFormatError(ValueError):
    """The bytes are not the serialised network that this reader knows."""


@dataclass(frozen=True)
class Layer:
    """One layer: dlib's name for its kind, its integers by name, its weights (flat float32, may be empty)."""

    kind: str
    numbers: dict[str, int] = field(default_factory=dict)
    weights: Floats = field(default_factory=lambda: np.zeros(0, np.float32))


@dataclass(frozen=True)
class Network:
    """The parsed network: the input's RGB mean and side in pixels, then the layers from input to output."""

    mean: tuple[float, float, float]
    side: int
    layers: tuple[Layer, ...]


class _Reader:
    """Reads dlib's primitive types from bytes, refusing every read past the end."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._at = 0

    def take(self, count: int) -> memoryview:
        if count < 0 or count > len(self._data) - self._at:
            raise DlibFormatError(f"{count} bytes wanted at {self._at} of {len(self._data)}")
        piece = self._data[self._at : self._at + count]
        self._at += count
        return piece

    def integer(self) -> int:
        control = self.take(1)[0]
        count = control & 0x0F
        if control & 0x70 or count > 8:
            raise DlibFormatError(f"bad control byte {control:#x} at {self._at - 1}")
        value = int.from_bytes(self.take(count), "little")
        return -value if control & 0x80 else value

    def real(self) -> float:
        mantissa, exponent = self.integer(), self.integer()
        if not -1100 < exponent < 1100:
            raise DlibFormatError(f"exponent {exponent} is out of range")
        return math.ldexp(mantissa, exponent)

    def text(self) -> str:
        length = self.integer()
        if not 0 <= length <= 64:
            raise DlibFormatError(f"a name of {length} bytes")
        return bytes(self.take(length)).decode("ascii", "replace")

    def flag(self) -> bool:
        value = bytes(self.take(1))
        if value not in (b"0", b"1"):
            raise DlibFormatError(f"bad flag {value!r}")
        return value == b"1"

    def expect(self, what: str, allowed: tuple[int, ...]) -> int:
        value = self.integer()
        if value not in allowed:
            raise DlibFormatError(f"{what} is {value}, known are {allowed}")
        return value

    def extents(self) -> tuple[int, int, int, int]:
        a, b, c, d = (self.integer() for _ in range(4))
        if min(a, b, c, d) < 0 or a * b * c * d > _MAX_VALUES:
            raise DlibFormatError(f"a tensor of {a}x{b}x{c}x{d}")
        return a, b, c, d

    def tensor(self) -> Floats:
        self.expect("tensor version", (2,))
        values = np.frombuffer(self.take(4 * math.prod(self.extents())), dtype="<f4").astype(np.float32)
        if not np.isfinite(values).all():
            raise DlibFormatError("a weight is not a finite number")
        return values

    def alias(self) -> int:
        """Read the description of a view into the weights; return its size (the order is fixed)."""
        self.expect("alias version", (1,))
        return math.prod(self.extents())

    def end(self) -> None:
        if self._at != len(self._data):
            raise DlibFormatError(f"{len(self._data) - self._at} bytes after the end")


def read_network(data: bytes) -> Network:
    """Parse dlib's serialised metric network; raises DlibFormatError for anything unexpected."""
    reader = _Reader(data)
    reader.expect("loss version", (1,))
    if reader.text() != "loss_metric_2":
        raise DlibFormatError("the loss is not loss_metric_2")
    reader.real(), reader.real()  # margin and distance threshold of the training
    wrappers = _wrapper_versions(reader)
    mean, side = _input_layer(reader)
    layers = []
    for version in reversed(wrappers):
        if version == 1:  # a tag or skip wrapper has nothing of its own
            continue
        layers.append(_layer(reader))
        _bookkeeping(reader)
        if version == 3:
            reader.expect("sample expansion", (1,))
    reader.end()
    return Network(mean, side, tuple(layers))


def _wrapper_versions(reader: _Reader) -> list[int]:
    """Return the versions from the loss inward: 2 a layer, 1 a tag or skip, 3 the layer on the input."""
    versions: list[int] = []
    while not versions or versions[-1] != 3:
        if len(versions) == _MAX_LAYERS:
            raise DlibFormatError("too many layers")
        versions.append(reader.expect("layer version", (1, 2, 3)))
    return versions


def _input_layer(reader: _Reader) -> tuple[tuple[float, float, float], int]:
    if reader.text() != "input_rgb_image_sized":
        raise DlibFormatError("the input is not a sized RGB picture")
    mean = reader.real(), reader.real(), reader.real()
    height, width = reader.integer(), reader.integer()
    if height != width or not 1 <= width <= 1024:
        raise DlibFormatError(f"an input of {width}x{height}")
    return mean, width


def _layer(reader: _Reader) -> Layer:
    kind = reader.text()
    match kind:
        case "con_4":
            return _convolution(reader)
        case "fc_2":
            return _fully_connected(reader)
        case "affine_":
            weights = reader.tensor()
            if reader.alias() + reader.alias() != weights.size:
                raise DlibFormatError("an affine layer's weights do not add up")
            return Layer(kind, {"mode": reader.integer()}, weights)
        case "max_pool_2" | "avg_pool_2":
            return Layer(kind, _window(reader))
        case "relu_" | "add_prev_":
            return Layer(kind)
    raise DlibFormatError(f"unknown layer {kind!r}")


def _convolution(reader: _Reader) -> Layer:
    weights = reader.tensor()
    numbers = {"filters": reader.integer()} | _window(reader)
    if reader.alias() + reader.alias() != weights.size:
        raise DlibFormatError("a convolution's weights do not add up")
    _learning_rates(reader)
    return Layer("con_4", numbers, weights)


def _fully_connected(reader: _Reader) -> Layer:
    outputs, inputs = reader.integer(), reader.integer()
    weights = reader.tensor()
    if reader.alias() + reader.alias() != weights.size or weights.size != inputs * outputs:
        raise DlibFormatError("the last layer's weights do not add up, or it has a bias")
    reader.integer()  # bias mode
    _learning_rates(reader)
    return Layer("fc_2", {"outputs": outputs, "inputs": inputs}, weights)


def _window(reader: _Reader) -> dict[str, int]:
    names = ("rows", "columns", "stride_y", "stride_x", "padding_y", "padding_x")
    window = {name: reader.integer() for name in names}
    if not all(0 <= value <= 1024 for value in window.values()):
        raise DlibFormatError(f"a window of {window}")
    return window


def _learning_rates(reader: _Reader) -> None:
    for _ in range(4):
        reader.real()


def _bookkeeping(reader: _Reader) -> None:
    """Pass over what a layer keeps for training: three flags, and three tensors that must be empty."""
    for _ in range(3):
        reader.flag()
    for _ in range(3):
        if reader.tensor().size:
            raise DlibFormatError("the network was not cleaned after training")
