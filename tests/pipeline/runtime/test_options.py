"""What is handed to ONNX Runtime for each option."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnxruntime
import pytest

from pipeline.runtime import OnnxRuntime, RuntimeOptions
from tests.pipeline.runtime.fake import CPU, CUDA, TENSORRT, FakeOnnxRuntime, FakeSession, model_file


def opened(tmp_path: Path, *offers: str, **options: Any) -> FakeSession:
    backend = FakeOnnxRuntime(*offers)
    runtime = OnnxRuntime(options=RuntimeOptions(**options), backend=backend)
    runtime.session(model_file(tmp_path / "m.onnx"))
    return backend.sessions[0]


def test_the_cpu_gets_threads_and_arena_and_no_options_of_a_gpu(tmp_path: Path) -> None:
    session = opened(tmp_path, threads=3, branch_threads=2, cpu_arena=False)
    assert session.asked == {CPU: {}}
    options = session.options
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (3, 2)
    assert options.execution_mode == "parallel" and options.enable_cpu_mem_arena is False
    assert options.entries == {"session.intra_op.allow_spinning": "0"}


def test_cuda_gets_device_memory_limit_and_arena(tmp_path: Path) -> None:
    session = opened(
        tmp_path, CUDA, provider="cuda", devices=(3,), memory_limit=2 << 30, arena="next_power_of_two", tf32=False
    )
    assert list(session.asked) == [CUDA, CPU]
    assert session.asked[CUDA] == {
        "device_id": "3",
        "gpu_mem_limit": str(2 << 30),
        "arena_extend_strategy": "kNextPowerOfTwo",
        "use_tf32": "0",
        "enable_cuda_graph": "0",
        "cudnn_conv_algo_search": "HEURISTIC",
    }


def test_tensorrt_comes_first_with_half_precision_and_a_cache_of_engines(tmp_path: Path) -> None:
    session = opened(
        tmp_path, TENSORRT, CUDA, provider="tensorrt", fp16=True, workspace=1 << 20, engine_cache=tmp_path / "engines"
    )
    assert list(session.asked) == [TENSORRT, CUDA, CPU]
    assert session.asked[TENSORRT] == {
        "device_id": "0",
        "trt_fp16_enable": "1",
        "trt_max_workspace_size": str(1 << 20),
        "trt_cuda_graph_enable": "0",
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(tmp_path / "engines"),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(tmp_path / "engines"),
    }
    assert "gpu_mem_limit" not in session.asked[CUDA]


def test_graphs_are_recorded_only_by_bound_sessions() -> None:
    options = RuntimeOptions(provider="tensorrt", cuda_graphs=True)
    assert options.provider_options(CUDA, 0)["enable_cuda_graph"] == "0"
    assert options.provider_options(CUDA, 0, graphs=True)["enable_cuda_graph"] == "1"
    assert options.provider_options(TENSORRT, 0, graphs=True)["trt_cuda_graph_enable"] == "1"
    assert options.provider_options(CPU, 0, graphs=True) == {}


def test_every_option_is_one_that_onnx_runtime_takes() -> None:
    """Its own parser of CUDA and TensorRT options is not in the CPU build; the session options are."""
    real = RuntimeOptions(threads=2, branch_threads=2).session_options(onnxruntime)
    assert (real.intra_op_num_threads, real.inter_op_num_threads) == (2, 2)
    assert real.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_the_libraries_of_the_gpu_are_loaded_once_and_only_where_it_is_wanted(tmp_path: Path) -> None:
    for provider, times in (("cpu", 0), ("cuda", 1)):
        backend = FakeOnnxRuntime(CUDA)
        runtime = OnnxRuntime(provider, backend=None)  # type: ignore[arg-type]
        runtime._backend = None
        assert backend.preloaded == 0
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pipeline.runtime.pool.load_onnxruntime", lambda backend=backend: backend)
            for name in ("a", "b"):
                runtime.session(model_file(tmp_path / f"{name}.onnx"))
        assert backend.preloaded == times


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"provider": "tpu"}, "provider"),
        ({"threads": 0}, "threads"),
        ({"branch_threads": 0}, "threads"),
        ({"devices": ()}, "devices"),
        ({"devices": (0, 0)}, "devices"),
        ({"devices": (-1,)}, "devices"),
        ({"arena": "doubling"}, "arena"),
        ({"memory_limit": 512}, "bytes"),
        ({"fp16": True}, "TensorRT"),
        ({"fp16": True, "provider": "cuda"}, "TensorRT"),
        ({"cuda_graphs": True}, "cuda_graphs"),
    ],
)
def test_senseless_options_are_refused(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        RuntimeOptions(**given)
