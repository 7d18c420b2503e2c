"""One frame is looked at once, and what was seen survives JSON."""

from __future__ import annotations

import json
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.engine import FaceEngine
from pipeline.faces import Pixels
from safety.liveness import FrameObservation, observe
from tests.safety.liveness.samples import noisy, observation
from tests.safety.samples import GREY


def test_a_face_is_observed(engine: FaceEngine, astronaut: Pixels) -> None:
    seen = observe(engine, astronaut, sequence=3, captured_at=1.5)
    assert (seen.sequence, seen.captured_at, seen.faces) == (3, 1.5, 1)
    assert abs(seen.yaw) < 20
    assert 80 < seen.width < 150
    assert seen.inside == 1.0
    assert 100 < seen.brightness < 220
    assert seen.embedding is not None
    assert seen.embedding.shape == (128,)


def test_an_observation_survives_json(engine: FaceEngine, astronaut: Pixels) -> None:
    for pixels in (astronaut, GREY):
        seen = observe(engine, pixels, sequence=0, captured_at=0.0)
        again = FrameObservation.from_json(json.loads(json.dumps(seen.to_json())))
        assert again.to_json() == seen.to_json()
        assert (again.embedding is None) == (seen.embedding is None)
        if seen.embedding is not None:
            np.testing.assert_array_equal(again.embedding, seen.embedding)


def test_a_frame_without_a_face_says_so(engine: FaceEngine) -> None:
    seen = observe(engine, GREY, sequence=0, captured_at=0.0)
    assert (seen.faces, seen.embedding) == (0, None)


def test_the_same_pixels_have_the_same_digest_and_others_another(engine: FaceEngine) -> None:
    digests = {observe(engine, p, sequence=i, captured_at=0).digest for i, p in enumerate([GREY, GREY.copy()])}
    assert len(digests) == 1
    wide = GREY.reshape(32, 128, 3)
    for other in (noisy(GREY, 1), wide):
        assert observe(engine, other, sequence=0, captured_at=0).digest not in digests


def test_a_face_at_the_edge_is_partly_outside(engine: FaceEngine, astronaut: Pixels) -> None:
    cut = np.ascontiguousarray(astronaut[:, 215:])
    assert observe(engine, cut, sequence=0, captured_at=0).inside < 0.9


def test_several_faces_and_darkness_are_seen(engine: FaceEngine, astronaut: Pixels) -> None:
    two = np.ascontiguousarray(np.hstack([astronaut, astronaut]))
    assert observe(engine, two, sequence=0, captured_at=0).faces == 2
    dark = np.asarray(cv2.convertScaleAbs(astronaut, alpha=0.15), np.uint8)
    assert observe(engine, dark, sequence=0, captured_at=0).brightness < 40


def test_a_head_turned_to_its_own_left_has_positive_yaw(engine: FaceEngine, turning_head: list[Pixels]) -> None:
    assert observe(engine, turning_head[13], sequence=0, captured_at=0).yaw > 30
    assert observe(engine, turning_head[3], sequence=0, captured_at=0).yaw < -30


@pytest.mark.parametrize(
    "change",
    [
        {"yaw": float("nan")},
        {"captured_at": float("inf")},
        {"width": None},
        {"embedding": "AAAA"},
        {"embedding": "not base64"},
        {"more": 1},
    ],
)
def test_a_malformed_observation_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        FrameObservation.from_json(observation(0).to_json() | change)
