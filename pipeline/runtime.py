"""ONNX Runtime sessions: one a model file, shared by all threads, on the device that the settings ask for."""

from __future__ import annotations

import importlib.metadata
import re
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Literal

from pipeline.errors import ModelUnavailable

Provider = Literal["cpu", "cuda", "tensorrt"]

_PROVIDERS: Final[dict[str, tuple[str, ...]]] = {
    "cpu": ("CPUExecutionProvider",),
    "cuda": ("CUDAExecutionProvider", "CPUExecutionProvider"),
    "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"),
}

# Distributions that install the module `onnxruntime`. Two of them silently overwrite each other's files.
_DISTRIBUTION = re.compile(r"(onnxruntime|ort-nightly)(-(?!extensions|genai|tools|easy)[a-z0-9-]+)?")


def installed_runtimes(names: Iterable[str] | None = None) -> list[str]:
    """Return the installed distributions (or those among `names`) that provide ONNX Runtime, sorted."""
    if names is None:
        names = (d.metadata["Name"] or "" for d in importlib.metadata.distributions())
    normalised = {re.sub(r"[-_.]+", "-", name).lower() for name in names}
    return sorted(name for name in normalised if _DISTRIBUTION.fullmatch(name))


def check_installation(provider: Provider = "cpu", installed: Iterable[str] | None = None) -> str:
    """Return the name of the one ONNX Runtime distribution, after checking that it offers the provider.

    Raises:
        ModelUnavailable: none or several are installed (`runtime_missing`, `runtime_ambiguous`), or the one
            that is cannot run on the provider (`provider_missing`).

    """
    found = installed_runtimes(installed)
    if not found:
        raise ModelUnavailable("runtime_missing", "ONNX Runtime is not installed.", "Install a lock file.")
    if len(found) > 1:
        raise ModelUnavailable(
            "runtime_ambiguous",
            f"Several ONNX Runtime distributions are installed and overwrite each other: {', '.join(found)}.",
            "Uninstall all of them, then install one lock file, CPU or GPU, without dependency resolution.",
        )
    wanted = _PROVIDERS[provider][0]
    offered = _onnxruntime().get_available_providers()
    if wanted not in offered:
        raise ModelUnavailable(
            "provider_missing",
            f"{found[0]} does not offer {wanted}; it offers {', '.join(offered)}.",
            "Install the GPU lock file, or set the provider to cpu.",
        )
    return found[0]


class OnnxRuntime:
    """Hands out one inference session for each model file; several threads may run it at once."""

    def __init__(self, provider: Provider = "cpu", *, allow_cpu_fallback: bool = False, threads: int = 1) -> None:
        if provider not in _PROVIDERS:
            raise ValueError(f"unknown provider {provider!r}")
        if threads < 1:
            raise ValueError("threads must be at least 1")
        self.provider = provider
        self._allow_cpu_fallback = allow_cpu_fallback
        self._threads = threads
        self._sessions: dict[Path, Any] = {}
        self._lock = threading.Lock()

    def session(self, path: Path) -> Any:
        """Return the `onnxruntime.InferenceSession` of the model file, created at the first call.

        Raises:
            ModelUnavailable: the file cannot be loaded (`model_broken`), or the session did not get the
                provider that was asked for and falling back to the CPU is not allowed (`provider_refused`).

        """
        key = Path(path).resolve()
        with self._lock:
            if key not in self._sessions:
                self._sessions[key] = self._create(key)
            return self._sessions[key]

    def _create(self, path: Path) -> Any:
        onnxruntime = _onnxruntime()
        offered = onnxruntime.get_available_providers()
        wanted = [name for name in _PROVIDERS[self.provider] if name in offered]
        self._require(wanted, path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Idle threads sleep instead of spinning: a server runs several sessions on the same cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=wanted)
        except Exception as error:
            raise ModelUnavailable("model_broken", f"{path.name} cannot be loaded: {error}") from error
        self._require(session.get_providers(), path)
        # Without this a session that fails on the GPU silently starts anew on the CPU.
        session.disable_fallback()
        return session

    def _require(self, granted: list[str], path: Path) -> None:
        wanted = _PROVIDERS[self.provider][0]
        if wanted not in granted and not self._allow_cpu_fallback:
            raise ModelUnavailable(
                "provider_refused",
                f"{path.name} was to run on {wanted}, but only {', '.join(granted)} can be had.",
                "Check the driver and the GPU build of ONNX Runtime, or allow falling back to the CPU.",
            )


def _onnxruntime() -> Any:
    try:
        import onnxruntime  # noqa: PLC0415 - so that a missing or broken build is reported, not raised at import
    except ImportError as error:
        raise ModelUnavailable("runtime_missing", f"ONNX Runtime cannot be imported: {error}") from error
    return onnxruntime
