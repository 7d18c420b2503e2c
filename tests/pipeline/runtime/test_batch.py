"""Graphs for one picture take several where that gives the same, and are left alone where it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pipeline.errors import ModelUnavailable
from pipeline.models import ModelStore
from pipeline.runtime import OnnxRuntime, RuntimeOptions, with_dynamic_batch

PICTURE = [1, 3, 8, 8]


def save(path: Path, nodes: list[Any], constants: dict[str, Any], output: list[int | str], **inputs: Any) -> Path:
    inputs = inputs or {"picture": PICTURE}
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, output)],
        initializer=[numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(onnx.shape_inference.infer_shapes(model).SerializeToString())
    return path


def node(kind: str, inputs: list[str], output: str, **attributes: Any) -> Any:
    return helper.make_node(kind, inputs, [output], **attributes)


def swapper(path: Path, target: list[int]) -> Path:
    """Adds a number made of the identity to the picture, through a reshape of the kind that exporters write."""
    nodes = [
        node("MatMul", ["source", "weights"], "number"),
        node("Reshape", ["number", "shape"], "spread"),
        node("Add", ["target", "spread"], "out"),
    ]
    constants = {"weights": np.arange(4, dtype=np.float32).reshape(4, 1), "shape": np.array(target, np.int64)}
    return save(path, nodes, constants, PICTURE, target=PICTURE, source=[1, 4])


@pytest.mark.parametrize("target", [[1, 1, 1, 1], [1, -1, 1, 1], [-1, 1, 1, 1]])
def test_a_swapper_for_one_face_takes_three_with_the_same_result(tmp_path: Path, target: list[int]) -> None:
    path = swapper(tmp_path / "s.onnx", target)
    runtime, random = OnnxRuntime(), np.random.default_rng(1)
    feed = {"target": random.random((3, 3, 8, 8), np.float32), "source": random.random((3, 4), np.float32)}
    session = runtime.session(path, dynamic_batch=True)
    assert session.batched and not session.notice
    assert not isinstance(session.get_inputs()[0].shape[0], int)
    (together,) = session.run(None, feed)
    plain = runtime.session(path)
    alone = [plain.run(None, {name: rows[i : i + 1] for name, rows in feed.items()})[0] for i in range(3)]
    assert np.allclose(together, np.concatenate(alone), atol=1e-6)


def test_a_graph_that_mixes_its_pictures_is_left_at_one(tmp_path: Path) -> None:
    nodes = [node("ReduceMean", ["picture"], "mean", axes=[0], keepdims=1), node("Sub", ["picture", "mean"], "out")]
    found = with_dynamic_batch(save(tmp_path / "m.onnx", nodes, {}, PICTURE))
    assert not found.dynamic and "differs in a batch" in found.notice


def test_a_graph_that_folds_the_batch_away_is_left_at_one(tmp_path: Path) -> None:
    nodes = [node("Reshape", ["picture", "shape"], "out")]
    found = with_dynamic_batch(save(tmp_path / "m.onnx", nodes, {"shape": np.array([192], np.int64)}, [192]))
    assert not found.dynamic and "no batch axis" in found.notice


def test_a_resize_to_a_fixed_size_takes_a_batch(tmp_path: Path) -> None:
    nodes = [node("Resize", ["picture", "", "", "sizes"], "out", mode="linear")]
    path = save(tmp_path / "m.onnx", nodes, {"sizes": np.array([1, 3, 16, 24], np.int64)}, [1, 3, 16, 24])
    session = OnnxRuntime().session(path, dynamic_batch=True)
    assert session.batched
    assert session.run(None, {"picture": np.ones((4, 3, 8, 8), np.float32)})[0].shape == (4, 3, 16, 24)


def test_a_graph_that_writes_one_picture_down_elsewhere_is_left_at_one(tmp_path: Path) -> None:
    nodes = [node("Slice", ["picture", "start", "end"], "out")]
    constants = {"start": np.array([0], np.int64), "end": np.array([1], np.int64)}
    found = with_dynamic_batch(save(tmp_path / "m.onnx", nodes, constants, PICTURE))
    assert not found.dynamic and "shape" in found.notice


def test_a_graph_that_takes_any_number_already_is_not_edited(tmp_path: Path, store: ModelStore) -> None:
    for path in (
        save(tmp_path / "m.onnx", [node("Relu", ["picture"], "out")], {}, ["N", 3, 8, 8], picture=["N", 3, 8, 8]),
        store.path("dlib_resnet"),
    ):
        found = with_dynamic_batch(path)
        assert found.dynamic and not found.edited


def test_a_number_that_goes_with_all_pictures_stays_one(tmp_path: Path) -> None:
    nodes = [node("Mul", ["picture", "weight"], "out")]
    path = save(tmp_path / "m.onnx", nodes, {}, PICTURE, picture=PICTURE, weight=[1])
    session = OnnxRuntime().session(path, dynamic_batch=True)
    assert session.batched
    feed = {"picture": np.ones((5, 3, 8, 8), np.float32), "weight": np.array([3], np.float32)}
    assert session.run(None, feed)[0].shape == (5, 3, 8, 8)


def test_the_packaged_mesh_model_takes_a_batch(store: ModelStore) -> None:
    runtime = OnnxRuntime()
    session = runtime.session(store.path("face_mesh"), dynamic_batch=True)
    plain = runtime.session(store.path("face_mesh"))
    pictures = np.random.default_rng(2).random((4, 3, 192, 192), np.float32)
    assert session.batched
    together = session.run(None, {"input_1": pictures})
    for row in range(4):
        for many, one in zip(together, plain.run(None, {"input_1": pictures[row : row + 1]}), strict=True):
            assert np.allclose(many[row], one[0], atol=1e-3)


def test_a_session_that_stays_at_one_still_runs_and_says_why(tmp_path: Path) -> None:
    nodes = [node("ReduceMean", ["picture"], "mean", axes=[0], keepdims=1), node("Sub", ["picture", "mean"], "out")]
    session = OnnxRuntime().session(save(tmp_path / "m.onnx", nodes, {}, PICTURE), dynamic_batch=True)
    assert not session.batched and "one by one" in session.notice
    assert session.run(None, {"picture": np.ones(PICTURE, np.float32)})[0].shape == tuple(PICTURE)


def test_the_outcome_is_kept_for_the_files_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = swapper(tmp_path / "s.onnx", [1, 1, 1, 1])
    runtime = OnnxRuntime(options=RuntimeOptions(batch_cache=tmp_path / "cache"))
    assert runtime.session(path, dynamic_batch=True).batched
    (kept,) = (tmp_path / "cache").iterdir()
    with monkeypatch.context() as patch:
        patch.setattr("pipeline.runtime.batch._tried", lambda _: pytest.fail("tried again"))
        assert with_dynamic_batch(path, cache=tmp_path / "cache").dynamic
    kept.write_text("{")
    assert with_dynamic_batch(path, cache=tmp_path / "cache").dynamic


def test_an_edited_session_comes_back_edited_after_a_release(tmp_path: Path) -> None:
    runtime = OnnxRuntime()
    session = runtime.session(swapper(tmp_path / "s.onnx", [1, 1, 1, 1]), dynamic_batch=True)
    runtime.release_idle(0)
    feed = {"target": np.ones((2, 3, 8, 8), np.float32), "source": np.ones((2, 4), np.float32)}
    assert session.run(None, feed)[0].shape == (2, 3, 8, 8)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(ModelUnavailable, match=r"bad\.onnx"):
        OnnxRuntime().session(tmp_path / "bad.onnx", dynamic_batch=True)


def test_a_graph_that_is_not_edited_is_loaded_only_once(store: ModelStore) -> None:
    runtime = OnnxRuntime()
    plain = runtime.session(store.path("dlib_resnet"))
    assert runtime.session(store.path("dlib_resnet"), dynamic_batch=True) is plain
    assert plain.batched and len(runtime.states()) == 1
