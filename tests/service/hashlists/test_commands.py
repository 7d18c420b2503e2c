"""`assent lists pictures`: the operator's lists on the command line."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from typer.testing import CliRunner

from service.cli.lists import app
from service.platform.problems import Problem


def test_pictures_are_added_exported_imported_and_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSENT_HOME", str(tmp_path / "home"))
    file = tmp_path / "coffee.png"
    cv2.imwrite(str(file), np.ascontiguousarray(skimage.data.coffee()[..., ::-1]))

    def run(*words: object) -> str:
        result = CliRunner().invoke(app, ["pictures", *(str(word) for word in words)])
        if result.exception:
            raise result.exception
        return result.output

    entry = run("add", file, "--list", "mine").split()[0]
    exported = tmp_path / "list.csv"
    exported.write_text(run("export", "--list", "mine", "--format", "csv"))
    assert "1 pictures added to theirs" in run("import", exported, "--list", "theirs")
    assert [line.split()[1:] for line in run("list").splitlines()] == [["1", "mine"], ["1", "theirs"]]
    run("remove", entry, "--list", "mine")
    assert run("list").split()[1] == "0"
    with pytest.raises(Problem, match="no such list"):
        run("export", "--list", "nobody")
