"""A time limit for calls that may hang: the caller goes on, with an error, whatever the call does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class DeadlineExceeded(Exception):
    """The call did not return within its time."""


class _Outcome(Generic[T]):
    """What a call on another thread came to."""

    def __init__(self) -> None:
        self.values: list[T] = []
        self.error: BaseException | None = None


def within(seconds: float, call: Callable[[], T]) -> T:
    """Return what `call` returns, or raise what it raises, or `DeadlineExceeded` after `seconds`.

    A call that hangs keeps its daemon thread until the process ends: its result is lost, and it can release
    nothing.
    """
    outcome: _Outcome[T] = _Outcome()

    def run() -> None:
        try:
            outcome.values.append(call())
        except BaseException as error:  # noqa: BLE001 - handed to the caller below
            outcome.error = error

    thread = threading.Thread(target=run, name="within", daemon=True)
    thread.start()
    thread.join(seconds)
    if outcome.error is not None:
        raise outcome.error
    if not outcome.values:
        raise DeadlineExceeded(f"no answer within {seconds:g} s")
    return outcome.values[0]
