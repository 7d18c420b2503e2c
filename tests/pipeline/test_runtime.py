"""ONNX Runtime: exactly one installation, the provider that was asked for, shared sessions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from pipeline.errors import ModelUnavailable
from pipeline.models import ModelStore
from pipeline.runtime import OnnxRuntime, check_installation, installed_runtimes

NO_GPU = "CUDAExecutionProvider" not in onnxruntime.get_available_providers()
without_gpu_build = pytest.mark.skipif(not NO_GPU, reason="this ONNX Runtime can use a GPU")


def test_this_installation_has_exactly_one_onnx_runtime() -> None:
    assert check_installation() in installed_runtimes()


def test_two_distributions_are_refused_by_name() -> None:
    with pytest.raises(ModelUnavailable, match=r"onnxruntime, onnxruntime-gpu") as refusal:
        check_installation(installed=["onnxruntime", "ONNXRuntime_GPU", "numpy"])
    assert refusal.value.code == "runtime_ambiguous"


def test_no_distribution_is_refused() -> None:
    with pytest.raises(ModelUnavailable) as refusal:
        check_installation(installed=["numpy", "onnx"])
    assert refusal.value.code == "runtime_missing"


def test_packages_that_only_extend_onnx_runtime_do_not_count() -> None:
    names = ["onnxruntime-extensions", "onnxruntime_genai", "onnxruntime-directml", "onnx"]
    assert installed_runtimes(names) == ["onnxruntime-directml"]


@without_gpu_build
def test_a_provider_that_the_installation_lacks_is_refused() -> None:
    with pytest.raises(ModelUnavailable) as refusal:
        check_installation("cuda")
    assert refusal.value.code == "provider_missing"


@without_gpu_build
@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_a_session_never_falls_back_to_the_cpu_unasked(store: ModelStore, provider: str) -> None:
    with pytest.raises(ModelUnavailable) as refusal:
        OnnxRuntime(provider).session(store.path("blazeface"))  # type: ignore[arg-type]
    assert refusal.value.code == "provider_refused"


@without_gpu_build
def test_a_session_falls_back_where_the_settings_allow_it(store: ModelStore) -> None:
    session = OnnxRuntime("cuda", allow_cpu_fallback=True).session(store.path("blazeface"))
    assert session.get_providers() == ["CPUExecutionProvider"]


def test_threads_share_one_session_a_model_and_agree(store: ModelStore) -> None:
    runtime, path = OnnxRuntime(), store.path("face_mesh")
    picture = np.random.default_rng(1).random((1, 3, 192, 192), np.float32)

    def run(_: int) -> tuple[int, bytes]:
        session = runtime.session(path)
        return id(session), session.run(None, {"input_1": picture})[0].tobytes()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(run, range(12)))) == 1


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(ModelUnavailable, match=r"bad\.onnx") as refusal:
        OnnxRuntime().session(tmp_path / "bad.onnx")
    assert refusal.value.code == "model_broken"


def test_senseless_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="provider"):
        OnnxRuntime("tpu")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="threads"):
        OnnxRuntime(threads=0)
