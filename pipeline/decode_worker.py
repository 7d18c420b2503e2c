"""Keeps confined decoding processes warm, and replaces those that die, hang or have served long enough."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from pipeline.faces import Pixels
from pipeline.seccomp import decoding_filter

_CHILD: Final = Path(__file__).with_name("decode_child.py")
_USES: Final = 200  # a process is replaced after this many pictures
MOST_MEMORY: Final = 4 << 30
"""What no picture may exceed, bytes of address space."""
_MOST_JSON: Final = 4096
_IDLE: Final = 2


class WorkerDied(Exception):
    """The process ended before it had answered. `fresh` says that this picture was its first."""

    def __init__(self, fresh: bool, status: int | None) -> None:
        super().__init__(f"the decoder ended with status {status}")
        self.fresh = fresh
        self.status = status


class WorkerHung(Exception):
    """The process did not answer in time."""


class BadAnswer(Exception):
    """The process answered something that is not an answer: it must be taken for hostile."""


class Worker:
    """One decoding process. Used by one thread at a time."""

    def __init__(self) -> None:
        # -I: no environment variables, no user site, no current folder. The environment is empty as well.
        self._process = subprocess.Popen(  # noqa: S603 - our own file, no shell
            [sys.executable, "-I", str(_CHILD), str(MOST_MEMORY), decoding_filter().hex()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={},
            cwd="/",
            start_new_session=True,
            pipesize=1 << 20,
        )
        assert self._process.stdin is not None  # noqa: S101
        assert self._process.stdout is not None  # noqa: S101
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)
        self.uses = 0

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def decode(
        self, data: bytes, request: dict[str, Any], seconds: float
    ) -> tuple[dict[str, Any], Pixels | None, Pixels | None]:
        """Send one picture; return the answer's JSON, BGR pixels and alpha (both None where it was refused).

        Raises:
            WorkerDied, WorkerHung, BadAnswer: the process must be closed.

        """
        deadline = time.monotonic() + seconds
        body = json.dumps(request).encode()
        self.uses += 1
        try:
            self._send(struct.pack(">IQ", len(body), len(data)) + body, deadline)
            self._send(data, deadline)
            (length,) = struct.unpack(">I", self._receive(4, deadline))
            if length > _MOST_JSON:
                raise BadAnswer("an oversized header")
            answer = _parse(self._receive(length, deadline), request)
            if "refused" in answer:
                return answer, None, None
            height, width = answer["height"], answer["width"]
            pixels = self._plane((height, width, 3), deadline)
            return answer, pixels, self._plane((height, width), deadline) if answer["alpha"] else None
        except (BrokenPipeError, EOFError):
            self.close()
            raise WorkerDied(self.uses == 1, self._process.returncode) from None

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._process.wait()

    def abandon(self) -> None:
        """Forget the process in a forked copy of its parent: it belongs to the original."""
        self._process.returncode = 0
        os.close(self._in)
        os.close(self._out)

    def _send(self, data: bytes, deadline: float) -> None:
        view = memoryview(data)
        while view:
            self._wait(self._in, select.POLLOUT, deadline)
            with contextlib.suppress(BlockingIOError):
                view = view[os.write(self._in, view[: 1 << 20]) :]

    def _receive(self, count: int, deadline: float) -> bytes:
        buffer = bytearray(count)
        self._receive_into(memoryview(buffer), deadline)
        return bytes(buffer)

    def _plane(self, shape: tuple[int, ...], deadline: float) -> Pixels:
        plane = np.empty(shape, np.uint8)
        self._receive_into(memoryview(plane.reshape(-1).data), deadline)
        return plane

    def _receive_into(self, view: memoryview, deadline: float) -> None:
        while view:
            self._wait(self._out, select.POLLIN, deadline)
            with contextlib.suppress(BlockingIOError):
                got = os.readv(self._out, [view])
                if not got:
                    raise EOFError
                view = view[got:]

    @staticmethod
    def _wait(descriptor: int, event: int, deadline: float) -> None:
        poll = select.poll()
        poll.register(descriptor, event)
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise WorkerHung


def _parse(raw: bytes, request: dict[str, Any]) -> dict[str, Any]:
    """Check every field of an answer: the process that wrote it has handled hostile bytes."""
    try:
        answer = json.loads(raw)
        if "refused" in answer:
            return {"refused": str(answer["refused"]), "message": str(answer["message"])[:200]}
        width, height, alpha, notices = (answer[key] for key in ("width", "height", "alpha", "notices"))
    except (ValueError, TypeError, KeyError):
        raise BadAnswer("an unreadable header") from None
    sides_fit = all(
        type(side) is int and request["min_side"] <= side <= request["max_side"] for side in (width, height)
    )
    if not sides_fit or width * height > request["max_pixels"] or type(alpha) is not bool:
        raise BadAnswer("a picture that breaks the limits")
    if not isinstance(notices, list) or len(notices) > 8 or not all(isinstance(n, str) for n in notices):
        raise BadAnswer("unreadable notices")
    return {"width": width, "height": height, "alpha": alpha, "notices": notices}


class WorkerPool:
    """Lends workers to threads, as many at once as there are processors, and keeps a few warm."""

    def __init__(self) -> None:
        self._slots = threading.BoundedSemaphore(max(2, os.cpu_count() or 2))
        self._idle: list[Worker] = []
        self._lock = threading.Lock()
        os.register_at_fork(after_in_child=self._after_fork)
        atexit.register(self.close)

    @contextlib.contextmanager
    def lend(self) -> Iterator[Worker]:
        """Yield a worker that is alive. It is kept for the next picture unless the block raises."""
        with self._slots:
            worker = self._take()
            try:
                yield worker
            except BaseException:
                worker.close()
                raise
            self._give_back(worker)

    def close(self) -> None:
        """End all idle workers."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.close()

    def idle_pids(self) -> list[int]:
        """Return the ids of the processes that wait."""
        with self._lock:
            return [worker.pid for worker in self._idle]

    def _take(self) -> Worker:
        while True:
            with self._lock:
                worker = self._idle.pop() if self._idle else None
            if worker is None:
                return Worker()
            if worker.alive:
                return worker
            worker.close()

    def _give_back(self, worker: Worker) -> None:
        with self._lock:
            if worker.uses < _USES and len(self._idle) < _IDLE:
                self._idle.append(worker)
                return
        worker.close()

    def _after_fork(self) -> None:
        for worker in self._idle:
            worker.abandon()
        self._idle = []
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(max(2, os.cpu_count() or 2))
