"""`assent policy` checks, compares, activates and rolls back, and says what is wrong in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from service.cli.policy import app
from service.platform.problems import Problem

STANDARD = Path("safety/policies/standard.yaml").read_text()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("ASSENT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ASSENT_POLICY", raising=False)
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def stricter(tmp_path: Path) -> Path:
    file = tmp_path / "stricter.yaml"
    file.write_text(STANDARD.replace("version: 2", "version: 3").replace("below: 25", "below: 30"))
    return file


def test_a_valid_policy_is_valid(run: Callable[..., Result], stricter: Path) -> None:
    result = run("check", stricter)
    assert result.exit_code == 0
    assert "valid: standard/3" in result.output


def test_a_policy_that_could_let_something_slip_is_named(run: Callable[..., Result], tmp_path: Path) -> None:
    file = tmp_path / "lax.yaml"
    file.write_text(STANDARD.replace("outcome: refuse", "outcome: allow", 1))
    result = run("check", file)
    assert isinstance(result.exception, Problem)
    assert "outcome" in str(result.exception)


def test_the_difference_is_one_rule(run: Callable[..., Result], stricter: Path) -> None:
    result = run("diff", "standard", stricter)
    assert result.exit_code == 1
    assert "rule age_unsure" in result.output
    assert run("diff", "standard", "standard").exit_code == 0


def test_activate_shadow_and_roll_back(run: Callable[..., Result], stricter: Path) -> None:
    assert "live: standard/2" in run("activate", "standard").output
    assert "shadow: film-post/1" in run("shadow", "film-post").output
    assert "live: standard/3" in run("activate", stricter).output
    listed = run("list").output
    assert "0 of 0 different" in listed
    assert "live: standard/2" in run("rollback").output
    assert "live: standard/3" in run("activate", "standard/3").output
    assert isinstance(run("retire", "standard/3").exception, Problem)


def test_replay_without_evidence_changes_nothing(run: Callable[..., Result], stricter: Path) -> None:
    result = run("replay", "--policy", stricter, "--last", 10, "--json")
    assert json.loads(result.output) == {
        "policy": "standard/3",
        "judged": 0,
        "skipped": 0,
        "different": 0,
        "changes": {},
        "jobs": [],
    }


def test_a_policy_file_in_the_settings_is_not_overruled_in_silence(
    run: Callable[..., Result], stricter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSENT_POLICY", str(stricter))
    for words in (("activate", "standard"), ("rollback",)):
        assert "ASSENT_POLICY" in str(run(*words).exception)
