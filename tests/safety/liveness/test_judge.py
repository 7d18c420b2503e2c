"""A capture is live only where everything fits; tampering is not live, poor pictures are not usable."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety.liveness import Challenge, FrameObservation, Move, judge
from safety.liveness.challenge import SEQUENCES
from safety.liveness.judge import turns
from tests.safety.liveness.samples import ALICE, BOB, capture, challenge, observation, renumbered, yaws

MOVES: tuple[Move, ...] = ("left", "left", "right")
CHALLENGE = challenge(*MOVES)
Frames = list[FrameObservation]


@pytest.mark.parametrize("moves", SEQUENCES)
def test_the_turns_that_were_asked_for_are_live(moves: tuple[Move, ...]) -> None:
    result = judge(challenge(*moves), capture(*moves))
    assert (result.outcome, result.reasons, result.hint) == ("live", (), "")
    assert result.template is not None
    assert float(np.linalg.norm(result.template - ALICE)) < 0.1


@given(st.sampled_from(SEQUENCES), st.sampled_from(SEQUENCES))
def test_any_other_turns_are_not_live(asked: tuple[Move, ...], made: tuple[Move, ...]) -> None:
    result = judge(challenge(*asked), capture(*made))
    assert (result.outcome == "live") == (asked == made)
    if asked != made:
        assert (result.outcome, result.reasons, result.template) == ("not_live", ("wrong_turns",), None)


def test_turns_to_both_sides_pass_the_middle_even_between_two_frames() -> None:
    assert turns([observation(i, yaw) for i, yaw in enumerate([0, 30, -30, 0])]) == ("left", "right")


def test_wavering_within_one_turn_is_one_turn() -> None:
    assert turns([observation(i, yaw) for i, yaw in enumerate([0, 20, 12, 25, 11, 19, 5])]) == ("left",)


def test_turns_that_are_too_small_are_none() -> None:
    frames = [observation(i, max(-17.0, min(17.0, yaw))) for i, yaw in enumerate(yaws(MOVES))]
    assert judge(CHALLENGE, frames).reasons == ("no_turn",)


def _changed(index: int, **changes: object) -> Callable[[Frames], Frames]:
    def change(frames: Frames) -> Frames:
        frames[index] = replace(frames[index], **changes)  # type: ignore[arg-type]
        return frames

    return change


def _all(**changes: object) -> Callable[[Frames], Frames]:
    return lambda frames: [replace(frame, **changes) for frame in frames]  # type: ignore[arg-type]


def _paced(seconds: float) -> Callable[[Frames], Frames]:
    return lambda frames: [replace(f, captured_at=f.sequence * seconds) for f in frames]


@pytest.mark.parametrize(
    ("spoil", "outcome", "reason"),
    [
        (lambda f: f[:5] + f[6:], "not_live", "sequence_broken"),
        (lambda f: [*f[:4], f[5], f[4], *f[6:]], "not_live", "sequence_broken"),
        (_changed(7, captured_at=10.0), "not_live", "time_backwards"),
        (_changed(7, digest=f"{3:064x}"), "not_live", "frame_repeated"),
        (lambda f: [], "not_usable", "too_few_frames"),
        (lambda f: f[:9], "not_usable", "too_few_frames"),
        (_paced(0.05), "not_usable", "too_fast"),
        (_paced(2.5), "not_usable", "too_slow"),
        (_paced(2.1), "not_usable", "gap"),
        (_changed(6, faces=0, embedding=None), "not_usable", "no_face"),
        (_changed(6, faces=2), "not_usable", "several_faces"),
        (_all(width=50.0), "not_usable", "too_small"),
        (_all(brightness=25.0), "not_usable", "too_dark"),
        (_changed(6, inside=0.6), "not_usable", "cut_off"),
        (_changed(0, yaw=25.0), "not_usable", "not_centred"),
        (_changed(-1, yaw=25.0), "not_usable", "not_returned"),
        (_changed(8, x=900.0), "not_live", "jump"),
        (_changed(9, embedding=BOB), "not_live", "person_changed"),
        (_changed(2, embedding=np.full(128, np.float32(0.05))), "not_live", "person_changed"),
    ],
)
def test_a_spoilt_capture_is_not_live(spoil: Callable[[Frames], Frames], outcome: str, reason: str) -> None:
    result = judge(CHALLENGE, spoil(capture(*MOVES)))
    assert (result.outcome, result.template) == (outcome, None)
    assert reason in result.reasons
    assert result.hint


def test_a_person_who_changes_while_turned_away_is_not_live() -> None:
    frames = capture(*MOVES)
    half = len(frames) // 2
    frames[half:] = [replace(frame, embedding=BOB) for frame in frames[half:]]
    assert judge(CHALLENGE, frames).reasons == ("person_changed",)


def test_too_few_frontal_frames_cannot_be_judged() -> None:
    frames = renumbered([observation(0)] + [observation(1, yaw) for yaw in [21, 30] * 6] + [observation(2, 19)])
    assert "too_few_frontal" in judge(CHALLENGE, frames).reasons


def test_an_enrolled_person_has_to_be_the_same() -> None:
    assert judge(CHALLENGE, capture(*MOVES), expected=ALICE).outcome == "live"
    assert judge(CHALLENGE, capture(*MOVES), expected=BOB).reasons == ("other_person",)
    nonsense = np.full(128, np.nan, np.float32)
    assert judge(CHALLENGE, capture(*MOVES), expected=nonsense).reasons == ("other_person",)


def test_an_expired_challenge_is_not_live() -> None:
    end = datetime(2026, 1, 1, tzinfo=UTC)
    timed = Challenge(MOVES, "nonce", end)
    assert judge(timed, capture(*MOVES), now=end - timedelta(seconds=1)).outcome == "live"
    assert judge(timed, capture(*MOVES), now=end).reasons == ("expired",)


def test_what_the_person_is_told_holds_no_score() -> None:
    for spoil in (_all(width=50.0), _all(brightness=25.0), _changed(9, embedding=BOB), lambda f: f[:9]):
        result = judge(CHALLENGE, spoil(capture(*MOVES)))
        assert not re.search(r"\d", result.hint + "".join(result.reasons))
