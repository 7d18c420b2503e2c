"""Active liveness: a random sequence of head turns, asked of the person and judged over the frames they send."""

from safety.liveness.challenge import Challenge, Move
from safety.liveness.judge import LivenessResult, judge
from safety.liveness.observe import FrameObservation, observe

__all__ = ["Challenge", "FrameObservation", "LivenessResult", "Move", "judge", "observe"]
