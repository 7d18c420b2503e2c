"""Who plays in the demonstration: the source, the target, somebody else, and a capture that answers a challenge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import av
import numpy as np

from pipeline.faces import Pixels

Frames = list[tuple[float, Pixels]]


@dataclass(frozen=True)
class Cast:
    """The pictures as files' bytes, and what gives the frames of a capture for the moves that a session asks for."""

    name: str
    source: bytes
    target: bytes
    stranger: bytes
    answer: Callable[[Sequence[str]], list[Frames]]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class OwnPictures:
    """Files that the user named."""

    source: Path
    target: Path
    capture: Path


def default_cast() -> Cast:
    """A public-domain photo as the target, and a fictional person made from it as the source."""
    from service.demo.capture import donor_capture
    from service.demo.client import jpeg
    from service.demo.donor import fictional_donor, original_photo
    from service.demo.recorded import local_engine

    astronaut = original_photo()
    donor = fictional_donor(local_engine())
    takes = count()
    return Cast(
        name="Dana Fictional",
        source=jpeg(donor.photo, 95),
        target=jpeg(astronaut, 95),
        stranger=jpeg(astronaut, 95),
        answer=lambda moves: [list(donor_capture(donor, list(moves), take=next(takes)))],
        notes=(
            "The target is scikit-image's public-domain photo of an astronaut (NASA).",
            "The source is nobody: a fictional person, made from that photo by changing its geometry, tone and colour "
            f"until the face embedder said that it is somebody else (distance {donor.distance:.2f}; the same person is "
            "below 0.45). Their capture is rendered from their own turning mesh.",
        ),
    )


def own_cast(own: OwnPictures) -> Cast:
    """The user's own pictures and a real capture of the person."""
    clip = read_clip(own.capture)
    return Cast(
        name="The person of --source",
        source=own.source.read_bytes(),
        target=own.target.read_bytes(),
        stranger=own.target.read_bytes(),
        answer=lambda moves: stretches(clip, moves),
        notes=(
            "The capture is yours, recorded before the order of turns was drawn; this server was told to draw again "
            "until the clip has it. In production the camera is live, and a recording is refused.",
        ),
    )


def read_clip(path: Path, most: int = 900) -> Frames:
    """The frames of a clip with their times in seconds; at most the first `most`."""
    frames: Frames = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            seconds = float(frame.time) if frame.time is not None else len(frames) / 25
            frames.append((seconds, np.ascontiguousarray(frame.to_ndarray(format="bgr24"))))
            if len(frames) >= most:
                break
    return frames


def stretches(clip: Frames, moves: Sequence[str]) -> list[Frames]:
    """The stretches of a recorded clip that answer the moves, shortest first; it may hold more turns than asked."""
    from service.demo.recorded import turns_in

    turns = turns_in(clip)
    found = []
    for first in range(len(turns) - len(moves) + 1):
        window = turns[first : first + len(moves)]
        if [turn.side for turn in window] == list(moves):
            begin = turns[first - 1].back + 1 if first else 0
            end = turns[first + len(moves)].away if first + len(moves) < len(turns) else len(clip)
            found.append(clip[begin:end])
    return sorted(found, key=len)
