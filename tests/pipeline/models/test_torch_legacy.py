"""The reader of PyTorch's legacy files: real ones in full, hostile ones never."""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import struct
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.models.torch_legacy import LegacyFormatError, read_legacy_weights

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
MACHINE = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}

GLOBAL_FLOATS = b"ctorch\nFloatStorage\n"
GLOBAL_TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n"
GLOBAL_DICT = b"ccollections\nOrderedDict\n"


def dump(value: Any) -> bytes:
    return pickle.dumps(value, protocol=2)


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def numbers(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(b"J" + struct.pack("<i", value) for value in values) + b"t"


def storage(key: str, size: int, kind: bytes = GLOBAL_FLOATS) -> bytes:
    return b"(" + text("storage") + kind + text(key) + text("cpu") + b"J" + struct.pack("<i", size) + b"NtQ"


def tensor(
    key: str, size: int, shape: tuple[int, ...], strides: tuple[int, ...] | None = None, *, offset: int = 0
) -> bytes:
    """The instructions that describe a tensor, as torch.save writes them."""
    if strides is None:
        strides = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
    place = b"J" + struct.pack("<i", offset)
    hooks = b"\x89" + GLOBAL_DICT + b")R"
    return GLOBAL_TENSOR + b"(" + storage(key, size) + place + numbers(shape) + numbers(strides) + hooks + b"tR"


def weights_file(body: bytes, storages: dict[str, np.ndarray], *, machine: Any = None, magic: Any = MAGIC) -> bytes:
    """A whole file around the instructions that make the dictionary."""
    head = dump(magic) + dump(PROTOCOL) + dump(MACHINE if machine is None else machine)
    tail = b"".join(struct.pack("<q", values.size) + values.tobytes() for values in storages.values())
    return head + b"\x80\x02" + body + b"." + dump(list(storages)) + tail


def dictionary(*items: bytes) -> bytes:
    return GLOBAL_DICT + b")R(" + b"".join(items) + b"u"


VALUES = np.arange(6, dtype="<f4")
GOOD = weights_file(dictionary(text("layer.weight"), tensor("1", 6, (2, 3))), {"1": VALUES})


def test_a_well_formed_file_gives_its_arrays() -> None:
    weights = read_legacy_weights(GOOD)
    assert list(weights) == ["layer.weight"]
    assert weights["layer.weight"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_two_tensors_may_share_a_storage() -> None:
    body = dictionary(text("a"), tensor("1", 6, (2,)), text("b"), tensor("1", 6, (4,), offset=2))
    weights = read_legacy_weights(weights_file(body, {"1": VALUES}))
    assert weights["a"].tolist() == [0, 1]
    assert weights["b"].tolist() == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ("name", "tensors"), [("2.7_80x80_MiniFASNetV2.pth", 334), ("4_0_0_80x80_MiniFASNetV1SE.pth", 370)]
)
def test_the_published_weights_are_read_whole(minifasnet_files: Path, name: str, tensors: int) -> None:
    data = (minifasnet_files / name).read_bytes()
    weights = read_legacy_weights(data)
    assert len(weights) == tensors
    assert sum(values.nbytes for values in weights.values()) > 0.9 * len(data)
    assert all(name.startswith("module.") for name in weights)


class Evil:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self._call = function, arguments

    def __reduce__(self) -> Any:
        return self._call


@pytest.mark.parametrize(
    "hostile",
    [
        Evil(eval, "__import__('os').system('touch /tmp/owned')"),
        Evil(print, "owned"),
        Evil(getattr, OrderedDict, "fromkeys"),
        OrderedDict(),
        {"weight": Evil(bytearray, 1 << 40)},
    ],
    ids=["eval", "print", "getattr", "an ordered dict as Python writes it", "inside the dictionary"],
)
@pytest.mark.parametrize("place", ["magic", "machine", "body"])
def test_a_file_that_would_call_something_is_refused_and_calls_nothing(
    hostile: Any, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if place == "body":
        body = dump({"layer": hostile})[2:-1]
        data = weights_file(body, {})
    else:
        data = weights_file(dictionary(), {}, **{place: hostile})
    with pytest.raises(LegacyFormatError):
        read_legacy_weights(data)
    assert capsys.readouterr().out == ""


def refuse(body: bytes, storages: dict[str, np.ndarray] | None = None, match: str | None = None) -> None:
    with pytest.raises(LegacyFormatError, match=match):
        read_legacy_weights(weights_file(body, {"1": VALUES} if storages is None else storages))


def test_a_tensor_outside_its_storage_is_refused() -> None:
    refuse(dictionary(text("a"), tensor("1", 6, (7,))), match="outside")
    refuse(dictionary(text("a"), tensor("1", 6, (4,), offset=3)), match="outside")
    refuse(dictionary(text("a"), tensor("1", 6, (0,))), match="outside")
    refuse(dictionary(text("a"), tensor("1", 6, (2,), offset=-2)), match="without a storage")
    refuse(dictionary(text("a"), tensor("1", 6, (-2,), (1,))), match="extents")


def test_strides_that_would_blow_a_small_file_up_are_refused() -> None:
    refuse(dictionary(text("a"), tensor("1", 6, (1 << 20, 1 << 20), (0, 0))), match="contiguous")
    refuse(dictionary(text("a"), tensor("1", 6, (3, 2), (1, 3))), match="contiguous")
    refuse(dictionary(text("a"), tensor("1", 6, (1, 1, 1, 1, 1), (1, 1, 1, 1, 1))), match="extents")


def test_storages_that_do_not_match_their_description_are_refused() -> None:
    good = dictionary(text("a"), tensor("1", 6, (6,)))
    refuse(good, {}, match="list of storages")
    refuse(good, {"2": VALUES}, match="list of storages")
    refuse(good, {"1": VALUES, "2": VALUES}, match="list of storages")
    refuse(good, {"1": VALUES[:5]}, match="another length")
    refuse(dictionary(text("a"), tensor("1", 0, (6,))), match="0 values")
    two = dictionary(text("a"), tensor("1", 6, (6,)), text("b"), tensor("1", 5, (5,)))
    refuse(two, match="two ways")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_weight_that_is_no_finite_number_is_refused(value: float) -> None:
    values = VALUES.copy()
    values[3] = value
    refuse(dictionary(text("a"), tensor("1", 6, (6,))), {"1": values}, match="finite")


def test_a_name_that_comes_twice_and_a_name_that_is_no_text_are_refused() -> None:
    item = text("a"), tensor("1", 6, (6,))
    refuse(dictionary(*item, *item), match="twice")
    refuse(dictionary(b"K\x01", tensor("1", 6, (6,))), match="keys are not names")


def test_a_dictionary_of_anything_but_tensors_is_refused() -> None:
    refuse(dictionary(text("a"), b"K\x01", text("b"), tensor("1", 6, (6,))), match="no tensor")
    refuse(b"K\x01", {}, match="no dictionary")


@pytest.mark.parametrize("machine", [{}, {"little_endian": False}, {"little_endian": 1}, [1], 7])
def test_a_file_of_another_machine_is_refused(machine: Any) -> None:
    with pytest.raises(LegacyFormatError, match="little-endian"):
        read_legacy_weights(weights_file(dictionary(), {}, machine=machine))


def test_a_zip_file_and_an_empty_file_are_refused() -> None:
    for data in (b"", b"PK\x03\x04" + bytes(100), b"\x80\x02}.", b"\x80\x04\x95"):
        with pytest.raises(LegacyFormatError):
            read_legacy_weights(data)


def test_bytes_after_the_last_weight_are_refused() -> None:
    with pytest.raises(LegacyFormatError, match="after the last"):
        read_legacy_weights(GOOD + b"\0")


def test_every_cut_of_a_file_is_refused() -> None:
    for length in range(len(GOOD)):
        with pytest.raises(LegacyFormatError):
            read_legacy_weights(GOOD[:length])


def test_no_file_takes_long_or_much_memory() -> None:
    """Nested sharing would cost 2^60 steps to hash or compare; memo and length bombs would cost gigabytes."""
    doubled = b"K\x01" + b"q\x00h\x00\x86" * 60
    bombs = [
        b"(" + doubled + b"K\x01u",
        dictionary(doubled, b"K\x01"),
        b"}r\xff\xff\xff\xff",
        b"X\xff\xff\xff\xff",
        b"\x8a\xff" + bytes(255),
        b"(" * 100_000,
        b"K\x01" * 300_000,
        b"]q\x00" + b"(h\x00e" * 60_000,
    ]
    start = time.perf_counter()
    for bomb in bombs:
        refuse(bomb, {})
    assert time.perf_counter() - start < 5


@settings(max_examples=300, deadline=None)
@given(at=st.integers(0, len(GOOD) - 1), value=st.integers(0, 255))
def test_a_changed_byte_gives_arrays_of_the_same_size_or_a_refusal(at: int, value: int) -> None:
    data = bytearray(GOOD)
    data[at] = value
    try:
        weights = read_legacy_weights(bytes(data))
    except LegacyFormatError:
        return
    assert sum(array.size for array in weights.values()) <= VALUES.size


@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=200))
def test_random_instructions_give_nothing_or_a_refusal(body: bytes) -> None:
    try:
        assert read_legacy_weights(weights_file(body, {})) == {}
    except LegacyFormatError:
        return


