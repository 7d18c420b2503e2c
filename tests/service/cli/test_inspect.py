"""`assent inspect` and `assent bench gates` say what the gates see, as JSON too."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data
import typer
from typer.testing import CliRunner

from pipeline.models import ModelStore
from service.cli import bench_gates, inspect
from service.platform.problems import Problem

PICTURE = np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])


@pytest.fixture
def folder(tmp_path: Path, store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one picture of an adult; the models are those of the other tests."""
    monkeypatch.setenv("ASSENT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ASSENT_MODELS", str(store.path("age").parent))
    monkeypatch.delenv("ASSENT_POLICY", raising=False)
    folder = tmp_path / "faces"
    folder.mkdir()
    cv2.imwrite(str(folder / "adult-00.png"), PICTURE)
    return folder


def _run(command: Any, *words: object) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(command)
    result = CliRunner().invoke(app, [str(word) for word in words])
    if isinstance(result.exception, Problem):
        raise result.exception
    return result.exit_code, result.output


def test_inspect_prints_the_whole_evidence_and_the_verdict(folder: Path) -> None:
    status, output = _run(inspect.inspect, folder / "adult-00.png", "--json")
    report = json.loads(output)
    assert status == 0
    assert len(report["faces"]) == 1
    assert {"age", "nsfw", "face", "protected", "known", "origin"} == {f["gate"] for f in report["findings"]}
    assert report["verdict"]["outcome"] == "allow"
    assert report["verdict"]["policy_version"] == "standard/2"


def test_inspect_judges_under_another_policy(folder: Path, tmp_path: Path) -> None:
    policy = tmp_path / "film.yaml"
    shutil.copy("safety/policies/film-post.yaml", policy)
    status, output = _run(inspect.inspect, folder / "adult-00.png", "--policy", policy)
    assert status == 1
    assert "rights_not_declared" in output


def test_bench_counts_by_label(folder: Path) -> None:
    _, output = _run(bench_gates.gates, "--faces", folder, "--json")
    adult = json.loads(output)["labels"]["adult"]
    assert {name: adult[name] for name in ("n", "allow", "review", "refuse")} == {
        "n": 1,
        "allow": 1,
        "review": 0,
        "refuse": 0,
    }
    assert adult["shares"]["allow"]["interval95"][0] < 0.3


def test_bench_without_pictures_says_so(folder: Path) -> None:
    with pytest.raises(Problem, match="no pictures"):
        _run(bench_gates.gates, "--faces", folder.parent)
