"""Real heads that turn as asked are live; the same frames reordered, frozen, spliced, and flat photos are not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.engine import FaceEngine
from pipeline.faces import Pixels
from safety.liveness import FrameObservation, Move, judge
from safety.liveness.challenge import SEQUENCES
from safety.liveness.observe import observe
from tests.safety.liveness.conftest import read_clip
from tests.safety.liveness.samples import challenge, observed, renumbered, template_of, tilted

pytestmark = pytest.mark.testdata

# The clip begins turned to the woman's right, passes the middle at frame 9, is farthest left at 13, and in the middle
# again at 19. One turn, as indices of frames:
TURNS: dict[Move, list[int]] = {
    "left": [9, *range(10, 20)],
    "right": [9, 8, 7, 6, 5, 3, 1, 2, 4, 5, 6, 7, 8, 9],
}


@pytest.fixture(scope="module")
def seen(engine: FaceEngine, turning_head: list[Pixels]) -> list[FrameObservation]:
    """Every frame of the clip, observed once."""
    return observed(engine, turning_head)


@pytest.fixture(scope="module")
def signing_man(engine: FaceEngine, testdata: Path) -> list[FrameObservation]:
    return observed(engine, read_clip(testdata / "video/yes.mkv")[::4])


def _indices(moves: Sequence[Move]) -> list[int]:
    return [index for move in moves for index in TURNS[move]]


@pytest.mark.parametrize("moves", SEQUENCES)
def test_a_real_head_that_turns_as_asked_is_live(moves: tuple[Move, ...], seen: list[FrameObservation]) -> None:
    frames = renumbered([seen[index] for index in _indices(moves)])
    result = judge(challenge(*moves), frames)
    assert (result.outcome, result.reasons) == ("live", ())
    assert result.template is not None
    assert float(np.linalg.norm(result.template - template_of(seen))) < 0.1


def test_frames_observed_one_after_the_other_are_live(engine: FaceEngine, turning_head: list[Pixels]) -> None:
    moves: tuple[Move, ...] = ("left", "right", "left")
    frames = observed(engine, [turning_head[index] for index in _indices(moves)])
    assert judge(challenge(*moves), frames).outcome == "live"


def test_the_clip_as_it_is_answers_no_challenge(engine: FaceEngine, turning_head: list[Pixels]) -> None:
    frames = observed(engine, turning_head)
    assert {judge(challenge(*moves), frames).outcome for moves in SEQUENCES} == {"not_usable"}


def test_the_turns_backwards_or_mirrored_are_not_live(
    engine: FaceEngine, turning_head: list[Pixels], seen: list[FrameObservation]
) -> None:
    moves: tuple[Move, ...] = ("left", "left", "right")
    frames = renumbered([seen[index] for index in _indices(moves)][::-1])
    assert judge(challenge(*moves), frames).reasons == ("wrong_turns",)
    mirrored = observed(engine, [turning_head[i][:, ::-1].copy() for i in _indices(("left", "right", "left"))])
    assert judge(challenge("left", "right", "left"), mirrored).reasons == ("wrong_turns",)


def test_frames_that_are_sent_twice_are_not_live(engine: FaceEngine, turning_head: list[Pixels]) -> None:
    pictures = [turning_head[index] for index in TURNS["left"]] * 3
    frames = [observe(engine, p, sequence=i, captured_at=i * 0.15) for i, p in enumerate(pictures)]
    assert judge(challenge("left", "left", "left"), frames).reasons == ("frame_repeated",)


def test_frozen_frames_leave_turns_out(seen: list[FrameObservation]) -> None:
    indices = [9] * 12 + TURNS["left"] + [9] * 12
    frames = renumbered([seen[index] for index in indices])
    assert judge(challenge("left", "right", "left"), frames).reasons == ("wrong_turns",)


def test_two_people_spliced_together_are_not_live(
    seen: list[FrameObservation], signing_man: list[FrameObservation]
) -> None:
    turned = [seen[index] for index in _indices(("left", "right", "left"))]
    for spliced in (signing_man + turned, turned + signing_man, [turned[0], *signing_man[:4], *turned[1:]]):
        result = judge(challenge("left", "right", "left"), renumbered(spliced))
        assert result.outcome == "not_live"
        assert {"person_changed", "jump"} & set(result.reasons)


def test_somebody_else_than_the_enrolled_person_is_not_live(
    seen: list[FrameObservation], signing_man: list[FrameObservation]
) -> None:
    frames = renumbered([seen[index] for index in _indices(("left", "right", "left"))])
    expected = template_of(signing_man)
    assert judge(challenge("left", "right", "left"), frames, expected=expected).reasons == ("other_person",)


def test_a_person_who_does_not_turn_is_not_live(signing_man: list[FrameObservation]) -> None:
    assert judge(challenge("left", "right", "left"), signing_man).reasons == ("no_turn",)


def test_a_still_photo_with_noise_and_shift_is_not_live(engine: FaceEngine, turning_head: list[Pixels]) -> None:
    shifts = [(round(12 * np.sin(i / 3)), round(5 * np.cos(i / 2))) for i in range(20)]
    frames = observed(engine, [np.roll(turning_head[9], shift, axis=(1, 0)) for shift in shifts])
    assert judge(challenge("left", "right", "left"), frames).reasons == ("no_turn",)


@pytest.mark.parametrize("portrait", ["b", "c", "f", "h"])
def test_a_flat_photo_tilted_as_asked_is_not_live(portrait: str, engine: FaceEngine, faces_folder: Path) -> None:
    photo = np.asarray(cv2.imread(str(faces_folder / f"portraits/{portrait}.jpg")), np.uint8)
    swing = [0, 20, 40, 55, 65, 50, 25, 0]
    tilts = [*swing, *(-tilt for tilt in swing), *swing]
    frames = observed(engine, [tilted(photo, tilt) for tilt in tilts])
    for moves in SEQUENCES:
        assert judge(challenge(*moves), frames).outcome != "live"
