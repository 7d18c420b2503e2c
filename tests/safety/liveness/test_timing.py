"""Frames have to come while they are captured."""

from __future__ import annotations

import pytest

from safety.liveness import judge
from safety.liveness.timing import arrivals_fit
from tests.safety.liveness.samples import capture, challenge

CAPTURED = [0.5 * number for number in range(21)]


def arrived(stretch: float = 1.0, lag: float = 0.0) -> list[float]:
    """Arrivals at a clock of another origin, `lag` seconds behind from the second frame on."""
    return [1000 + stretch * seconds + (lag if seconds else 0) for seconds in CAPTURED]


@pytest.mark.parametrize("fits", [arrived(), arrived(1.9), arrived(0.85), arrived(lag=9), arrived(lag=-1.9)])
def test_jitter_and_a_slow_line_fit(fits: list[float]) -> None:
    assert arrivals_fit(CAPTURED, fits)


@pytest.mark.parametrize("out", [arrived(0), arrived(0.5), arrived(2.2), arrived(lag=11), arrived(lag=-2.1)])
def test_what_comes_too_fast_too_early_or_too_late_does_not(out: list[float]) -> None:
    assert not arrivals_fit(CAPTURED, out)


def test_a_short_burst_is_caught_by_its_span() -> None:
    assert not arrivals_fit([0, 0.5, 1.0, 1.5], [0, 0, 0, 0])
    assert arrivals_fit([0, 0.5, 1.0, 1.5], [0, 0.3, 0.6, 0.9])


def test_frames_may_overtake_each_other() -> None:
    assert arrivals_fit([0, 1, 2, 3], [0, 2.2, 2.1, 3.3])


def test_nothing_and_a_single_frame_fit() -> None:
    assert arrivals_fit([], [])
    assert arrivals_fit([3.0], [900.0])


def test_the_judge_asks_for_arrivals_and_for_frames_that_are_new() -> None:
    asked, frames = challenge("left", "left", "right"), capture("left", "left", "right")
    on_time = [frame.captured_at + 50 for frame in frames]
    assert judge(asked, frames, arrivals=on_time).outcome == "live"
    burst = judge(asked, frames, arrivals=[50.0] * len(frames))
    assert (burst.outcome, burst.reasons) == ("not_live", ("timing",))
    again = judge(asked, frames, arrivals=on_time, seen_before=True)
    assert (again.outcome, again.reasons, again.template) == ("not_live", ("frame_seen_before",), None)
    with pytest.raises(ValueError, match="one time of arrival"):
        judge(asked, frames, arrivals=on_time[1:])