CODES = st.sampled_from([opcode.code.encode("latin-1") for opcode in pickletools.opcodes])
NAMES = st.sampled_from([GLOBAL_DICT, GLOBAL_TENSOR, GLOBAL_FLOATS, b"cos\nsystem\n", b"cbuiltins\neval\n"])
PIECES = st.one_of(
    CODES, NAMES, st.just(tensor("1", 6, (2, 3))), st.just(text("a")), st.just(b"("), st.just(b"}"), st.just(b")R")
)


@settings(max_examples=400, deadline=None)
@given(pieces=st.lists(PIECES, max_size=30))
def test_any_mixture_of_instructions_gives_arrays_or_a_refusal(pieces: list[bytes]) -> None:
    try:
        weights = read_legacy_weights(weights_file(b"".join(pieces), {"1": VALUES}))
    except LegacyFormatError:
        return
    assert all(array.dtype == np.float32 and array.size <= VALUES.size for array in weights.values())


NAMED = st.dictionaries(
    st.text(min_size=1, max_size=20),
    st.lists(st.integers(1, 4), min_size=0, max_size=4).map(tuple),
    min_size=1,
    max_size=6,
)


@settings(max_examples=100, deadline=None)
@given(shapes=NAMED, seed=st.integers(0, 1000))
def test_what_is_written_in_the_format_is_read_back(shapes: dict[str, tuple[int, ...]], seed: int) -> None:
    random, items, storages, expected = np.random.default_rng(seed), [], {}, {}
    for number, (name, shape) in enumerate(shapes.items()):
        values = random.standard_normal(math.prod(shape)).astype("<f4")
        storages[str(number)], expected[name] = values, values.reshape(shape)
        items += [text(name), tensor(str(number), values.size, shape)]
    weights = read_legacy_weights(weights_file(dictionary(*items), storages))
    assert list(weights) == list(expected)
    assert all(np.array_equal(weights[name], expected[name]) for name in expected)


def test_the_reader_agrees_with_pythons_own_unpickler_on_plain_values() -> None:
    assert pickle.load(io.BytesIO(dump(MAGIC))) == MAGIC  # noqa: S301 - our own bytes
    assert read_legacy_weights(weights_file(dictionary(), {})) == {}
