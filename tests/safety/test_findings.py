"""Findings are what verdicts are replayed from: they hold finite numbers and survive JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from safety.findings import Finding, from_json, measured, to_json, unavailable


def test_findings_survive_json() -> None:
    findings = (
        measured(
            "nsfw", "source:0", "nsfw.class", np.float32(0.25), region=np.arange(4.0), model="m@sha256:00", note="x"
        ),
        unavailable("age", "target", "age.lowest", "hung", milliseconds=3.5),
    )
    assert from_json(json.loads(json.dumps(to_json(findings)))) == findings


def test_the_kind_is_the_part_of_the_subject_before_the_colon() -> None:
    assert unavailable("age", "source:12", "age.lowest", "").kind == "source"


@pytest.mark.parametrize("score", [float("nan"), float("inf"), True, "0.1", np.array([0.1])])
def test_a_score_is_a_finite_number(score: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        Finding("g", "target", "a.b", "measured", score)


def test_a_measured_finding_has_a_score_and_an_unavailable_one_has_none() -> None:
    with pytest.raises(ValueError, match="if, and only if"):
        Finding("g", "target", "a.b", "measured", None)
    with pytest.raises(ValueError, match="if, and only if"):
        Finding("g", "target", "a.b", "unavailable", 0.0)


@pytest.mark.parametrize(
    "change",
    [
        {"status": "fine"},
        {"score": None},
        {"region": [1, 2, 3]},
        {"region": [1, 2, 3, float("nan")]},
        {"note": 5},
        {"milliseconds": None},
        {"more": 1},
    ],
)
def test_malformed_json_is_not_a_finding(change: dict[str, Any]) -> None:
    value = measured("g", "target", "a.b", 0.5).to_json() | change
    with pytest.raises((ValueError, TypeError)):
        Finding.from_json(value)


def test_a_missing_field_is_not_a_finding() -> None:
    value = measured("g", "target", "a.b", 0.5).to_json()
    del value["score"]
    with pytest.raises(ValueError, match="not a finding"):
        Finding.from_json(value)
