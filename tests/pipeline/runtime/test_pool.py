"""Sessions are shared, warmed, spread over devices, released when idle; fallbacks are allowed and seen, or refused."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import ModelUnavailable
from pipeline.runtime import Fallback, OnnxRuntime, RuntimeOptions
from tests.pipeline.models.graphs import converter
from tests.pipeline.runtime.fake import CPU, CUDA, TENSORRT, FakeOnnxRuntime, model_file

FEED = {"x": np.ones((1, 2), np.float32)}


def runtime_on(backend: FakeOnnxRuntime, **options: Any) -> OnnxRuntime:
    return OnnxRuntime(options=RuntimeOptions(**options), backend=backend)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return model_file(tmp_path / "m.onnx")


def test_a_session_is_warmed_once_and_cannot_fall_back_while_running(model: Path) -> None:
    backend = FakeOnnxRuntime()
    runtime = runtime_on(backend)
    assert runtime.session(model) is runtime.session(model.parent / "." / "m.onnx")
    (session,) = backend.sessions
    assert session.runs == 1 and not session.fell_back


def test_warming_can_be_left_out(model: Path) -> None:
    backend = FakeOnnxRuntime()
    runtime_on(backend, warm=False).session(model)
    assert backend.sessions[0].runs == 0


def test_a_model_that_loads_but_cannot_run_is_refused(model: Path) -> None:
    backend = FakeOnnxRuntime(CUDA)
    backend.fails = True
    with pytest.raises(ModelUnavailable, match="out of memory") as refusal:
        runtime_on(backend, provider="cuda").session(model)
    assert refusal.value.code == "model_broken"


def test_a_gpu_that_is_there_is_used_without_any_fallback(model: Path) -> None:
    runtime = runtime_on(FakeOnnxRuntime(CUDA), provider="cuda")
    assert runtime.session(model).get_providers() == [CUDA, CPU]
    assert runtime.fallbacks == () and runtime.provider_in_use == runtime.provider == "cuda"


@pytest.mark.parametrize("offers", [(), (CUDA,)], ids=["a build without", "a driver that fails"])
def test_the_cpu_instead_of_a_gpu_is_refused_unless_it_is_allowed_and_then_it_is_seen(
    model: Path, offers: tuple[str, ...]
) -> None:
    def backend() -> FakeOnnxRuntime:
        return FakeOnnxRuntime(*offers, works=(CPU,))

    with pytest.raises(ModelUnavailable, match=r"m\.onnx.*CUDA") as refusal:
        runtime_on(backend(), provider="cuda").session(model)
    assert refusal.value.code == "provider_refused"
    runtime = runtime_on(backend(), provider="cuda", allow_cpu_fallback=True)
    runtime.session(model)
    assert runtime.fallbacks == (Fallback("m.onnx", CUDA, CPU),)
    assert (runtime.provider, runtime.provider_in_use) == ("cuda", "cpu")


def test_cuda_instead_of_tensorrt_needs_no_permission_but_is_seen(model: Path) -> None:
    runtime = runtime_on(FakeOnnxRuntime(TENSORRT, CUDA, works=(CUDA, CPU)), provider="tensorrt")
    runtime.session(model)
    assert runtime.fallbacks == (Fallback("m.onnx", TENSORRT, CUDA),)
    assert runtime.provider_in_use == "cuda"


def test_runs_go_to_the_least_loaded_device(model: Path) -> None:
    backend = FakeOnnxRuntime(CUDA)
    runtime = runtime_on(backend, provider="cuda", devices=(0, 2, 5), warm=False)
    session = runtime.session(model)
    backend.gate.clear()
    with ThreadPoolExecutor(6) as pool:
        runs = [pool.submit(session.run, None, FEED) for _ in range(6)]
        deadline = time.monotonic() + 5
        while sum(runtime.running().values()) < 6 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert runtime.running() == {0: 2, 2: 2, 5: 2}
        backend.gate.set()
        assert all(run.result()[0].tolist() == [[2, 2]] for run in runs)
    assert runtime.running() == {0: 0, 2: 0, 5: 0}
    assert sorted(session.asked[CUDA]["device_id"] for session in backend.sessions) == ["0", "2", "5"]
    assert runtime.states()[0].loaded == (0, 2, 5) and runtime.states()[0].runs == 6


def test_the_load_of_a_device_counts_over_all_models(model: Path, tmp_path: Path) -> None:
    backend = FakeOnnxRuntime(CUDA)
    runtime = runtime_on(backend, provider="cuda", devices=(0, 1), warm=False)
    busy, other = runtime.session(model), runtime.session(model_file(tmp_path / "other.onnx"))
    backend.gate.clear()
    thread = threading.Thread(target=busy.run, args=(None, FEED))
    thread.start()
    while not sum(runtime.running().values()):
        time.sleep(0.01)
    second = threading.Thread(target=other.run, args=(None, FEED))
    second.start()
    while sum(runtime.running().values()) < 2:
        time.sleep(0.01)
    assert runtime.running() == {0: 1, 1: 1}
    backend.gate.set()
    thread.join()
    second.join()


def test_a_device_is_free_again_after_a_run_that_failed(model: Path) -> None:
    backend = FakeOnnxRuntime(CUDA)
    runtime = runtime_on(backend, provider="cuda")
    session = runtime.session(model)
    backend.fails = True
    with pytest.raises(RuntimeError, match="out of memory"):
        session.run(None, FEED)
    assert runtime.running() == {0: 0}


def test_several_devices_that_end_on_the_cpu_share_one_session(model: Path) -> None:
    backend = FakeOnnxRuntime()
    runtime = runtime_on(backend, provider="cuda", devices=(0, 1, 2), allow_cpu_fallback=True)
    session = runtime.session(model)
    for _ in range(5):
        session.run(None, FEED)
    assert len(backend.sessions) == 1


def test_idle_sessions_are_released_and_come_back(model: Path) -> None:
    backend = FakeOnnxRuntime()
    runtime = runtime_on(backend)
    session = runtime.session(model)
    assert runtime.release_idle(60) == 0
    assert runtime.release_idle(0) == 1 and runtime.release_idle(0) == 0
    assert runtime.states()[0].loaded == ()
    assert session.get_inputs()[0].name == "x"
    assert session.run(None, FEED)[0].tolist() == [[2, 2]]
    assert len(backend.sessions) == 2 and runtime.states()[0].loaded == (0,)


def test_a_session_that_runs_is_not_released(model: Path) -> None:
    backend = FakeOnnxRuntime()
    runtime = runtime_on(backend, warm=False)
    session = runtime.session(model)
    backend.gate.clear()
    thread = threading.Thread(target=session.run, args=(None, FEED))
    thread.start()
    while not backend.sessions[0].runs:
        time.sleep(0.01)
    assert runtime.release_idle(0) == 0
    backend.gate.set()
    thread.join()
    assert runtime.release_idle(0) == 1


def test_what_comes_back_after_a_release_must_be_the_same_file(model: Path) -> None:
    runtime = runtime_on(FakeOnnxRuntime())
    session = runtime.session(model)
    runtime.release_idle(0)
    model.write_bytes(b"other weights")
    with pytest.raises(ModelUnavailable, match="changed") as refusal:
        session.run(None, FEED)
    assert refusal.value.code == "model_changed"


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"none\.onnx") as refusal:
        OnnxRuntime().session(tmp_path / "none.onnx")
    assert refusal.value.code == "model_broken"


def test_real_sessions_work_release_and_come_back_under_many_threads(tmp_path: Path) -> None:
    runtime = OnnxRuntime()
    session = runtime.session(converter(tmp_path / "c.onnx"))
    stop = threading.Event()

    def release() -> None:
        while not stop.is_set():
            runtime.release_idle(0)

    thread = threading.Thread(target=release)
    thread.start()
    try:
        with ThreadPoolExecutor(4) as pool:
            rows = [np.full((1, 512), number, np.float32) for number in range(200)]
            results = list(pool.map(lambda row: session.run(["output"], {"input": row})[0][0, 0], rows))
    finally:
        stop.set()
        thread.join()
    assert results == [2.0 * number for number in range(200)]
