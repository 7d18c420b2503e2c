"""A challenge cannot be foreseen, and survives JSON."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from safety.liveness import Challenge
from safety.liveness.challenge import SEQUENCES


def test_every_sequence_has_three_or_four_turns_to_both_sides() -> None:
    assert len(SEQUENCES) == len(set(SEQUENCES)) == 20
    assert all(len(moves) in (3, 4) and {"left", "right"} == set(moves) for moves in SEQUENCES)
    assert ("left", "left", "right") in SEQUENCES


def test_every_sequence_is_drawn_about_equally_often() -> None:
    rng = Random(1)  # noqa: S311 - a repeatable test
    counts = Counter(Challenge.draw(rng=rng).moves for _ in range(4000))
    assert set(counts) == set(SEQUENCES)
    assert max(counts.values()) < 1.4 * min(counts.values())


def test_two_challenges_share_no_nonce() -> None:
    assert len({Challenge.draw().nonce for _ in range(100)}) == 100
    assert Challenge.draw(nonce="given").nonce == "given"


def test_a_challenge_survives_json() -> None:
    for expires_at in (None, datetime(2026, 1, 2, 3, 4, tzinfo=UTC)):
        drawn = Challenge.draw(expires_at=expires_at)
        assert Challenge.from_json(json.loads(json.dumps(drawn.to_json()))) == drawn


@pytest.mark.parametrize(
    "change", [{"moves": []}, {"moves": ["up"]}, {"nonce": ""}, {"expires_at": "2026-01-02T03:04:00"}]
)
def test_a_malformed_challenge_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"challenge|time zone"):
        Challenge.from_json(Challenge.draw().to_json() | change)
