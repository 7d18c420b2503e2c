"""ONNX Runtime sessions: one a model and device, shared by all threads, on the device that the settings ask for."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.errors import ModelUnavailable
from pipeline.models.files import sha256_of
from pipeline.runtime.batch import Batching, made_dynamic, with_dynamic_batch
from pipeline.runtime.bound import BoundSession
from pipeline.runtime.installation import load_onnxruntime
from pipeline.runtime.options import CPU, CUDA, TENSORRT, Provider, RuntimeOptions
from pipeline.runtime.sessions import DeviceLoads, SessionState, SharedSession, warm_up

_SLOWER: tuple[tuple[str, Provider], ...] = ((CPU, "cpu"), (CUDA, "cuda"), (TENSORRT, "tensorrt"))


@dataclass(frozen=True)
class Fallback:
    """A model that did not get the provider that was asked for, by ONNX Runtime's names."""

    model: str
    wanted: str
    got: str


class OnnxRuntime:
    """Hands out one session for each model file; several threads may run it at once.

    The chain of the provider is tried in order. Ending on the CPU is refused unless the options allow it; any
    fallback that happened is listed in `fallbacks`. `backend` stands in for the module `onnxruntime` in tests.
    """

    def __init__(
        self,
        provider: Provider = "cpu",
        *,
        allow_cpu_fallback: bool = False,
        threads: int = 1,
        options: RuntimeOptions | None = None,
        backend: Any = None,
    ) -> None:
        given = RuntimeOptions(provider=provider, allow_cpu_fallback=allow_cpu_fallback, threads=threads)
        self.options = options or given
        self._backend = backend
        self._devices = (0,) if self.options.provider == "cpu" else self.options.devices
        self._loads = DeviceLoads(self._devices)
        self._sessions: dict[tuple[Path, bool], SharedSession] = {}
        self._bound: dict[Path, BoundSession] = {}
        self._fallbacks: dict[str, Fallback] = {}
        self._digests: dict[Path, str] = {}
        self._lock = threading.RLock()

    @property
    def provider(self) -> Provider:
        """The provider that was asked for."""
        return self.options.provider

    @property
    def provider_in_use(self) -> Provider:
        """The slowest provider that any model ended on: the one asked for where there was no fallback."""
        got = {fallback.got for fallback in self.fallbacks}
        return next((provider for name, provider in _SLOWER if name in got), self.provider)

    @property
    def fallbacks(self) -> tuple[Fallback, ...]:
        """Every model that runs elsewhere than asked for, for health, metrics and the manifest."""
        with self._lock:
            return tuple(self._fallbacks.values())

    def session(self, path: Path, *, dynamic_batch: bool = False) -> SharedSession:
        """Return the session of the model file, created and warmed at the first call.

        With `dynamic_batch` a graph that was exported for single faces is edited to take any number, where that
        gives the same result; the session's `batched` tells.

        Raises:
            ModelUnavailable: the file cannot be loaded (`model_broken`), or the session did not get the
                provider that was asked for and falling back to the CPU is not allowed (`provider_refused`).

        """
        key = Path(path).resolve(), dynamic_batch
        with self._lock:
            if key not in self._sessions:
                self._sessions[key] = self._shared(*key)
            return self._sessions[key]

    def bound(self, path: Path) -> BoundSession:
        """Return a session on the first device whose inputs and outputs stay there between runs.

        With the option `cuda_graphs` a shape's second run is recorded and later ones replay it. Raises as `session`.
        """
        key = Path(path).resolve()
        plain = self.session(key)
        with self._lock:
            if key not in self._bound:
                create = partial(self._load, key, None, self._devices[0], graphs=self.options.cuda_graphs)
                self._bound[key] = BoundSession(self._onnxruntime(), create, plain, self._devices[0])
            return self._bound[key]

    def release_idle(self, seconds: float) -> int:
        """Drop every session that has not run for so many seconds, to free its memory; return how many.

        Whoever holds one keeps it: its next run loads the model again.
        """
        with self._lock:
            held: list[SharedSession | BoundSession] = [*self._distinct(), *self._bound.values()]
        return sum(session.release_idle(seconds) for session in held)

    def states(self) -> tuple[SessionState, ...]:
        """Return every session as health and metrics show it."""
        with self._lock:
            return tuple(session.state() for session in self._distinct())

    def running(self) -> dict[int, int]:
        """Return how many runs are under way on each device."""
        return self._loads.running()

    def _distinct(self) -> list[SharedSession]:
        return list({id(session): session for session in self._sessions.values()}.values())

    def _shared(self, path: Path, dynamic_batch: bool) -> SharedSession:
        found = with_dynamic_batch(path, cache=self.options.batch_cache) if dynamic_batch else None
        if found is not None and not found.edited:  # the same graph: no reason to load it twice
            plain = self.session(path)
            plain.batched, plain.notice = found.dynamic, found.notice
            return plain
        load = partial(self._load, path, found)
        return SharedSession(path.name, load, self._loads, self._devices, batched=found is not None)

    def _load(self, path: Path, batching: Batching | None, device: int, *, graphs: bool = False) -> Any:
        onnxruntime = self._onnxruntime()
        offered = onnxruntime.get_available_providers()
        chain = [name for name in self.options.chain if name in offered]
        self._require(chain, path)
        self._require_unchanged(path)
        try:
            model = made_dynamic(path) if batching is not None and batching.edited else str(path)
            session = onnxruntime.InferenceSession(
                model,
                self.options.session_options(onnxruntime),
                providers=[(name, self.options.provider_options(name, device, graphs=graphs)) for name in chain],
            )
        except Exception as error:
            raise ModelUnavailable("model_broken", f"{path.name} cannot be loaded: {error}") from error
        self._require(session.get_providers(), path)
        # Without this a session that fails on the GPU silently starts anew on the CPU.
        session.disable_fallback()
        if self.options.warm and not graphs:
            self._warm(session, path)
        return session

    def _warm(self, session: Any, path: Path) -> None:
        try:
            warm_up(session)
        except Exception as error:
            raise ModelUnavailable(
                "model_broken",
                f"{path.name} was loaded but cannot run: {error}",
                "Check the device's free memory, and that the file is the model it should be.",
            ) from error

    def _require_unchanged(self, path: Path) -> None:
        """What is loaded anew after a release must be what was loaded, and checked, at first."""
        try:
            digest = sha256_of(path)
        except OSError as error:
            raise ModelUnavailable("model_broken", f"{path.name} cannot be loaded: {error}") from error
        with self._lock:
            known = self._digests.setdefault(path, digest)
        if known != digest:
            raise ModelUnavailable(
                "model_changed", f"{path.name} changed while the server was running.", "Check the models and restart."
            )

    def _require(self, granted: list[str], path: Path) -> None:
        wanted, got = self.options.chain[0], _first(granted, self.options.chain)
        if got == wanted:
            return
        if got is None or (got == CPU and not self.options.allow_cpu_fallback):
            raise ModelUnavailable(
                "provider_refused",
                f"{path.name} was to run on {wanted}, but only {', '.join(granted)} can be had.",
                "Check the driver and the GPU build of ONNX Runtime, or allow falling back to the CPU.",
            )
        with self._lock:
            self._fallbacks[path.name] = Fallback(path.name, wanted, got)

    def _onnxruntime(self) -> Any:
        if self._backend is None:
            self._backend = load_onnxruntime()
            if CUDA in self.options.chain and CUDA in self._backend.get_available_providers():
                # CUDA and cuDNN come as Python packages beside ONNX Runtime, where the loader does not look.
                self._backend.preload_dlls()
        return self._backend


def _first(granted: list[str], chain: tuple[str, ...]) -> str | None:
    return next((name for name in chain if name in granted), None)
