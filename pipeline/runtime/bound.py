"""A session whose inputs and outputs keep their place in the device's memory from run to run."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.options import CPU
from pipeline.runtime.sessions import SharedSession, dtype_of

_KEPT = 8  # shapes whose buffers are kept

_Key = tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True)
class _Binding:
    io: Any
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    options: Any


class BoundSession:
    """Runs one model on one device with IO binding: nothing is allocated, and only inputs and outputs are copied.

    One run at a time. The first run with new shapes goes through the plain session to learn the outputs' shapes.
    """

    def __init__(self, onnxruntime: Any, create: Callable[[], Any], plain: SharedSession, device: int) -> None:
        self._onnxruntime = onnxruntime
        self._create = create
        self._plain = plain
        self._kind = "cpu" if plain.get_providers() == [CPU] else "cuda"
        self._device = 0 if self._kind == "cpu" else device
        self._types = {value.name: dtype_of(value.type) for value in plain.get_inputs()}
        self._session: Any = None
        self._bindings: OrderedDict[_Key, _Binding] = OrderedDict()
        self._count = 0
        self._used = time.monotonic()
        self._lock = threading.Lock()

    def run(self, feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return every output by name; the arrays are the caller's own.

        Raises:
            ValueError: an input is missing, unknown, or of another type than the model's.

        """
        arrays = self._checked(feed)
        key = tuple((name, value.shape) for name, value in sorted(arrays.items()))
        with self._lock:
            self._used = time.monotonic()
            binding = self._bindings.get(key)
            if binding is None:
                binding = self._bind(key, arrays)
            self._bindings.move_to_end(key)
            for name, value in arrays.items():
                binding.inputs[name].update_inplace(value)
            self._session.run_with_iobinding(binding.io, binding.options)
            return {name: np.array(value.numpy()) for name, value in binding.outputs.items()}

    def release_idle(self, seconds: float) -> int:
        """Drop session and buffers if it has not run for so long; return how many sessions were dropped."""
        with self._lock:
            if self._session is None or time.monotonic() - self._used < seconds:
                return 0
            self._bindings.clear()
            self._session = None
            return 1

    def _checked(self, feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        if feed.keys() != self._types.keys():
            raise ValueError(f"the model takes {sorted(self._types)}, not {sorted(feed)}")
        for name, value in feed.items():
            if value.dtype != self._types[name]:
                raise ValueError(f"the input {name} is {np.dtype(self._types[name])}, not {value.dtype}")
        return {name: np.ascontiguousarray(value) for name, value in feed.items()}

    def _bind(self, key: _Key, arrays: dict[str, NDArray[Any]]) -> _Binding:
        outputs = self._plain.run(None, arrays)  # fails on wrong shapes before anything is bound
        if self._session is None:
            self._session = self._create()
        value = self._onnxruntime.OrtValue
        io = self._session.io_binding()
        bound = _Binding(
            io,
            {name: value.ortvalue_from_numpy(array, self._kind, self._device) for name, array in arrays.items()},
            {
                described.name: value.ortvalue_from_shape_and_type(
                    list(array.shape), array.dtype.type, self._kind, self._device
                )
                for described, array in zip(self._plain.get_outputs(), outputs, strict=True)
            },
            self._run_options(),
        )
        for name, held in bound.inputs.items():
            io.bind_ortvalue_input(name, held)
        for name, held in bound.outputs.items():
            io.bind_ortvalue_output(name, held)
        self._bindings[key] = bound
        while len(self._bindings) > _KEPT:
            self._bindings.popitem(last=False)
        return bound

    def _run_options(self) -> Any:
        """Every shape has a recorded graph of its own, told apart by this number."""
        options = self._onnxruntime.RunOptions()
        if self._kind == "cuda":
            self._count += 1
            options.add_run_config_entry("gpu_graph_id", str(self._count))
        return options
