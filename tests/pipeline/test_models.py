"""The model catalogue, the store that checks digests, and the conversions."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import threading
from pathlib import Path
from types import MappingProxyType

import dlib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.embed import DlibEmbedder, face_chip
from pipeline.engine import FaceEngine
from pipeline.errors import ModelUnavailable
from pipeline.faces import Face, Pixels
from pipeline.models import ModelEntry, ModelStore, load_catalogue
from pipeline.models.dlib_format import DlibFormatError, read_network
from pipeline.runtime import OnnxRuntime
from tests.pipeline.samples import read_clip


def changed(name: str, **fields: str) -> MappingProxyType[str, ModelEntry]:
    return MappingProxyType({name: dataclasses.replace(load_catalogue()[name], **fields)})


def dlib_source() -> Path:
    entry = load_catalogue()["dlib_resnet"]
    return Path(str(importlib.metadata.distribution(entry.distribution).locate_file(entry.file)))


def test_the_catalogue_names_every_model_of_the_pipeline_and_its_licence() -> None:
    catalogue = load_catalogue()
    assert set(catalogue) == {
        "blazeface", "face_mesh", "iris", "dlib_resnet", "age", "nudenet_320n", "open_nsfw",
    }  # fmt: skip
    assert all(entry.licence and len(entry.sha256) == 64 for entry in catalogue.values())


def test_the_catalogue_names_the_installed_versions() -> None:
    for entry in load_catalogue().values():
        assert importlib.metadata.version(entry.distribution) == entry.version, entry.name


def test_every_model_loads_with_the_tensors_that_the_catalogue_declares(
    runtime: OnnxRuntime, store: ModelStore
) -> None:
    for name in store.names:
        session, entry = runtime.session(store.path(name)), store.entry(name)
        assert {tensor.name for tensor in session.get_inputs()} == set(entry.inputs), name
        assert set(entry.outputs) <= {tensor.name for tensor in session.get_outputs()}, name


def test_preparing_reports_progress_and_a_second_run_converts_nothing(tmp_path: Path) -> None:
    catalogue = MappingProxyType({name: load_catalogue()[name] for name in ("blazeface", "age")})
    seen: list[tuple[str, int, int]] = []
    ModelStore(tmp_path, catalogue).prepare(lambda *report: seen.append(report))
    assert seen == [("blazeface", 0, 2), ("age", 1, 2), ("", 2, 2)]
    (converted,) = tmp_path.iterdir()
    before = converted.stat().st_mtime_ns
    ModelStore(tmp_path, catalogue).prepare()
    assert converted.stat().st_mtime_ns == before


def test_a_model_is_converted_on_demand_and_by_many_threads_only_once(tmp_path: Path) -> None:
    store, paths = ModelStore(tmp_path), []
    threads = [threading.Thread(target=lambda: paths.append(store.path("face_mesh"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(paths) == 4 and len(set(paths)) == 1


def test_a_converted_file_that_was_tampered_with_is_refused_by_name_and_repaired_by_preparing(
    tmp_path: Path,
) -> None:
    path = ModelStore(tmp_path).path("blazeface")
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(ModelUnavailable, match="blazeface") as refusal:
        ModelStore(tmp_path).path("blazeface")
    assert refusal.value.code == "model_changed"
    catalogue = MappingProxyType({"blazeface": load_catalogue()["blazeface"]})
    ModelStore(tmp_path, catalogue).prepare()
    assert ModelStore(tmp_path).path("blazeface") == path


@pytest.mark.parametrize("name", ["open_nsfw", "blazeface"])
def test_a_package_whose_file_has_another_digest_is_refused_by_name(tmp_path: Path, name: str) -> None:
    store = ModelStore(tmp_path, changed(name, source_sha256="0" * 64))
    with pytest.raises(ModelUnavailable, match=name) as refusal:
        store.path(name)
    assert refusal.value.code == "model_changed"


def test_a_conversion_with_another_result_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable) as refusal:
        ModelStore(tmp_path, changed("iris", sha256="0" * 64)).path("iris")
    assert refusal.value.code == "conversion_differs"
    assert not list(tmp_path.iterdir())


def test_a_missing_package_a_missing_file_and_an_unknown_name_are_named(tmp_path: Path) -> None:
    for fields in ({"distribution": "no-such-package"}, {"file": "nudenet/other.onnx"}):
        with pytest.raises(ModelUnavailable) as refusal:
            ModelStore(tmp_path, changed("nudenet_320n", **fields)).path("nudenet_320n")
        assert refusal.value.code == "model_missing"
    with pytest.raises(ModelUnavailable) as refusal:
        ModelStore(tmp_path).path("inswapper")
    assert refusal.value.code == "model_unknown"


@pytest.fixture(scope="module")
def chips(engine: FaceEngine, astronaut: Pixels, astronaut_face: Face, testdata: Path) -> list[Pixels]:
    found = [face_chip(astronaut, astronaut_face)]
    for frame in read_clip(testdata / "video/help.mkv", 15):
        found += [face_chip(frame, face) for face in engine.look(frame)]
    return found


def test_the_rebuilt_network_equals_dlib(runtime: OnnxRuntime, store: ModelStore, chips: list[Pixels]) -> None:
    oracle = dlib.face_recognition_model_v1(str(dlib_source()))
    expected = [oracle.compute_face_descriptor(np.ascontiguousarray(chip[..., ::-1])) for chip in chips]
    ours = DlibEmbedder(runtime, store).embed_chips(chips)
    assert len(chips) >= 4
    assert np.abs(ours - np.array(expected)).max() < 1e-5


def test_a_batch_gives_what_single_faces_give(runtime: OnnxRuntime, store: ModelStore, chips: list[Pixels]) -> None:
    embedder = DlibEmbedder(runtime, store)
    many = (chips * 12)[:40]
    singles = np.concatenate([embedder.embed_chips([chip]) for chip in chips])
    assert np.abs(embedder.embed_chips(many)[: len(chips)] - singles).max() < 1e-5
    assert embedder.embed_chips([]).shape == (0, 128)


def test_the_parsed_network_is_dlibs_resnet() -> None:
    network = read_network(dlib_source().read_bytes())
    assert network.side == 150
    assert network.mean == pytest.approx((122.782, 117.001, 104.298), abs=1e-3)
    assert sum(layer.kind == "con_4" for layer in network.layers) == 29
    assert network.layers[-1].numbers == {"outputs": 128, "inputs": 256}


def test_every_cut_of_the_network_file_is_refused() -> None:
    data = dlib_source().read_bytes()
    for length in (0, 1, 17, 300, 340, 20_000, len(data) - 1):
        with pytest.raises(DlibFormatError):
            read_network(data[:length])
    with pytest.raises(DlibFormatError):
        read_network(data + b"\0")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(at=st.integers(0, 500), value=st.integers(0, 255))
def test_a_changed_byte_in_the_network_file_is_parsed_or_refused_but_never_crashes(at: int, value: int) -> None:
    data = bytearray(_HEAD)
    data[at] = value
    with pytest.raises(DlibFormatError):  # the head alone is too short in any case
        read_network(bytes(data))


_HEAD = dlib_source().read_bytes()[:4096]
