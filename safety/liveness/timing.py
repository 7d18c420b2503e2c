"""Whether frames came while they were captured, by the clock of whoever received them.

A recording that is sent as fast as the line allows, or after its claimed times, does not fit. One that is played at the
speed at which it was made does: this is about the sender's claim, and says nothing of the pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

MAX_EARLY_S: Final = 2.0
"""How far a frame may run ahead: the first one, which sets the zero, may itself have been slow on its way."""

MAX_LATE_S: Final = 10.0
"""How far a frame may lag behind: a slow line, or a server that looks at one frame after the other."""

MIN_SPAN: Final = 0.6
"""The share of the captured time that the arrivals must take at the least."""


def arrivals_fit(captured: Sequence[float], arrived: Sequence[float]) -> bool:
    """Whether times of arrival fit times of capture, both in seconds from an origin of their own, frame by frame."""
    if not captured:
        return True
    offsets = [(there - arrived[0]) - (then - captured[0]) for then, there in zip(captured, arrived, strict=True)]
    in_time = all(-MAX_EARLY_S <= offset <= MAX_LATE_S for offset in offsets)
    return in_time and max(arrived) - min(arrived) >= MIN_SPAN * (max(captured) - min(captured))
