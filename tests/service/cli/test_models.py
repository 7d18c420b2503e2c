"""`assent models` as an operator uses it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from service.cli.main import main
from service.platform.settings import Settings
from tests.pipeline.models.graphs import converter

NAME = "ghost_256_converter"


class Assent:
    """The command with a home of its own, in this process."""

    def __init__(self, home: Path, patch: pytest.MonkeyPatch, output: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self._patch = patch
        self._output = output
        patch.setenv("ASSENT_HOME", str(home))
        patch.setenv("COLUMNS", "200")

    def set(self, name: str, value: str) -> None:
        self._patch.setenv(name, value)

    def __call__(self, *arguments: str, status: int = 0) -> str:
        self._patch.setattr("sys.argv", ["assent", "models", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = self._output.readouterr()
        assert (end.value.code or 0) == status, out + err
        return " ".join((out + err).split())


@pytest.fixture
def assent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Assent:
    return Assent(tmp_path / "home", monkeypatch, capsys)


def test_the_help_teaches_every_command(assent: Assent) -> None:
    text = assent("--help")
    assert all(command in text for command in ("list", "install", "add", "verify", "licence", "remove", "prepare"))
    assert "--accept-licence" in assent("add", "--help") and "https://" in assent("install", "--help")


def test_the_list_shows_what_is_there_and_with_all_what_could_be(assent: Assent) -> None:
    text = assent("list")
    assert "blazeface" in text and "inswapper_128" not in text
    everything = {row["name"]: row for row in json.loads(assent("list", "--all", "--json"))}
    assert everything["inswapper_128"]["state"] == "absent" and everything["inswapper_128"]["commercial_use"] is False
    assert everything["hififace_256"]["commercial_use"] is None
    assert everything["blazeface"]["state"] == "packaged"


def test_a_model_is_added_listed_verified_and_removed(assent: Assent, tmp_path: Path) -> None:
    file = converter(tmp_path / "mine.onnx")
    refusal = assent("add", str(file), "--as", NAME, status=1)
    assert NAME in refusal and "--accept-licence" in refusal
    assert "pinned" in assent("add", str(file), "--as", NAME, "--accept-licence")
    assert NAME in assent("list")
    assert f"ok {NAME}" in assent("verify")
    assert "when it was installed" in assent("licence", NAME)
    (installed,) = (assent.home / "models" / "operator").glob("*.onnx")
    installed.write_bytes(b"tampered with")
    assert f"wrong {NAME}" in assent("verify", status=1)
    assert "removed" in assent("remove", NAME)
    assert NAME not in assent("list")


def test_minifasnet_is_installed_from_a_mirror(assent: Assent, minifasnet_files: Path) -> None:
    text = assent("install", "minifasnet", "--from", minifasnet_files.as_uri())
    assert "minifasnet_v2 is installed" in text and "minifasnet_v1se is installed" in text
    assert "ok minifasnet_v1se" in assent("verify")


def test_refusals_are_one_clear_line_with_what_to_do(assent: Assent, tmp_path: Path) -> None:
    file = converter(tmp_path / "mine.onnx")
    assert "https://" in assent("install", NAME, "--from", "http://a.example/x", "--accept-licence", status=1)
    assert "assent models list" in assent("install", "no_such_model", status=1)
    assert "SHA-256" in assent("add", str(file), "--as", NAME, "--accept-licence", "--sha256", "0" * 64, status=1)
    assert "ready" in assent("install", "age")


def test_settings_that_require_commercial_use_refuse_by_name(assent: Assent, tmp_path: Path) -> None:
    assent.set("ASSENT_COMMERCIAL_USE", "yes")
    file = converter(tmp_path / "mine.onnx")
    assert NAME in assent("add", str(file), "--as", NAME, "--accept-licence", status=1)
    own = ("--licence", "bought", "--commercial-use", "--accept-licence")
    assert "installed" in assent("add", str(file), "--as", NAME, *own)
    assert "nudenet_320n" in assent("verify", status=1)


def test_a_catalogue_of_ones_own_adds_models(assent: Assent, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        '[mine]\nrole = "identity conversion"\nversion = "1"\nfile = "mine.onnx"\nlicence = "ours"\n'
        'licence_ids = ["LicenseRef-Ours"]\ncommercial_use = true\ninputs = { input = [1, 512] }\n'
    )
    assent.set("ASSENT_MODELS_CATALOGUE", str(own))
    assert "installed" in assent("add", str(converter(tmp_path / "mine.onnx")), "--as", "mine")
    own.write_text("[mine]\n")
    assert "own.toml" in assent("list", status=1)


def test_accepted_licences_come_from_the_environment_or_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSENT_ACCEPTED_LICENCES", "MIT, Apache-2.0,")
    assert Settings().accepted_licences == ("MIT", "Apache-2.0")
    assert Settings(accepted_licences=("MIT",)).accepted_licences == ("MIT",)
    with pytest.raises(ValidationError):
        Settings(accepted_licences=7)  # type: ignore[arg-type]
