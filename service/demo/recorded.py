"""Finding the head turns in a recorded clip, so that the stretch that answers a challenge can be sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from pipeline.engine import FaceEngine
from pipeline.faces import Pixels
from pipeline.models import ModelStore
from pipeline.runtime import OnnxRuntime
from safety.liveness.judge import CENTRE_YAW, TURN_YAW
from service.demo.server import model_folder


@dataclass(frozen=True, slots=True)
class Turn:
    """One head turn: to the person's own `side`, leaving the middle at frame `away`, back in it at frame `back`."""

    side: str
    away: int
    back: int


def turns_in(clip: Sequence[tuple[float, Pixels]]) -> list[Turn]:
    """The completed turns of the largest face, in order. Positive yaw is the person's own left."""
    engine = local_engine()
    turns: list[Turn] = []
    side, away = "", 0
    for index, (_, pixels) in enumerate(clip):
        faces = engine.look(pixels)
        if not faces:
            continue
        yaw = faces[0].pose.yaw
        if abs(yaw) < CENTRE_YAW:
            if side:
                turns.append(Turn(side, away, index))
            side, away = "", index
        elif not side and abs(yaw) >= TURN_YAW:
            side = "left" if yaw > 0 else "right"
    return turns


@cache
def local_engine() -> FaceEngine:
    """The packaged models, in this process."""
    return FaceEngine.standard(OnnxRuntime(), ModelStore(model_folder()))
