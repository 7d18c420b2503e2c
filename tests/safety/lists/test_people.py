"""The nearest of many people is found exactly, quickly, and never among lists that do not count."""

from __future__ import annotations

import time

import numpy as np
import pytest

from pipeline.faces import Floats
from safety.lists.people import NEAREST_LIMIT, REACH, WIDEST_LIMIT, PeopleIndex, match_limit


def _people(count: int, seed: int = 0) -> Floats:
    """Embeddings spread like dlib's: mean distance .85, most of it in a third of the dimensions."""
    rng = np.random.default_rng(seed)
    widths = np.exp(-np.arange(128) / 18, dtype=np.float32)
    widths *= 0.6 / np.linalg.norm(widths)
    turn = np.linalg.qr(rng.standard_normal((128, 128)))[0].astype(np.float32)
    return np.asarray((rng.standard_normal((count, 128)).astype(np.float32) * widths) @ turn, np.float32)


@pytest.fixture(scope="module")
def people() -> Floats:
    return _people(70_000)


def _names(rows: Floats) -> list[str]:
    return [f"p{number}" for number in range(len(rows))]


def test_the_nearest_is_the_one_that_brute_force_finds(people: Floats) -> None:
    index = PeopleIndex(_names(people), people)
    rng = np.random.default_rng(1)
    for number in rng.integers(0, len(people), 20):
        query = people[number] + rng.normal(0, 0.03, 128).astype(np.float32)
        distances = np.linalg.norm(people - query, axis=1)
        (found,) = index.nearest(query[None])
        assert found.entry == f"p{distances.argmin()}"
        assert found.distance == pytest.approx(distances.min(), abs=1e-3)


def test_whoever_is_far_from_everybody_is_nobody(people: Floats) -> None:
    (found,) = PeopleIndex(_names(people), people).nearest(people[:1] + 1)
    assert (found.distance, found.entry, found.size) == (REACH, None, len(people))


def test_other_lists_do_not_count() -> None:
    rows = _people(4)
    index = PeopleIndex(_names(rows), rows, np.array([0, 0, 1, 1], np.int32))
    assert index.nearest(rows[2:3], {1})[0].entry == "p2"
    assert index.nearest(rows[2:3], {0})[0].entry != "p2"
    assert index.nearest(rows[2:3], {7})[0].size == 0


def test_an_empty_index_knows_nobody() -> None:
    (found,) = PeopleIndex([], np.zeros((0, 128), np.float32)).nearest(np.zeros((1, 128), np.float32))
    assert (found.entry, found.size) == (None, 0)


def test_nonsense_is_refused() -> None:
    rows = _people(3)
    with pytest.raises(ValueError, match="finite"):
        PeopleIndex(_names(rows), rows * np.float32(np.nan))
    with pytest.raises(ValueError, match="not embeddings"):
        PeopleIndex(_names(rows), rows).nearest(np.full((1, 128), np.nan, np.float32))
    with pytest.raises(ValueError, match="not embeddings"):
        PeopleIndex(_names(rows), rows).nearest(np.zeros((1, 64), np.float32))


def test_the_limit_narrows_with_the_list_between_two_bounds() -> None:
    limits = [match_limit(size) for size in (0, 1, 100, 1000, 10_000, 1_000_000)]
    assert limits == sorted(limits, reverse=True)
    assert limits[0] == WIDEST_LIMIT
    assert limits[-1] == NEAREST_LIMIT


def test_a_million_people_are_searched_in_fifty_milliseconds() -> None:
    rows = _people(1_000_000)
    index = PeopleIndex(range(len(rows)), rows)  # type: ignore[arg-type]
    times = []
    for number in range(9):
        start = time.perf_counter()
        (found,) = index.nearest(rows[number : number + 1] + np.float32(0.01))
        times.append(time.perf_counter() - start)
        assert found.entry == number
    assert min(times) < 0.05
