"""Models that an operator supplies: taken in whole, checked and pinned, or not at all."""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path

import httpx
import numpy as np
import pytest

from pipeline.errors import ModelUnavailable
from pipeline.models import LicencePolicy, ModelStore, Terms
from pipeline.models.install import Installer
from pipeline.runtime import OnnxRuntime
from tests.pipeline.models.graphs import converter, with_outside_weights

NAME = "ghost_256_converter"


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return converter(tmp_path / "mine.onnx")


def installer(store: ModelStore, *, accept: bool = True) -> Installer:
    return Installer(store, accept_licence=accept)


def code_of(action: object, *arguments: object, **rest: object) -> str:
    with pytest.raises(ModelUnavailable) as refusal:
        action(*arguments, **rest)  # type: ignore[operator]
    return refusal.value.code


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def lying_in(store: ModelStore) -> list[str]:
    return sorted(path.name for path in store.operator_folder.glob("*"))


def test_a_model_that_is_not_installed_is_named_with_where_to_get_it(store: ModelStore) -> None:
    with pytest.raises(ModelUnavailable, match=NAME) as refusal:
        store.path(NAME)
    assert refusal.value.code == "model_missing"
    assert "crossface_ghost" in refusal.value.hint and f"--as {NAME}" in refusal.value.hint
    assert code_of(store.digest, NAME) == "model_missing"
    assert not store.has(NAME) and store.installed(NAME) is None


def test_an_added_model_runs_and_is_pinned(store: ModelStore, file: Path) -> None:
    record = installer(store).add(file, NAME)
    assert record.sha256 == record.source_sha256 == sha256(file) == store.digest(NAME)
    assert store.has(NAME) and store.installed(NAME) == record
    again = ModelStore(store.operator_folder.parent)
    session = OnnxRuntime().session(again.path(NAME))
    (output,) = session.run(None, {"input": np.ones((1, 512), np.float32)})
    assert output.tolist() == [[2.0] * 512]


def test_an_installed_model_is_not_among_those_that_are_always_there(store: ModelStore, file: Path) -> None:
    before = store.names
    installer(store).add(file, NAME)
    assert store.names == before


@pytest.mark.parametrize("damage", ["changed", "gone", "other record"])
def test_an_installed_model_that_was_tampered_with_is_refused_by_name(
    store: ModelStore, file: Path, damage: str
) -> None:
    installer(store).add(file, NAME)
    path = store.path(NAME)
    match damage:
        case "changed":
            path.write_bytes(path.read_bytes() + b"\0")
        case "gone":
            path.unlink()
        case "other record":
            record = json.loads(store.record_path(NAME).read_text())
            store.record_path(NAME).write_text(json.dumps(record | {"sha256": "0" * 64}))
    fresh = ModelStore(store.operator_folder.parent)
    with pytest.raises(ModelUnavailable, match=NAME) as refusal:
        fresh.path(NAME)
    assert refusal.value.code == "model_changed"
    assert {name: error.code for name, error in fresh.verify() if error} == {NAME: "model_changed"}


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"format": 1}', '{"format": 2, "name": "ghost_256_converter"}'])
def test_a_damaged_record_is_refused_by_name(store: ModelStore, file: Path, text: str) -> None:
    installer(store).add(file, NAME)
    store.record_path(NAME).write_text(text)
    assert code_of(store.path, NAME) == "model_changed"


def test_a_record_of_another_pin_than_the_catalogues_is_refused(tmp_path: Path, minifasnet_files: Path) -> None:
    store = ModelStore(tmp_path)
    installer(store).install("minifasnet_v2", minifasnet_files.as_uri())
    other = converter(tmp_path / "other.onnx")
    record = json.loads(store.record_path("minifasnet_v2").read_text()) | {"sha256": sha256(other)}
    (store.operator_folder / f"minifasnet_v2-{sha256(other)[:12]}.onnx").write_bytes(other.read_bytes())
    store.record_path("minifasnet_v2").write_text(json.dumps(record))
    assert code_of(ModelStore(tmp_path).path, "minifasnet_v2") == "model_changed"


def test_a_licence_that_restricts_use_must_be_accepted_first(store: ModelStore, file: Path) -> None:
    with pytest.raises(ModelUnavailable, match="unknown, check") as refusal:
        installer(store, accept=False).add(file, NAME)
    assert refusal.value.code == "licence_not_accepted"
    assert "--accept-licence" in refusal.value.hint
    assert lying_in(store) == []


def test_settings_that_name_a_licence_accept_it(tmp_path: Path, file: Path) -> None:
    store = ModelStore(tmp_path / "m", licences=LicencePolicy(frozenset({"LicenseRef-Unknown"})))
    assert installer(store, accept=False).add(file, NAME).name == NAME


def test_a_licence_that_the_settings_do_not_accept_is_refused_although_the_operator_accepts_it(
    tmp_path: Path, file: Path
) -> None:
    store = ModelStore(tmp_path / "m", licences=LicencePolicy(commercial=True))
    assert code_of(installer(store).add, file, NAME) == "licence_not_accepted"
    own = Terms("bought from the author", ("LicenseRef-Bought",), commercial_use=True)
    installer(store).add(file, NAME, terms=own)
    assert store.terms(NAME) == own and store.path(NAME).is_file()


def test_a_model_that_settings_refuse_later_does_not_run(store: ModelStore, file: Path) -> None:
    installer(store).add(file, NAME)
    strict = ModelStore(store.operator_folder.parent, licences=LicencePolicy(commercial=True))
    assert code_of(strict.path, NAME) == "licence_not_accepted"
    assert not strict.has(NAME)


