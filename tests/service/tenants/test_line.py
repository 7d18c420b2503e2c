"""The line in front of the password check: short, and nobody stands in it for long."""

from __future__ import annotations

import threading
import time

import pytest

from service.platform.problems import Problem
from service.tenants import passwords
from service.tenants.passwords import in_line


@pytest.fixture
def crowd(monkeypatch: pytest.MonkeyPatch):
    """Lets so many people stand in a fresh line for as long as the block runs; returns their errors."""
    monkeypatch.setattr(passwords, "_AT_WORK", threading.BoundedSemaphore(2))
    monkeypatch.setattr(passwords, "_IN_LINE", threading.BoundedSemaphore(8))

    def run(people: int) -> list[str]:
        turned_away: list[str] = []
        leave, ready = threading.Event(), threading.Barrier(people + 1)

        def stand() -> None:
            ready.wait()
            try:
                with in_line():
                    leave.wait(20)
            except Problem as problem:
                turned_away.append(problem.headers["Retry-After"])

        threads = [threading.Thread(target=stand) for _ in range(people)]
        for thread in threads:
            thread.start()
        ready.wait()
        for _ in range(1000):
            if len(turned_away) >= people - 2:
                break
            time.sleep(0.01)
        leave.set()
        for thread in threads:
            thread.join()
        return turned_away

    return run


def test_of_forty_at_once_two_are_served_and_the_rest_is_turned_away_soon(crowd, monkeypatch):
    monkeypatch.setattr(passwords, "_PATIENCE_S", 0.1)
    began = time.monotonic()
    assert crowd(40) == ["5"] * 38
    assert time.monotonic() - began < 8


def test_whoever_finds_the_line_full_does_not_wait_at_all(crowd, monkeypatch):
    monkeypatch.setattr(passwords, "_IN_LINE", threading.BoundedSemaphore(2))
    monkeypatch.setattr(passwords, "_PATIENCE_S", 1000.0)
    assert crowd(12) == ["5"] * 10


def test_a_place_is_free_again_however_its_check_ended():
    for _ in range(20):
        with pytest.raises(ValueError, match="broken"), in_line():
            raise ValueError("broken")
