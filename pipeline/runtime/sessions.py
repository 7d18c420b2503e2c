"""One model, loaded on each device when it is first needed there, and shared by all threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.options import CPU

Load = Callable[[int], Any]
"""Given a device, returns an `onnxruntime.InferenceSession` on it."""

_TYPES: Final[Mapping[str, type[np.generic]]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(bool)": np.bool_,
}


class DeviceLoads:
    """How many runs are under way on each device, over all models."""

    def __init__(self, devices: Sequence[int]) -> None:
        self._running = dict.fromkeys(devices, 0)
        self._lock = threading.Lock()

    def begin(self, devices: Sequence[int]) -> int:
        """Count a run on the least loaded of the devices, the first of equals, and return that device."""
        with self._lock:
            device = min(devices, key=lambda index: self._running[index])
            self._running[device] += 1
            return device

    def end(self, device: int) -> None:
        """Count a run as over."""
        with self._lock:
            self._running[device] -= 1

    def running(self) -> dict[int, int]:
        """Return the number of runs under way by device."""
        with self._lock:
            return dict(self._running)


@dataclass(frozen=True)
class SessionState:
    """One model as health and metrics see it: the devices it is loaded on, how often it ran, how long it has idled."""

    model: str
    providers: tuple[str, ...]
    loaded: tuple[int, ...]
    runs: int
    idle_seconds: float


@dataclass
class _Replica:
    device: int
    lock: threading.Lock
    session: Any = None
    running: int = 0
    runs: int = 0


class SharedSession:
    """Behaves like an `InferenceSession`, whose place it takes, and spreads the runs over the devices.

    The first device is loaded at once, so that a model that cannot run is known; the others when their turn comes.
    What was released is loaded again by the next run. `batched` says whether the batch size may vary where the
    caller asked for that, `notice` why not.
    """

    def __init__(
        self,
        model: str,
        load: Load,
        loads: DeviceLoads,
        devices: Sequence[int],
        *,
        batched: bool = False,
    ) -> None:
        self.model = model
        self.batched = batched
        self.notice = ""
        self._load = load
        self._loads = loads
        self._replicas = {device: _Replica(device, threading.Lock()) for device in devices}
        self._used = time.monotonic()
        first = self._session(self._replicas[devices[0]])
        self._inputs, self._outputs = list(first.get_inputs()), list(first.get_outputs())
        self._providers: list[str] = list(first.get_providers())
        if self._providers == [CPU]:  # several copies on one processor would only cost memory
            self._replicas = {devices[0]: self._replicas[devices[0]]}

    def run(self, outputs: Sequence[str] | None, feed: Mapping[str, Any]) -> list[NDArray[Any]]:
        """Run on the least loaded device; `outputs` names the wanted ones, None all of them."""
        device = self._loads.begin(list(self._replicas))
        replica = self._replicas[device]
        try:
            with replica.lock:
                session = self._session(replica)
                replica.running += 1
                replica.runs += 1
            try:
                names = None if outputs is None else list(outputs)
                return list(session.run(names, dict(feed)))
            finally:
                with replica.lock:
                    replica.running -= 1
                    self._used = time.monotonic()
        finally:
            self._loads.end(device)

    def get_inputs(self) -> list[Any]:
        """Return the model's inputs, each with `name`, `shape` and `type`."""
        return list(self._inputs)

    def get_outputs(self) -> list[Any]:
        """Return the model's outputs, each with `name`, `shape` and `type`."""
        return list(self._outputs)

    def get_providers(self) -> list[str]:
        """Return the providers that the first session really got, in order."""
        return list(self._providers)

    def release_idle(self, seconds: float) -> int:
        """Drop the sessions if none has run for so long; return how many were dropped."""
        dropped = 0
        for replica in self._replicas.values():
            with replica.lock:
                if replica.session is None or replica.running or time.monotonic() - self._used < seconds:
                    continue
                replica.session = None
                dropped += 1
        return dropped

    def state(self) -> SessionState:
        """Return what health and metrics show."""
        loaded = tuple(replica.device for replica in self._replicas.values() if replica.session is not None)
        idle = time.monotonic() - self._used
        runs = sum(replica.runs for replica in self._replicas.values())
        return SessionState(self.model, tuple(self._providers), loaded, runs, idle)

    def _session(self, replica: _Replica) -> Any:
        if replica.session is None:
            replica.session = self._load(replica.device)
            self._used = time.monotonic()
        return replica.session


def warm_up(session: Any) -> bool:
    """Run the session once on zeros; False where its shapes leave too much open to know what it would take."""
    feed = {}
    for value in session.get_inputs():
        kind = _TYPES.get(value.type)
        shape = [1 if axis == 0 and not isinstance(size, int) else size for axis, size in enumerate(value.shape)]
        if kind is None or not all(isinstance(size, int) and size > 0 for size in shape):
            return False
        feed[value.name] = np.zeros(shape, kind)
    session.run(None, feed)
    return True


def dtype_of(kind: str) -> type[np.generic]:
    """Return NumPy's type for ONNX Runtime's name of it; raises ValueError for what is no plain tensor."""
    if kind not in _TYPES:
        raise ValueError(f"{kind} is no type of tensor that can be fed")
    return _TYPES[kind]
