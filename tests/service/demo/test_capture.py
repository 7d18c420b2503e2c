from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pytest

from pipeline.engine import FaceEngine
from pipeline.faces import Face, Pixels
from service.demo.capture import donor_capture
from service.demo.donor import Donor, original_photo

Seen = list[tuple[float, Pixels, Face]]


@pytest.fixture(scope="module")
def seen(donor: Donor, engine: FaceEngine) -> Seen:
    """The capture of a turn to each side as the engine sees it."""
    found: Seen = []
    for seconds, frame in donor_capture(donor, ["left", "right"]):
        (face,) = engine.look(frame)
        found.append((seconds, frame, face))
    return found


def test_every_frame_shows_one_face_of_a_good_size(seen: Seen) -> None:
    assert min(face.width for _, _, face in seen) >= 120
    assert min(face.presence for _, _, face in seen) > 0.9


def test_the_head_turns_far_enough_to_each_side_in_the_order_asked(seen: Seen) -> None:
    yaws = [face.pose.yaw for _, _, face in seen]
    assert max(yaws) >= 24
    assert min(yaws) <= -24
    assert yaws.index(max(yaws)) < yaws.index(min(yaws))  # the person's own left is the picture's right


def test_the_head_looks_ahead_before_between_and_after(seen: Seen) -> None:
    yaws = np.array([face.pose.yaw for _, _, face in seen])
    between = yaws[yaws.argmax() : yaws.argmin()]
    assert np.abs(yaws[:8]).max() < 8
    assert np.abs(yaws[-8:]).max() < 8
    assert (np.abs(between) < 8).sum() >= 5


def test_it_moves_smoothly(seen: Seen) -> None:
    noses = [face.mesh[1, :2] / face.width for _, _, face in seen]
    assert max(float(np.linalg.norm(b - a)) for a, b in pairwise(noses)) < 0.15


def test_it_runs_at_fifteen_frames_a_second(seen: Seen) -> None:
    assert {round(b[0] - a[0], 4) for a, b in pairwise(seen)} == {round(1 / 15, 4)}


def test_frontal_frames_match_the_donors_photo(seen: Seen, donor: Donor, engine: FaceEngine) -> None:
    frontal = [(frame, face) for _, frame, face in seen if abs(face.pose.yaw) < 20]
    distances = [np.linalg.norm(engine.embed(frame, [face])[0] - donor.embedding) for frame, face in frontal]
    assert len(distances) >= 30
    assert max(distances) < 0.40


def test_no_two_frames_are_equal(seen: Seen) -> None:
    assert len({frame.tobytes() for _, frame, _ in seen}) == len(seen)


def test_the_same_moves_give_the_same_capture(donor: Donor) -> None:
    one, two = donor_capture(donor, ["right"]), donor_capture(donor, ["right"])
    for _ in range(3):
        assert next(one)[1].tobytes() == next(two)[1].tobytes()


def test_another_take_shares_no_frame(donor: Donor) -> None:
    one, two = (list(donor_capture(donor, ["right"], take=take)) for take in (0, 1))
    assert not {frame.tobytes() for _, frame in one} & {frame.tobytes() for _, frame in two}


def test_no_picture_can_be_captured(donor: Donor) -> None:
    with pytest.raises(TypeError, match="only the fictional donor"):
        donor_capture(original_photo(), ["left"])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="only the fictional donor"):
        donor_capture(dataclasses.astuple(donor), ["left"])  # type: ignore[arg-type]


def test_a_forged_photo_is_never_drawn(donor: Donor) -> None:
    forged = dataclasses.replace(donor, photo=original_photo())
    honest = next(donor_capture(donor, ["left"]))[1]
    assert next(donor_capture(forged, ["left"]))[1].tobytes() == honest.tobytes()


def test_an_unknown_move_is_refused(donor: Donor) -> None:
    with pytest.raises(ValueError, match="unknown moves: spin"):
        donor_capture(donor, ["left", "spin"])
