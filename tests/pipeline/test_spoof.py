"""Passive liveness: crops, shares outside the picture, and what the real networks say."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.engine import FaceEngine
from pipeline.errors import ModelUnavailable
from pipeline.faces import Face, Pixels
from pipeline.models import ModelStore
from pipeline.models.install import Installer
from pipeline.runtime import OnnxRuntime
from pipeline.spoof import SpoofDetector, SpoofScores, share_outside, spoof_crop
from tests.pipeline.samples import read_clip


@pytest.fixture(scope="module")
def installed(minifasnet_files: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelStore:
    store = ModelStore(tmp_path_factory.mktemp("models"))
    Installer(store).install("minifasnet", minifasnet_files.as_uri())
    return store


@pytest.fixture(scope="module")
def detector(runtime: OnnxRuntime, installed: ModelStore) -> SpoofDetector:
    return SpoofDetector(runtime, installed)


@pytest.fixture
def ramp() -> Pixels:
    """Blue is the column, green the row: where a crop came from can be read off it."""
    rows, columns = np.mgrid[0:200, 0:240].astype(np.uint8)
    return np.ascontiguousarray(np.dstack([columns, rows, np.zeros_like(rows)]))


def test_a_crop_inside_the_picture_is_centred_on_the_face(ramp: Pixels) -> None:
    crop = spoof_crop(ramp, (100, 80, 140, 120), 2.0, 81)
    assert crop.shape == (81, 81, 3)
    assert crop[0, 0].tolist() == [80, 60, 0]
    assert crop[-1, -1].tolist() == [160, 140, 0]


def test_a_crop_that_would_leave_the_picture_is_shifted_inside(ramp: Pixels) -> None:
    crop = spoof_crop(ramp, (0, 0, 40, 40), 2.0, 81)
    assert crop[0, 0].tolist() == [0, 0, 0]
    assert crop[-1, -1].tolist() == [80, 80, 0]
    far = spoof_crop(ramp, (200, 160, 240, 200), 2.0, 80)
    assert far[-1, -1, :2].tolist() == [239, 199]


def test_a_crop_larger_than_the_picture_is_shrunk_to_fit(ramp: Pixels) -> None:
    crop = spoof_crop(ramp, (70, 50, 170, 150), 4.0, 80)
    assert crop[..., 1].min() <= 1 and crop[..., 1].max() >= 198
    assert crop[..., 0].max() - crop[..., 0].min() <= 200


def test_the_share_outside_is_the_area_that_is_missing(ramp: Pixels) -> None:
    assert share_outside(ramp, (100, 80, 140, 120), 4.0) == 0
    assert share_outside(ramp, (-20, 80, 20, 120), 2.0) == pytest.approx(0.5)
    assert share_outside(ramp, (-20, -20, 20, 20), 2.0) == pytest.approx(0.75)
    assert share_outside(ramp, (-900, 0, -800, 40), 2.0) == 1


@pytest.mark.parametrize(
    ("scores", "verdict"),
    [
        (SpoofScores(0.1, 0.8, 0.1, 0.0), "live"),
        (SpoofScores(0.6, 0.3, 0.1, 0.3), "spoof"),
        (SpoofScores(0.1, 0.3, 0.6, 0.0), "spoof"),
        (SpoofScores(0.5, 0.5, 0.0, 0.0), "spoof"),
        (SpoofScores(0.0, 1.0, 0.0, 0.31), "not_usable"),
    ],
)
def test_the_verdict_is_the_likeliest_class_unless_too_little_is_seen(scores: SpoofScores, verdict: str) -> None:
    assert scores.verdict == verdict


def test_real_people_on_video_score_as_live(detector: SpoofDetector, engine: FaceEngine, testdata: Path) -> None:
    frames = [
        *read_clip(testdata / "video/head-pose-face-detection-female.gif")[::4],
        *read_clip(testdata / "video/help.mkv", 15),
        *read_clip(testdata / "video/yes.mkv", 15),
    ]
    scores = [detector.scores(frame, engine.look(frame)[:1])[0] for frame in frames]
    assert len(scores) >= 10
    assert all(score.verdict == "live" and score.live > 0.8 for score in scores)
    assert all(abs(score.flat + score.live + score.solid - 1) < 1e-5 for score in scores)


def test_a_face_that_fills_the_picture_is_not_usable(
    detector: SpoofDetector, engine: FaceEngine, testdata: Path
) -> None:
    picture = cv2.imread(str(sorted((testdata / "faces/portraits").iterdir())[0]))
    (score,) = detector.scores(picture, engine.look(picture)[:1])
    assert score.verdict == "not_usable" and score.outside > 0.5


def test_many_faces_at_once_give_what_each_gives_alone(
    detector: SpoofDetector, astronaut: Pixels, astronaut_face: Face
) -> None:
    shifted = Face(
        astronaut_face.mesh + np.array([40, 60, 0], np.float32),
        astronaut_face.presence,
        astronaut_face.pose,
        astronaut_face.width,
        astronaut_face.score,
    )
    faces = [astronaut_face, shifted] * 20
    together = detector.scores(astronaut, faces)
    for face, score in zip(faces[:2], together[:2], strict=True):
        (alone,) = detector.scores(astronaut, [face])
        assert np.allclose([alone.flat, alone.live, alone.solid], [score.flat, score.live, score.solid], atol=1e-5)
    assert len(together) == 40 and detector.scores(astronaut, []) == []


def test_the_detector_names_both_models(detector: SpoofDetector, installed: ModelStore) -> None:
    assert detector.digests == (installed.digest("minifasnet_v2"), installed.digest("minifasnet_v1se"))


def test_without_the_models_it_is_unavailable_by_name(runtime: OnnxRuntime, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="minifasnet_v2") as refusal:
        SpoofDetector(runtime, ModelStore(tmp_path))
    assert refusal.value.code == "model_missing"
