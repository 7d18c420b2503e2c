"""A liveness desk without models: pictures that say how the head in them is turned, and whose it is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import count
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np

from pipeline.faces import Pixels
from service.assembly import Assent
from service.liveness.frames import PostedFrame, add_frame, expect_frame
from service.liveness.sessions import open_session
from service.liveness.tables import LivenessSession
from service.liveness.verdicts import complete
from service.platform.access import Caller
from service.platform.database import now
from service.platform.problems import Problem
from service.subjects.register import register_subject
from service.tenants.keys import create_tenant
from tests.safety.liveness.samples import yaws

STEP_S = 0.2
_seeds = count(1)


class Sight:
    """Reads yaw and person from the picture's first pixel. `meanwhile` runs while it looks."""

    def __init__(self) -> None:
        self.looks = 0
        self.meanwhile: Callable[[], object] = lambda: None

    def look(self, pixels: Pixels) -> list[Any]:
        self.looks += 1
        self.meanwhile()
        yaw, person, marker = (int(value) for value in pixels[0, 0])
        if marker != 77:
            return []
        box = np.array([10, 10, 50, 50], np.float32)
        pose = SimpleNamespace(yaw=yaw - 100.0, pitch=0.0, roll=0.0)
        mesh = np.full((468, 3), 30, np.float32)
        return [SimpleNamespace(pose=pose, width=120.0, presence=1.0, box=box, mesh=mesh, person=person)]

    def embed(self, pixels: Pixels, faces: list[Any]) -> Any:
        return np.full((len(faces), 128), faces[0].person / 10, np.float32)


def picture(yaw: float = 0, person: int = 0) -> Pixels:
    """A picture that no other equals."""
    pixels = np.random.default_rng(next(_seeds)).integers(60, 200, (64, 64, 3)).astype(np.uint8)
    pixels[0, 0] = (int(yaw) + 100, person, 77)
    return pixels


def faceless(grey: int = 90) -> Pixels:
    return np.full((64, 64, 3), grey, np.uint8)


def png(pixels: Pixels, compression: int = 1) -> bytes:
    return cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, compression])[1].tobytes()


def take(moves: Sequence[Any], person: int = 0) -> list[bytes]:
    """The frames of a person who makes the moves."""
    return [png(picture(yaw, person)) for yaw in yaws(moves)]


class Studio:
    """A tenant of the server with people and their captures."""

    def __init__(self, server: Assent, sight: Sight) -> None:
        self.server, self.sight = server, sight
        with server.database.write() as session:
            tenant = create_tenant(session, f"tenant {next(_seeds)}")
        self.caller = Caller(tenant.id, "key_00000000000000000000")

    def subject(self) -> str:
        return register_subject(self.server, self.caller, "Dana").id

    def open(self, subject: str | None = None, source: Any = "camera", moves: Any = None) -> Take:
        """A session; `moves` instead of those that were drawn."""
        liveness, token = open_session(self.server, self.caller, subject or self.subject(), source)
        if moves is not None:
            with self.server.database.write() as session:
                row = session.get_one(LivenessSession, liveness.id)
                row.challenge = row.challenge | {"moves": list(moves)}
            liveness.challenge = liveness.challenge | {"moves": list(moves)}
        return Take(self.server, liveness, token)


class Take:
    """A client in front of an open session."""

    def __init__(self, server: Assent, liveness: LivenessSession, token: str) -> None:
        self.server, self.liveness, self.token = server, liveness, token
        self.nonce: str = liveness.challenge["nonce"]
        self.moves: list[str] = liveness.challenge["moves"]
        self.began = now()

    def send(self, data: bytes, sequence: int = 0, *, after: float | None = None, **given: Any) -> None:
        """Send a frame that was captured `sequence` steps after the first and arrives `after` seconds after it."""
        credentials = {"token": self.token, "nonce": self.nonce} | given
        liveness = expect_frame(self.server, self.liveness.id, sequence, **credentials)
        self.deliver(data, sequence, after=after, liveness=liveness)

    def deliver(
        self, data: bytes, sequence: int = 0, *, after: float | None = None, liveness: LivenessSession | None = None
    ) -> None:
        """What happens once the frame's body is there."""
        seconds = sequence * STEP_S
        arrived: datetime = self.began + timedelta(seconds=seconds if after is None else after)
        add_frame(self.server, liveness or self.liveness, PostedFrame(sequence, seconds, arrived, data))

    def send_all(self, frames: Sequence[bytes], arrivals: Callable[[float], float] = lambda t: t) -> None:
        for sequence, data in enumerate(frames):
            self.send(data, sequence, after=arrivals(sequence * STEP_S))

    def complete(self) -> LivenessSession:
        return complete(self.server, self.liveness.id, self.token)

    def pass_(self, person: int = 0) -> LivenessSession:
        self.send_all(take(self.moves, person))
        verdict = self.complete()
        assert verdict.outcome == "live", verdict.reasons
        return verdict


def at_once(calls: Sequence[Callable[[], Any]]) -> Iterator[Any]:
    """Call all at the same moment; the results, or the codes of the problems that were raised."""
    together = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        together.wait()
        try:
            return call()
        except Problem as problem:
            return problem.code

    with ThreadPoolExecutor(len(calls)) as pool:
        yield from pool.map(run, calls)
