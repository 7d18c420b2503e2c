"""Bound sessions give what plain ones give, and keep their buffers apart."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pipeline.models import ModelStore
from pipeline.runtime import OnnxRuntime
from tests.pipeline.models.graphs import converter


@pytest.fixture
def runtime() -> OnnxRuntime:
    return OnnxRuntime()


def test_a_bound_run_equals_a_plain_one(runtime: OnnxRuntime, store: ModelStore) -> None:
    path = store.path("face_mesh")
    picture = np.random.default_rng(1).random((1, 3, 192, 192), np.float32)
    plain = runtime.session(path)
    expected = dict(zip([o.name for o in plain.get_outputs()], plain.run(None, {"input_1": picture}), strict=True))
    bound = runtime.bound(path)
    for _ in range(2):
        found = bound.run({"input_1": picture})
        assert found.keys() == expected.keys()
        assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_results_of_an_earlier_run_stay_as_they_were(runtime: OnnxRuntime, tmp_path: Path) -> None:
    bound = runtime.bound(converter(tmp_path / "c.onnx"))
    first = bound.run({"input": np.ones((1, 512), np.float32)})["output"]
    second = bound.run({"input": np.full((1, 512), 5, np.float32)})["output"]
    assert (first == 2).all() and (second == 10).all()


def test_shapes_may_change_from_run_to_run(runtime: OnnxRuntime, tmp_path: Path) -> None:
    bound = runtime.bound(converter(tmp_path / "c.onnx", inputs={"input": ["N", 4]}))
    for rows in (1, 3, 2, 12, 1, 7, 5, 9, 4, 8, 3):
        strided = np.arange(rows * 8, dtype=np.float32).reshape(rows, 8)[:, ::2]
        assert np.array_equal(bound.run({"input": strided})["output"], strided * 2)


def test_many_threads_share_a_bound_session(runtime: OnnxRuntime, tmp_path: Path) -> None:
    bound = runtime.bound(converter(tmp_path / "c.onnx"))
    assert runtime.bound(tmp_path / "c.onnx") is bound

    def run(number: int) -> float:
        return float(bound.run({"input": np.full((1, 512), number, np.float32)})["output"][0, 0])

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(run, range(50))) == [2.0 * number for number in range(50)]


def test_wrong_inputs_are_refused(runtime: OnnxRuntime, tmp_path: Path) -> None:
    bound = runtime.bound(converter(tmp_path / "c.onnx"))
    for feed in ({}, {"other": np.ones((1, 512), np.float32)}, {"input": np.ones((1, 512), np.float64)}):
        with pytest.raises(ValueError, match="input"):
            bound.run(feed)


def test_an_idle_bound_session_is_released_and_comes_back(runtime: OnnxRuntime, tmp_path: Path) -> None:
    bound = runtime.bound(converter(tmp_path / "c.onnx"))
    feed = {"input": np.ones((1, 512), np.float32)}
    bound.run(feed)
    assert runtime.release_idle(60) == 0
    assert runtime.release_idle(0) == 2
    assert (bound.run(feed)["output"] == 2).all()
