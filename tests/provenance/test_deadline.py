"""A call that hangs costs its time and nothing else."""

from __future__ import annotations

import threading

import pytest

from provenance.deadline import DeadlineExceeded, within


def test_a_quick_call_gives_its_value() -> None:
    assert within(5, lambda: 17) == 17


def test_a_call_may_return_nothing() -> None:
    assert within(5, lambda: None) is None


def test_a_call_that_raises_raises_here() -> None:
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 // 0)


def test_a_call_that_hangs_is_left_behind() -> None:
    never = threading.Event()
    with pytest.raises(DeadlineExceeded, match="within"):
        within(0.05, lambda: never.wait(30))
    never.set()
