"""What an operator can set about ONNX Runtime, and how ONNX Runtime wants to be told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

Provider = Literal["cpu", "cuda", "tensorrt"]
Arena = Literal["same_as_requested", "next_power_of_two"]

CPU: Final = "CPUExecutionProvider"
CUDA: Final = "CUDAExecutionProvider"
TENSORRT: Final = "TensorrtExecutionProvider"

PROVIDERS: Final[dict[Provider, tuple[str, ...]]] = {
    "cpu": (CPU,),
    "cuda": (CUDA, CPU),
    "tensorrt": (TENSORRT, CUDA, CPU),
}
"""The chain of each provider: what is tried, in order."""

_ARENAS: Final[dict[Arena, str]] = {
    "same_as_requested": "kSameAsRequested",
    "next_power_of_two": "kNextPowerOfTwo",
}


@dataclass(frozen=True, kw_only=True)
class RuntimeOptions:
    """Where and how models run.

    `devices` are the indices of the GPUs, each with a pool of its own. `memory_limit` bounds each GPU's arena in
    bytes; `arena` says how it grows (in exact steps, or doubling), `cpu_arena` whether the CPU keeps one. `threads`
    work inside one operator, `branch_threads` on independent branches of a graph. `fp16` lets TensorRT compute in
    half precision, `tf32` lets CUDA round products to 10 bits. `engine_cache` keeps the engines that TensorRT builds
    (minutes each) over restarts; `workspace` is the memory in bytes that it may use while building. `cuda_graphs`
    replays bound runs without launching kernels one by one. `warm` runs every new session once. `batch_cache` keeps
    what was found out about models whose batch size was made variable.

    Raises:
        ValueError: a value makes no sense, or an option does not exist for the provider.

    """

    provider: Provider = "cpu"
    devices: tuple[int, ...] = (0,)
    allow_cpu_fallback: bool = False
    threads: int = 1
    branch_threads: int = 1
    memory_limit: int | None = None
    arena: Arena = "same_as_requested"
    cpu_arena: bool = True
    fp16: bool = False
    tf32: bool = True
    cuda_graphs: bool = False
    engine_cache: Path | None = None
    workspace: int = 1 << 30
    warm: bool = True
    batch_cache: Path | None = None

    def __post_init__(self) -> None:
        if self.provider not in PROVIDERS:
            raise ValueError(f"unknown provider {self.provider!r}")
        if self.threads < 1 or self.branch_threads < 1:
            raise ValueError("threads must be at least 1")
        if not self.devices or len(set(self.devices)) != len(self.devices) or min(self.devices) < 0:
            raise ValueError("devices are distinct indices of GPUs, at least one")
        if self.arena not in _ARENAS:
            raise ValueError(f"unknown arena strategy {self.arena!r}")
        if self.memory_limit is not None and self.memory_limit < 1 << 20:
            raise ValueError("memory_limit is in bytes and at least 1 MiB")
        if self.fp16 and self.provider != "tensorrt":
            raise ValueError("fp16 is TensorRT's; on other providers supply a model that is in half precision")
        if self.cuda_graphs and self.provider == "cpu":
            raise ValueError("cuda_graphs needs the provider cuda or tensorrt")

    @property
    def chain(self) -> tuple[str, ...]:
        """ONNX Runtime's names of the providers to try, in order."""
        return PROVIDERS[self.provider]

    def provider_options(self, provider: str, device: int, *, graphs: bool = False) -> dict[str, str]:
        """Return the options of one provider of the chain on one device, as ONNX Runtime takes them: all strings."""
        if provider == CUDA:
            return self._cuda(device, graphs)
        return self._tensorrt(device, graphs) if provider == TENSORRT else {}

    def _cuda(self, device: int, graphs: bool) -> dict[str, str]:
        given = {
            "device_id": str(device),
            "arena_extend_strategy": _ARENAS[self.arena],
            "use_tf32": _flag(self.tf32),
            "enable_cuda_graph": _flag(graphs),
            # The exhaustive search makes the first run of every new shape seconds long, and differs between runs.
            "cudnn_conv_algo_search": "HEURISTIC",
        }
        return given if self.memory_limit is None else given | {"gpu_mem_limit": str(self.memory_limit)}

    def _tensorrt(self, device: int, graphs: bool) -> dict[str, str]:
        given = {
            "device_id": str(device),
            "trt_fp16_enable": _flag(self.fp16),
            "trt_max_workspace_size": str(self.workspace),
            "trt_cuda_graph_enable": _flag(graphs),
        }
        if self.engine_cache is None:
            return given
        folder = str(self.engine_cache)
        cached = {"trt_engine_cache_enable": "1", "trt_engine_cache_path": folder}
        return given | cached | {"trt_timing_cache_enable": "1", "trt_timing_cache_path": folder}

    def session_options(self, onnxruntime: Any) -> Any:
        """Return a new `onnxruntime.SessionOptions` with what concerns every provider."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = self.branch_threads
        if self.branch_threads > 1:
            options.execution_mode = onnxruntime.ExecutionMode.ORT_PARALLEL
        options.enable_cpu_mem_arena = self.cpu_arena
        options.log_severity_level = 3
        # Idle threads sleep instead of spinning: a server runs several sessions on the same cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        return options


def _flag(value: bool) -> str:
    return "1" if value else "0"
