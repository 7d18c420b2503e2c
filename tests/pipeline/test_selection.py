"""Face selection: who is meant, who is not there, who cannot be told apart, and which source goes on whom."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import FaceRefused
from pipeline.faces import Floats
from pipeline.selection import AtPoint, BySize, Every, FromLeft, Like, Only, Pairing, Selector, assign, choose
from tests.pipeline.small_graphs import face_at

# From the left: a middling, a large and a small face, in no order.
FACES = [face_at(400, 200, 150), face_at(100, 200, 100), face_at(600, 200, 60)]


def person(*values: float) -> Floats:
    return np.array([*values, 0.0, 0.0], np.float32)


ANN, BEN, CID = person(1, 0), person(0, 1), person(-1, 0)
ROWS = np.stack([ANN, BEN, CID])


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        (Every(), [0, 1, 2]),
        (BySize(), [0]),
        (BySize(2), [2]),
        (FromLeft(), [1]),
        (FromLeft(1), [0]),
        (FromLeft(2), [2]),
        (AtPoint(400, 200), [0]),
        (AtPoint(95, 210), [1]),
        (Like(BEN), [1]),
        (Like(CID + 0.1), [2]),
    ],
)
def test_a_face_is_chosen(selector: Selector, chosen: list[int]) -> None:
    assert choose(selector, FACES, ROWS) == chosen


def test_the_only_face_needs_no_more_words() -> None:
    assert choose(Only(), FACES[:1]) == [0]


@pytest.mark.parametrize("selector", [Only(), Every(), BySize(), FromLeft(), AtPoint(0, 0), Like(ANN)])
def test_without_a_face_nothing_can_be_chosen(selector: Selector) -> None:
    with pytest.raises(FaceRefused) as refusal:
        choose(selector, [], np.zeros((0, 4), np.float32))
    assert refusal.value.code == "no_face"


@pytest.mark.parametrize(
    ("selector", "code"),
    [
        (Only(), "several_faces"),
        (BySize(3), "face_not_found"),
        (FromLeft(-1), "face_not_found"),
        (AtPoint(250, 20), "face_not_found"),
        (Like(person(0, -1)), "face_not_found"),
    ],
)
def test_a_choice_that_fits_nobody_is_refused_with_what_to_do(selector: Selector, code: str) -> None:
    with pytest.raises(FaceRefused) as refusal:
        choose(selector, FACES, ROWS)
    assert refusal.value.code == code
    assert refusal.value.hint


def test_of_overlapping_faces_the_nearer_middle_is_meant() -> None:
    crowd = [face_at(200, 200, 150), face_at(240, 200, 150)]
    assert choose(AtPoint(235, 200), crowd) == [1]


def test_two_near_identical_faces_cannot_be_chosen_by_likeness() -> None:
    twins = np.stack([ANN, ANN + 0.01, BEN])
    with pytest.raises(FaceRefused, match="too much alike") as refusal:
        choose(Like(ANN), FACES, twins)
    assert refusal.value.code == "faces_alike"
    assert choose(Like(BEN), FACES, twins) == [2]


def test_likeness_without_embeddings_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="embedding"):
        choose(Like(ANN), FACES)


def test_sources_go_on_the_people_they_are_meant_for() -> None:
    pairings = [Pairing(0, Like(CID)), Pairing(1, Like(ANN)), Pairing(2, FromLeft())]
    assert assign(pairings, FACES, ROWS) == {0: 1, 1: 2, 2: 0}


def test_two_people_who_resemble_one_face_are_settled_together() -> None:
    # Both are nearest to the first face; only one of them can be the second.
    rows = np.stack([person(0, 0), person(0.4, 0), person(5, 5)])
    pairings = [Pairing(0, Like(person(0.1, 0))), Pairing(1, Like(person(-0.1, 0)))]
    assert assign(pairings, FACES, rows) == {0: 1, 1: 0}


def test_twins_cannot_be_told_apart_even_together() -> None:
    rows = np.stack([ANN, ANN + 0.01, CID])
    with pytest.raises(FaceRefused) as refusal:
        assign([Pairing(0, Like(ANN)), Pairing(1, Like(ANN + 0.01))], FACES, rows)
    assert refusal.value.code == "faces_alike"


def test_everyone_else_gets_the_source_for_the_rest() -> None:
    assert assign([Pairing(7, Every()), Pairing(3, BySize())], FACES) == {0: 3, 1: 7, 2: 7}


def test_two_sources_for_one_face_are_refused() -> None:
    with pytest.raises(FaceRefused, match="0 and 1") as refusal:
        assign([Pairing(0, BySize(0)), Pairing(1, FromLeft(1))], FACES)
    assert refusal.value.code == "face_taken"


def test_more_people_than_faces_are_refused() -> None:
    with pytest.raises(FaceRefused) as refusal:
        assign([Pairing(0, Like(ANN)), Pairing(1, Like(BEN))], FACES[:1], ROWS[:1])
    assert refusal.value.code == "face_not_found"


def test_people_in_a_picture_without_faces_are_refused() -> None:
    with pytest.raises(FaceRefused) as refusal:
        assign([Pairing(0, Like(ANN))], [], np.zeros((0, 4), np.float32))
    assert refusal.value.code == "no_face"


@given(st.permutations(range(3)))
def test_each_person_is_found_whatever_the_order(order: list[int]) -> None:
    pairings = [Pairing(source, Like(ROWS[source] + 0.05)) for source in order]
    assert assign(pairings, FACES, ROWS) == {0: 0, 1: 1, 2: 2}
