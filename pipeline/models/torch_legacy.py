"""A strict, bounds-checked reader of PyTorch's legacy (non-zip) file of named weights.

Nothing in the file is executed. Pickle is a language of small instructions for a stack machine; this module
knows the few that such a file consists of and the four names that it may mention, and refuses everything else.
The file, as torch/serialization.py wrote it before version 1.6:

* four pickles: a magic number, the protocol number 1001, facts about the machine, and the dictionary of tensors
* a pickle with the storages' keys, sorted; then for each storage its length as int64 and its values, little endian
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_MAGIC: Final = 0x1950A86A20F9469CFC6C
_PROTOCOL: Final = 1001

_MAX_STEPS: Final = 200_000  # instructions in one pickle; MiniFASNet's longest has 14 000
_MAX_MEMO: Final = 1 << 16
_MAX_TEXT: Final = 256  # bytes in a name
_MAX_RANK: Final = 4

Weights = dict[str, NDArray[Any]]
"""float32 or int64 arrays by name, read-only."""


class LegacyFormatError(ValueError):
    """The bytes are not the kind of PyTorch file that this reader knows."""


class _Name(Enum):
    """The names that a file may mention. They stand for themselves: none is looked up or called."""

    ORDERED_DICT = "collections OrderedDict"
    REBUILD_TENSOR = "torch._utils _rebuild_tensor_v2"
    FLOATS = "torch FloatStorage"
    LONGS = "torch LongStorage"


_DTYPES: Final[dict[_Name, np.dtype[Any]]] = {_Name.FLOATS: np.dtype("<f4"), _Name.LONGS: np.dtype("<i8")}


@dataclass
class _Storage:
    """A flat array that tensors look into; its values follow the pickles."""

    dtype: np.dtype[Any]
    size: int
    values: NDArray[Any] | None = None


@dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]

    def array(self) -> NDArray[Any]:
        values = self.storage.values
        if values is None:
            raise LegacyFormatError("a tensor without values")
        return values[self.offset : self.offset + math.prod(self.shape)].reshape(self.shape)


class _Reader:
    """Reads from bytes, refusing every read past the end."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._at = 0

    def take(self, count: int) -> memoryview:
        if count < 0 or count > len(self._data) - self._at:
            raise LegacyFormatError(f"{count} bytes wanted at {self._at} of {len(self._data)}")
        piece = self._data[self._at : self._at + count]
        self._at += count
        return piece

    def number(self, form: str) -> int:
        (value,) = struct.unpack(form, self.take(struct.calcsize(form)))
        return int(value)

    def text(self, length: int) -> str:
        if length > _MAX_TEXT:
            raise LegacyFormatError(f"a name of {length} bytes")
        try:
            return str(self.take(length), "utf-8")
        except UnicodeDecodeError as error:
            raise LegacyFormatError("a name is not text") from error

    def line(self) -> str:
        window = bytes(self._data[self._at : self._at + _MAX_TEXT])
        length = window.find(b"\n")
        if length < 0:
            raise LegacyFormatError("an endless name")
        name = self.text(length)
        self.take(1)
        return name

    def end(self) -> None:
        if self._at != len(self._data):
            raise LegacyFormatError(f"{len(self._data) - self._at} bytes after the last weight")


def read_legacy_weights(data: bytes) -> Weights:
    """Return the named weights; raises LegacyFormatError for anything unexpected."""
    reader = _Reader(data)
    if _Pickle(reader).load() != _MAGIC or _Pickle(reader).load() != _PROTOCOL:
        raise LegacyFormatError("not a legacy PyTorch file")
    machine = _Pickle(reader).load()
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise LegacyFormatError("not a little-endian file")
    body = _Pickle(reader, rich=True)
    tensors = body.load()
    _read_storages(reader, _Pickle(reader).load(), body.storages)
    reader.end()
    if not isinstance(tensors, dict):
        raise LegacyFormatError("the file holds no dictionary")
    return {name: _array(name, tensor) for name, tensor in tensors.items()}


def _read_storages(reader: _Reader, keys: Any, storages: dict[str, _Storage]) -> None:
    named = isinstance(keys, list) and all(isinstance(key, str) for key in keys)
    if not named or len(keys) != len(storages) or set(keys) != set(storages):
        raise LegacyFormatError("the list of storages does not match those that the tensors use")
    for key in keys:
        storage = storages[key]
        if reader.number("<q") != storage.size:
            raise LegacyFormatError(f"storage {key} has another length than announced")
        storage.values = np.frombuffer(reader.take(storage.size * storage.dtype.itemsize), storage.dtype)
        if not np.isfinite(storage.values).all():
            raise LegacyFormatError(f"storage {key} holds a value that is no finite number")


def _array(name: str, tensor: Any) -> NDArray[Any]:
    if not isinstance(tensor, _Tensor):
        raise LegacyFormatError(f"{name} is no tensor")
    return tensor.array()


