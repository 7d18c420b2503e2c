"""What the catalogues say, and what an operator's own file may add."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import ModelUnavailable
from pipeline.models import LicencePolicy, ModelStore, load_catalogue, load_operator_catalogue
from pipeline.models.catalogue import full_catalogue, read_catalogue

OWN = """
[my_swapper]
family = "inswapper"
role = "face swap"
version = "7"
project = "our own training"
file = "swap.onnx"
licence = "ours"
licence_ids = ["LicenseRef-Ours"]
commercial_use = true
inputs = { target = [1, 3, 64, 64], source = [1, 512] }
outputs = { output = [1, 3, 64, 64] }
constants = { size = 64 }
"""


def write(path: Path, text: str = OWN) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_every_family_of_the_pipeline_is_known() -> None:
    names = set(load_operator_catalogue())
    assert {"inswapper_128", "hyperswap_256", "hififace_256", "uniface_256", "blendswap_256"} <= names
    assert {"simswap_256", "simswap_256_converter", "ghost_256", "ghost_256_converter"} <= names
    assert {"gfpgan_1.4", "codeformer", "restoreformer_plus_plus", "gpen_512", "xseg", "bisenet"} <= names
    assert {"arcface_w600k_r50", "scrfd", "retinaface", "yolov8_face", "yunet", "2dfan4", "fairface"} <= names
    assert {"wav2lip", "minifasnet_v2", "minifasnet_v1se"} <= names


def test_every_supplied_model_says_where_it_comes_from_and_what_it_may_be_used_for() -> None:
    for entry in load_operator_catalogue().values():
        assert entry.project and entry.licence and entry.licence_ids and entry.inputs, entry.name
        assert entry.commercial_use in (True, False, None)


def test_a_licence_that_nobody_settled_never_counts_as_a_permission() -> None:
    for entry in load_operator_catalogue().values():
        if "unknown" in entry.licence or "check" in entry.licence:
            assert not entry.commercial_use, entry.name
            assert not LicencePolicy(commercial=True).accepts(entry.terms), entry.name


def test_a_converter_belongs_to_every_swapper_that_names_one() -> None:
    catalogue = load_operator_catalogue()
    named = {name: entry.constants["converter"] for name, entry in catalogue.items() if "converter" in entry.constants}
    assert set(named) == {"simswap_256", "ghost_256", "hififace_256"}
    assert all(catalogue[converter].family == catalogue[name].family for name, converter in named.items())


def test_a_file_in_the_model_folder_and_one_named_by_the_settings_add_models(tmp_path: Path) -> None:
    write(tmp_path / "catalogue.toml")
    other = write(tmp_path / "other.toml", OWN.replace("my_swapper", "another_swapper"))
    store = ModelStore(tmp_path, extension=other)
    assert store.entry("my_swapper").inputs["target"] == (1, 3, 64, 64)
    assert store.entry("another_swapper").constants["size"] == 64
    assert set(load_catalogue()) == set(store.names)


def test_an_operator_may_describe_a_supplied_model_anew(tmp_path: Path) -> None:
    path = write(tmp_path / "own.toml", OWN.replace("[my_swapper]", "[inswapper_128]"))
    assert full_catalogue(path)["inswapper_128"].licence == "ours"


def test_a_packaged_model_cannot_be_described_anew(tmp_path: Path) -> None:
    path = write(tmp_path / "own.toml", OWN.replace("[my_swapper]", "[nudenet_320n]"))
    with pytest.raises(ModelUnavailable, match="nudenet_320n") as refusal:
        read_catalogue(path)
    assert refusal.value.code == "catalogue_broken"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("[my_swapper]", '["../escape"]', "name"),
        ('role = "face swap"', 'rôle = "x"', "own.toml"),
        ('role = "face swap"', 'rolle = "face swap"', "rolle"),
        ('licence = "ours"\n', "", "licence"),
        ("commercial_use = true", 'commercial_use = "perhaps"', "commercial_use"),
        ('version = "7"', 'version = "7"\nsha256 = "abc"', "64 hexadecimal"),
        ('version = "7"', 'version = "7"\nconverter = "pickle"', "pickle"),
        ("inputs = { target = [1, 3, 64, 64], source = [1, 512] }", "inputs = 7", "my_swapper"),
        ("constants = { size = 64 }", "constants = { size = ", "own.toml"),
    ],
)
def test_a_broken_catalogue_is_refused_with_what_is_wrong(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    assert old in OWN
    with pytest.raises(ModelUnavailable, match=complaint) as refusal:
        read_catalogue(write(tmp_path / "own.toml", OWN.replace(old, new)))
    assert refusal.value.code == "catalogue_broken"


def test_a_missing_catalogue_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"none\.toml"):
        ModelStore(tmp_path, extension=tmp_path / "none.toml")
