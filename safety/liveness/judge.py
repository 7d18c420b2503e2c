"""Judges a liveness session: whether one living person turned the head as asked, in frames that follow one another.

What this first challenge stops: stills, also shifted or with noise; a photo tilted by hand, whose yaw stays small; a
recording made for another challenge; frozen, doubled, missing or reordered frames; two people spliced together.

What it does NOT stop: a mask or a bent cut-out that is really turned as asked, since nothing tests the depth of the
head (parallax); a recording that happens to have the asked order, or whose pieces are rearranged on the fly, since
nothing on the skin answers the session (colour flash); a deepfake driven live and fed through a virtual camera.
Capture times and sequence numbers are the sender's own word. A session is therefore short, used once, and drawn anew
for every try; where the receiver's clock is known the times have to fit it, and a frame that any session sent before
makes it a recording. Neither stops somebody who changes a recording a little and sends it at the speed of life.

Three results. `live` carries the person's template. `not_live` says that the evidence contradicts a live person.
`not_usable` says that it cannot tell, with a hint for the person. Neither the reasons nor the hint hold a score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final, Literal

import numpy as np

from pipeline.faces import Floats
from safety.liveness.challenge import Challenge, Move
from safety.liveness.observe import FrameObservation
from safety.liveness.timing import arrivals_fit

Outcome = Literal["live", "not_live", "not_usable"]

# A head within CENTRE_YAW looks at the camera; past TURN_YAW it is turned. Between the two nothing changes. A flat
# photo tilted by hand rarely shows more than 12 degrees.
CENTRE_YAW: Final = 10.0
TURN_YAW: Final = 18.0

MIN_FRAMES: Final = 10
MIN_SPAN_S: Final = 2.0
MAX_SPAN_S: Final = 60.0
MAX_GAP_S: Final = 2.0

# Smaller faces and darker ones are not recognised reliably.
MIN_WIDTH_PX: Final = 55.0
MIN_BRIGHTNESS: Final = 40.0
MIN_INSIDE: Final = 0.9

# Distances of dlib embeddings. Frontal frames of one person lie within SAME_PERSON of their mean. Within one capture,
# up to SIDE_YAW, one person moves by no more than MAX_STEP from frame to frame and MAX_DRIFT from the mean.
FRONT_YAW: Final = 20.0
SIDE_YAW: Final = 30.0
MIN_FRONT_FRAMES: Final = 3
SAME_PERSON: Final = 0.45
MAX_STEP: Final = 0.55
MAX_DRIFT: Final = 0.60
# How far the middle of the face may move from frame to frame, in widths.
MAX_JUMP: Final = 0.5

_HINTS: Final = {
    "timing": "The frames did not arrive while they were captured. Check the connection and send every frame at once.",
    "too_few_frames": "The capture was too short. Keep the camera running until every turn is done.",
    "too_fast": "The capture was too short. Turn your head slowly.",
    "too_slow": "The capture took too long. Make the turns one after the other without a break.",
    "gap": "The capture was interrupted. Check the connection and try again.",
    "no_face": "Your face was not visible all the time. Keep it in the picture and turn less far.",
    "several_faces": "More than one face was visible. Make sure that you are alone in the picture.",
    "too_small": "Your face is too small. Come closer to the camera.",
    "too_dark": "It is too dark. Turn towards a light or switch one on.",
    "cut_off": "Your face was cut off. Keep your whole head in the picture.",
    "not_centred": "Look straight at the camera first, then begin to turn.",
    "not_returned": "Look straight at the camera again after the last turn.",
    "too_few_frontal": "Look straight at the camera for a moment between the turns.",
}
_TRY_AGAIN: Final = "The capture could not be accepted. Follow the turns in the order shown, alone and without a break."


@dataclass(frozen=True, eq=False, slots=True)
class LivenessResult:
    """The result: `reasons` are stable codes, empty when live; `hint` tells the person what to do, empty when live.

    `template` is the mean embedding of the frontal frames, float32 (128,), and is there only when live.
    """

    outcome: Outcome
    reasons: tuple[str, ...]
    hint: str
    template: Floats | None = None


def judge(
    challenge: Challenge,
    observations: Sequence[FrameObservation],
    *,
    expected: Floats | None = None,
    now: datetime | None = None,
    arrivals: Sequence[float] | None = None,
    seen_before: bool = False,
) -> LivenessResult:
    """Judge the frames of one session, in the order in which they were sent.

    `expected` is the template, float32 (128,), of a person enrolled before, who must be the same. With `now` the
    challenge's expiry is checked. `arrivals` are the times in seconds, by the receiver's clock, at which the frames
    came; None exempts a capture that was not made while it was sent. `seen_before` says that one of the frames was sent
    before, in whatever session. Raises ValueError where there is not one arrival for each frame.
    """
    if now is not None and challenge.expires_at is not None and now >= challenge.expires_at:
        return LivenessResult("not_live", ("expired",), "The session has expired. Start a new one.")
    frames = list(observations)
    if arrivals is not None and len(arrivals) != len(frames):
        raise ValueError("every frame has one time of arrival")
    # Traces of tampering come first, for they make everything else worthless; then whether the frames can be judged.
    stages: tuple[tuple[Outcome, Callable[[], Iterator[str]]], ...] = (
        ("not_live", lambda: _tampering(frames, arrivals, seen_before=seen_before)),
        ("not_usable", lambda: _usability(frames)),
        ("not_live", lambda: _answer(challenge, frames)),
        ("not_live", lambda: _continuity(frames, expected)),
    )
    for outcome, stage in stages:
        if reasons := tuple(stage()):
            return LivenessResult(outcome, reasons, _HINTS.get(reasons[0], _TRY_AGAIN))
    return LivenessResult("live", (), "", _template(frames))


def turns(frames: Sequence[FrameObservation]) -> tuple[Move, ...]:
    """Return the head turns in order. Turning to the other side passes the middle, even between two frames."""
    seen: list[Move] = []
    side: Move | None = None
    for frame in frames:
        if abs(frame.yaw) < CENTRE_YAW:
            side = None
        elif abs(frame.yaw) >= TURN_YAW:
            now: Move = "left" if frame.yaw > 0 else "right"
            if now != side:
                seen.append(now)
            side = now
    return tuple(seen)


def _tampering(
    frames: Sequence[FrameObservation], arrivals: Sequence[float] | None, *, seen_before: bool
) -> Iterator[str]:
    if seen_before:
        yield "frame_seen_before"
    if any(b.sequence != a.sequence + 1 for a, b in pairwise(frames)):
        yield "sequence_broken"
    if any(b.captured_at <= a.captured_at for a, b in pairwise(frames)):
        yield "time_backwards"
    if len({frame.digest for frame in frames}) != len(frames):
        yield "frame_repeated"
    if arrivals is not None and not arrivals_fit([frame.captured_at for frame in frames], arrivals):
        yield "timing"


def _usability(frames: Sequence[FrameObservation]) -> Iterator[str]:
    if len(frames) < MIN_FRAMES:
        yield "too_few_frames"
        return
    span = frames[-1].captured_at - frames[0].captured_at
    if span < MIN_SPAN_S:
        yield "too_fast"
    if span > MAX_SPAN_S:
        yield "too_slow"
    if any(b.captured_at - a.captured_at > MAX_GAP_S for a, b in pairwise(frames)):
        yield "gap"
    if any(frame.faces == 0 or frame.embedding is None for frame in frames):
        yield "no_face"
        return
    yield from _poor_picture(frames)
    if abs(frames[0].yaw) >= TURN_YAW:
        yield "not_centred"
    if abs(frames[-1].yaw) >= TURN_YAW:
        yield "not_returned"
    if len(_front(frames)) < MIN_FRONT_FRAMES:
        yield "too_few_frontal"


def _poor_picture(frames: Sequence[FrameObservation]) -> Iterator[str]:
    if any(frame.faces > 1 for frame in frames):
        yield "several_faces"
    if np.median([frame.width for frame in frames]) < MIN_WIDTH_PX:
        yield "too_small"
    if np.median([frame.brightness for frame in frames]) < MIN_BRIGHTNESS:
        yield "too_dark"
    if any(frame.inside < MIN_INSIDE for frame in frames):
        yield "cut_off"


def _answer(challenge: Challenge, frames: Sequence[FrameObservation]) -> Iterator[str]:
    seen = turns(frames)
    if not seen:
        yield "no_turn"
    elif seen != challenge.moves:
        yield "wrong_turns"


def _continuity(frames: Sequence[FrameObservation], expected: Floats | None) -> Iterator[str]:
    if any(_jump(a, b) > MAX_JUMP for a, b in pairwise(frames)):
        yield "jump"
    template = _template(frames)
    near = [_embedding(frame) for frame in frames if abs(frame.yaw) < SIDE_YAW]
    front = [_embedding(frame) for frame in _front(frames)]
    if (
        any(_apart(a, b) > MAX_STEP for a, b in pairwise(near))
        or any(_apart(row, template) > MAX_DRIFT for row in near)
        or any(_apart(row, template) > SAME_PERSON for row in front)
    ):
        yield "person_changed"
    if expected is not None and not _apart(template, expected) <= SAME_PERSON:
        yield "other_person"


def _front(frames: Sequence[FrameObservation]) -> list[FrameObservation]:
    return [frame for frame in frames if abs(frame.yaw) < FRONT_YAW]


def _template(frames: Sequence[FrameObservation]) -> Floats:
    rows = np.stack([_embedding(frame) for frame in _front(frames)])
    return np.asarray(rows.mean(axis=0), np.float32)


def _embedding(frame: FrameObservation) -> Floats:
    if frame.embedding is None:
        raise ValueError("frames without a face are sorted out before")
    return frame.embedding


def _apart(a: Floats, b: Floats) -> float:
    return float(np.linalg.norm(a.astype(np.float64) - b))


def _jump(a: FrameObservation, b: FrameObservation) -> float:
    return float(np.hypot(b.x - a.x, b.y - a.y)) / max(min(a.width, b.width), 1.0)
