"""Verdicts on labelled pictures are counted by label, with honest intervals."""

from __future__ import annotations

import pytest

from safety.bench import label_of, tally, wilson
from safety.verdict import Outcome, Reason, Verdict


def _verdict(outcome: Outcome) -> Verdict:
    reasons = () if outcome is Outcome.ALLOW else (Reason("minor", "A message.", "target", outcome),)
    return Verdict(outcome, reasons, "test/1", "0" * 64)


def test_verdicts_are_counted_by_label() -> None:
    pictures = [("child-00", Outcome.REFUSE), ("child-01", Outcome.REVIEW), ("adult-00", Outcome.ALLOW)]
    tallies = tally(pictures, _verdict)
    child = tallies["child"].to_json()
    assert {name: child[name] for name in ("n", "allow", "review", "refuse")} == {
        "n": 2,
        "allow": 0,
        "review": 1,
        "refuse": 1,
    }
    assert child["reasons"] == {"minor": 2}
    assert list(tallies) == ["adult", "child"]


@pytest.mark.parametrize(
    ("stem", "label"),
    [("2.5-year-toddler-12", "2.5-year-toddler"), ("a", "a"), ("small_child_3", "small_child"), ("007", "0")],
)
def test_the_label_is_the_name_without_its_number(stem: str, label: str) -> None:
    assert label_of(stem) == label


def test_no_case_among_thirteen_does_not_mean_never() -> None:
    low, high = wilson(0, 13)
    assert low == 0
    assert high == pytest.approx(0.2281, abs=1e-3)
    assert wilson(0, 0) == (0, 1)
    assert wilson(13, 13)[1] == 1