@dataclass
class _Pickle:
    """The stack machine. Only the pickle that is `rich` may mention tensors; it collects their storages by key."""

    reader: _Reader
    rich: bool = False
    storages: dict[str, _Storage] = field(default_factory=dict)
    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def load(self) -> Any:
        """Run until the stop instruction and return the one value that is left."""
        if bytes(self.reader.take(2)) != b"\x80\x02":
            raise LegacyFormatError("not a pickle of protocol 2")
        for _ in range(_MAX_STEPS):
            code = self.reader.take(1)[0]
            if code == ord("."):
                value = self.pop()
                if self.stack or self.marks:
                    raise LegacyFormatError("values are left over")
                return value
            step = _STEPS.get(code)
            if step is None:
                raise LegacyFormatError(f"instruction {code:#04x} is not allowed in a weights file")
            step(self)
        raise LegacyFormatError("too many instructions")

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise LegacyFormatError("a value is missing")
        return self.stack.pop()

    def peek(self, kind: type[Any]) -> Any:
        value = self.pop()
        self.push(value)
        if not isinstance(value, kind):
            raise LegacyFormatError(f"a {kind.__name__} is missing")
        return value

    def popped(self, count: int) -> tuple[Any, ...]:
        return tuple(self.pop() for _ in range(count))[::-1]

    def since_mark(self) -> list[Any]:
        if not self.marks:
            raise LegacyFormatError("a mark is missing")
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def remember(self, index: int) -> None:
        if index >= _MAX_MEMO:
            raise LegacyFormatError(f"memo {index} is out of range")
        self.memo[index] = self.peek(object)

    def recall(self, index: int) -> None:
        if index not in self.memo:
            raise LegacyFormatError(f"memo {index} is empty")
        self.push(self.memo[index])

    def long(self) -> None:
        length = self.reader.number("<B")
        if length > 16:
            raise LegacyFormatError("a number of more than 16 bytes")
        self.push(int.from_bytes(self.reader.take(length), "little", signed=True))

    def name(self) -> None:
        wanted = f"{self.reader.line()} {self.reader.line()}"
        if not self.rich or wanted not in _NAMES:
            raise LegacyFormatError(f"the name {wanted!r} is not allowed in a weights file")
        self.push(_NAMES[wanted])

    def set_items(self, items: list[Any]) -> None:
        table = self.peek(dict)
        if len(items) % 2 or not all(isinstance(key, str) for key in items[::2]):
            raise LegacyFormatError("a dictionary whose keys are not names")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if key in table:
                raise LegacyFormatError(f"{key} comes twice")
            table[key] = value

    def append(self, items: list[Any]) -> None:
        self.peek(list).extend(items)

    def call(self) -> None:
        """A 'call': an empty dictionary, or a tensor described by its storage, offset, shape and strides."""
        function, arguments = self.popped(2)
        if function is _Name.ORDERED_DICT and arguments == ():
            self.push({})
        elif function is _Name.REBUILD_TENSOR and isinstance(arguments, tuple) and len(arguments) == 6:
            self.push(_tensor(*arguments[:4]))
        else:
            raise LegacyFormatError("a call that is not allowed in a weights file")

    def attributes(self) -> None:
        """Pass over what PyTorch hangs on the dictionary: the versions of its layers."""
        if not isinstance(self.pop(), dict):
            raise LegacyFormatError("attributes that are no dictionary")
        self.peek(dict)

    def storage(self) -> None:
        match self.pop():
            case ("storage", _Name() as kind, str(key), str(), int(size), None) if self.rich and kind in _DTYPES:
                if size < 1 or isinstance(size, bool):
                    raise LegacyFormatError(f"a storage of {size} values")
                dtype = _DTYPES[_Name(kind)]
                storage = self.storages.setdefault(key, _Storage(dtype, size))
                if (storage.dtype, storage.size) != (dtype, size):
                    raise LegacyFormatError(f"storage {key} is described in two ways")
                self.push(storage)
            case _:
                raise LegacyFormatError("a persistent object that is no storage")


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any) -> _Tensor:
    if not isinstance(storage, _Storage) or not _is_size(offset):
        raise LegacyFormatError("a tensor without a storage")
    for sizes in (shape, strides):
        if not isinstance(sizes, tuple) or len(sizes) > _MAX_RANK or not all(map(_is_size, sizes)):
            raise LegacyFormatError("a tensor whose extents make no sense")
    # Contiguous tensors only: then no shape can blow up what the file really holds.
    if strides != tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape))):
        raise LegacyFormatError("a tensor that is not contiguous")
    if 0 in shape or offset + math.prod(shape) > storage.size:
        raise LegacyFormatError("a tensor reaches outside its storage")
    return _Tensor(storage, offset, shape)


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


_NAMES: Final = {name.value: name for name in _Name}

_STEPS: Final[dict[int, Callable[[_Pickle], None]]] = {
    ord("N"): lambda p: p.push(None),
    0x88: lambda p: p.push(True),
    0x89: lambda p: p.push(False),
    ord("J"): lambda p: p.push(p.reader.number("<i")),
    ord("K"): lambda p: p.push(p.reader.number("<B")),
    ord("M"): lambda p: p.push(p.reader.number("<H")),
    0x8A: _Pickle.long,
    ord("X"): lambda p: p.push(p.reader.text(p.reader.number("<I"))),
    ord("}"): lambda p: p.push({}),
    ord("]"): lambda p: p.push([]),
    ord(")"): lambda p: p.push(()),
    ord("("): lambda p: p.marks.append(len(p.stack)),
    ord("t"): lambda p: p.push(tuple(p.since_mark())),
    0x85: lambda p: p.push(p.popped(1)),
    0x86: lambda p: p.push(p.popped(2)),
    0x87: lambda p: p.push(p.popped(3)),
    ord("a"): lambda p: p.append([p.pop()]),
    ord("e"): lambda p: p.append(p.since_mark()),
    ord("s"): lambda p: p.set_items(list(p.popped(2))),
    ord("u"): lambda p: p.set_items(p.since_mark()),
    ord("q"): lambda p: p.remember(p.reader.number("<B")),
    ord("r"): lambda p: p.remember(p.reader.number("<I")),
    ord("h"): lambda p: p.recall(p.reader.number("<B")),
    ord("j"): lambda p: p.recall(p.reader.number("<I")),
    ord("c"): _Pickle.name,
    ord("R"): _Pickle.call,
    ord("Q"): _Pickle.storage,
    ord("b"): _Pickle.attributes,
}
