"""A time limit for calls that may hang: the caller goes on, with an error, whatever the call does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class DeadlineExceeded(Exception):
    """The call did not return within its time."""


class Pending(Generic[T]):
    """A call that runs on a thread of its own.

    One that hangs keeps its daemon thread until the process ends; its result is lost, and nothing waits for it.
    """

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._values: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="pending", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._values.append(self._call())
        except BaseException as error:
            self._error = error

    def result(self, seconds: float) -> T:
        """Return what the call returned or raise what it raised; `DeadlineExceeded` after `seconds` of waiting."""
        self._thread.join(seconds)
        if self._error is not None:
            raise self._error
        if not self._values:
            raise DeadlineExceeded(f"no answer within {seconds:g} s")
        return self._values[0]


def within(seconds: float, call: Callable[[], T]) -> T:
    """Return what `call` returns, or raise what it raises, or `DeadlineExceeded` after `seconds`."""
    return Pending(call).result(seconds)