def test_a_wrong_digest_is_refused_and_leaves_nothing(store: ModelStore, file: Path) -> None:
    assert code_of(installer(store).add, file, NAME, sha256="0" * 64) == "digest_differs"
    assert lying_in(store) == []
    assert installer(store).add(file, NAME, sha256=sha256(file).upper()).source_sha256 == sha256(file)


def test_a_digest_of_the_catalogue_is_refused_by_name(store: ModelStore, file: Path) -> None:
    with pytest.raises(ModelUnavailable, match="minifasnet_v2") as refusal:
        installer(store).add(file, "minifasnet_v2")
    assert refusal.value.code == "digest_differs"


def test_a_failed_replacement_leaves_what_was_there(store: ModelStore, file: Path, tmp_path: Path) -> None:
    installer(store).add(file, NAME)
    before = lying_in(store)
    assert code_of(installer(store).add, converter(tmp_path / "x.onnx", width=256), NAME) == "model_differs"
    assert lying_in(store) == before and store.path(NAME).is_file()


def test_a_replacement_takes_the_old_files_place(store: ModelStore, file: Path, tmp_path: Path) -> None:
    installer(store).add(file, NAME)
    first = store.path(NAME)
    installer(store).add(converter(tmp_path / "x.onnx", factor=3), NAME)
    assert store.path(NAME) != first and not first.exists()
    assert len(lying_in(store)) == 2


def test_removing_a_model_removes_it_with_its_record(store: ModelStore, file: Path) -> None:
    installer(store).add(file, NAME)
    assert installer(store).remove(NAME)
    assert lying_in(store) == []
    assert code_of(store.path, NAME) == "model_missing"
    assert not installer(store).remove(NAME)


def test_a_file_that_is_no_model_is_refused(store: ModelStore, tmp_path: Path) -> None:
    for content in (b"", b"no model", bytes(1000)):
        (tmp_path / "x.onnx").write_bytes(content)
        assert code_of(installer(store).add, tmp_path / "x.onnx", NAME) == "model_broken"


@pytest.mark.parametrize(
    "inputs",
    [{"input": [1, 256]}, {"input": [1, 512, 1]}, {"input": [1, 512], "more": [1]}, {"input": [1, 3, 512, 512]}],
)
def test_a_model_with_other_tensors_is_refused_with_both_descriptions(
    store: ModelStore, tmp_path: Path, inputs: dict[str, list[int | str]]
) -> None:
    with pytest.raises(ModelUnavailable, match="expected input 1x512, found") as refusal:
        installer(store).add(converter(tmp_path / "x.onnx", inputs=inputs), NAME)
    assert refusal.value.code == "model_differs"


def test_other_names_and_open_dimensions_are_no_difference(store: ModelStore, tmp_path: Path) -> None:
    assert installer(store).add(converter(tmp_path / "x.onnx", inputs={"embedding": ["N", 512]}), NAME)


def test_a_model_that_keeps_weights_elsewhere_is_refused(store: ModelStore, tmp_path: Path) -> None:
    file = with_outside_weights(tmp_path / "x.onnx", "../../etc/passwd")
    with pytest.raises(ModelUnavailable, match="other files") as refusal:
        installer(store).add(file, NAME)
    assert refusal.value.code == "model_broken"


def test_packaged_and_unknown_models_cannot_be_added(store: ModelStore, file: Path) -> None:
    assert code_of(installer(store).add, file, "blazeface") == "model_packaged"
    assert code_of(installer(store).add, file, "no_such_model") == "model_unknown"
    assert code_of(installer(store).install, "no_such_family") == "model_unknown"


def test_a_family_is_installed_from_a_folder_and_a_second_time_nothing_is_fetched(
    store: ModelStore, minifasnet_files: Path
) -> None:
    seen: list[str] = []
    records = installer(store, accept=False).install("minifasnet", minifasnet_files.as_uri())
    assert [record.name for record in records] == ["minifasnet_v2", "minifasnet_v1se"]
    again = installer(store).install("minifasnet", minifasnet_files.as_uri(), watch=seen.append)
    assert again == records and seen == []


def test_a_damaged_model_is_fetched_anew(store: ModelStore, minifasnet_files: Path) -> None:
    installer(store).install("minifasnet_v2", minifasnet_files.as_uri())
    store.path("minifasnet_v2").write_bytes(b"")
    installer(store).install("minifasnet_v2", minifasnet_files.as_uri())
    assert store.path("minifasnet_v2").stat().st_size > 1_000_000


def test_an_install_without_an_address_says_where_the_model_is_to_be_had(store: ModelStore) -> None:
    with pytest.raises(ModelUnavailable, match="InsightFace") as refusal:
        installer(store).install("inswapper_128")
    assert refusal.value.code == "source_missing"


def test_a_download_is_installed_with_its_origin(store: ModelStore, file: Path) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=iter([file.read_bytes()])))
    (record,) = Installer(store, accept_licence=True, transport=transport).install(
        NAME, "https://models.example/x.onnx?token=1"
    )
    assert record.origin == "https://models.example/x.onnx"
    assert store.digest(NAME) == sha256(file)


def test_the_network_is_not_touched_before_the_licence_is_accepted(store: ModelStore) -> None:
    def touched(_: httpx.Request) -> httpx.Response:
        raise AssertionError

    transport = httpx.MockTransport(touched)
    assert code_of(Installer(store, transport=transport).install, NAME, "https://a.example/x") == "licence_not_accepted"


def test_two_installations_at_once_end_with_one_whole_model(store: ModelStore, tmp_path: Path) -> None:
    files = [converter(tmp_path / f"{factor}.onnx", factor=factor) for factor in (3, 4)]
    threads = [threading.Thread(target=installer(store).add, args=(file, NAME)) for file in files * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ModelStore(store.operator_folder.parent).digest(NAME) in {sha256(file) for file in files}
    assert not [name for name in lying_in(store) if name.endswith(".part")]
