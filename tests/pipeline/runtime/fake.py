"""Stands in for the module `onnxruntime` with GPUs, and remembers how sessions were asked for."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"


class SessionOptions:
    def __init__(self) -> None:
        self.entries: dict[str, str] = {}

    def add_session_config_entry(self, key: str, value: str) -> None:
        self.entries[key] = value


class FakeSession:
    """Doubles its input; runs wait while the gate is closed."""

    def __init__(
        self, runtime: FakeOnnxRuntime, source: Any, options: Any, providers: list[tuple[str, dict[str, str]]]
    ) -> None:
        self.runtime, self.source, self.options = runtime, source, options
        self.asked = dict(providers)
        self.fell_back = True
        self.runs = 0
        runtime.sessions.append(self)

    def get_providers(self) -> list[str]:
        got = [name for name in self.asked if name in self.runtime.works]
        return got if CPU in got else [*got, CPU]

    def get_inputs(self) -> list[Any]:
        return [SimpleNamespace(name="x", shape=["N", 2], type="tensor(float)")]

    def get_outputs(self) -> list[Any]:
        return [SimpleNamespace(name="y", shape=["N", 2], type="tensor(float)")]

    def disable_fallback(self) -> None:
        self.fell_back = False

    def run(self, names: Any, feed: dict[str, Any]) -> list[Any]:
        self.runs += 1
        self.runtime.gate.wait(10)
        if self.runtime.fails:
            raise RuntimeError("CUDA error: out of memory")
        return [np.asarray(feed["x"]) * 2]


class FakeOnnxRuntime:
    """`offers` are the providers of the build, `works` those that a session really gets."""

    def __init__(self, *offers: str, works: tuple[str, ...] | None = None) -> None:
        self.offers = (*offers, CPU)
        self.works = self.offers if works is None else works
        self.sessions: list[FakeSession] = []
        self.gate = threading.Event()
        self.gate.set()
        self.preloaded = 0
        self.fails = False
        self.SessionOptions = SessionOptions
        self.ExecutionMode = SimpleNamespace(ORT_PARALLEL="parallel")

    def get_available_providers(self) -> list[str]:
        return list(self.offers)

    def preload_dlls(self) -> None:
        self.preloaded += 1

    def InferenceSession(self, source: Any, options: Any, providers: Any) -> FakeSession:  # noqa: N802
        return FakeSession(self, source, options, providers)


def model_file(path: Path, content: bytes = b"weights") -> Path:
    path.write_bytes(content)
    return path
