from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.engine import FaceEngine
from pipeline.models import ModelStore
from pipeline.runtime import OnnxRuntime
from safety.gates.age import estimate_ages
from service.demo import donor as donors
from service.demo import portrait
from service.demo.donor import Donor, NotFictional, fictional_donor, original_photo


def test_the_donor_is_somebody_else_with_a_margin(donor: Donor) -> None:
    assert donor.distance > 0.65


def test_the_donor_is_the_same_every_time(donor: Donor, engine: FaceEngine) -> None:
    assert fictional_donor(engine).photo.tobytes() == donor.photo.tobytes()


def test_the_donor_shows_one_clean_frontal_face(donor: Donor, engine: FaceEngine) -> None:
    (face,) = engine.look(donor.photo)
    assert face.score > 0.7
    assert face.presence > 0.9
    assert face.width > 250
    assert max(abs(face.pose.yaw), abs(face.pose.pitch)) < 10


def test_the_donor_looks_adult(donor: Donor, store: ModelStore) -> None:
    ages = estimate_ages(OnnxRuntime().session(store.path("age")), donor.photo, donor.face)
    assert min(ages) >= 28


def test_a_donor_too_much_like_the_original_is_not_handed_out(
    engine: FaceEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    unchanged = portrait.Recipe(moves=(), aspect=1.0, skin=(1.0, 0, 0), hair=(1.0, 0, 0))
    monkeypatch.setattr(donors, "RECIPE", unchanged)
    with pytest.raises(NotFictional, match="from the original"):
        fictional_donor(engine)


def test_a_donor_cannot_be_built_from_a_picture(donor: Donor) -> None:
    with pytest.raises(TypeError, match="cannot be built from a picture"):
        Donor(original_photo(), donor.face, donor.embedding, 0.7, object())


def test_a_donors_photo_cannot_be_painted_over(donor: Donor) -> None:
    with pytest.raises(ValueError, match="read-only"):
        donor.photo[0, 0] = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        donor.photo = original_photo()  # type: ignore[misc]


def test_another_photo_than_the_known_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skimage.data.astronaut", lambda: np.zeros((512, 512, 3), np.uint8))
    portrait._cut_out.cache_clear()
    with pytest.raises(RuntimeError, match="another picture"):
        portrait.paint(donors.RECIPE)
