"""Finding faces, laying the mesh, following it, and telling people apart."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.engine import FaceEngine
from pipeline.errors import FaceRefused
from pipeline.faces import Detection, Face, Floats, Pixels
from pipeline.landmark import MeshLandmarker
from pipeline.models import ModelStore
from pipeline.runtime import OnnxRuntime
from tests.pipeline.samples import read_clip


def distances(a: Floats, b: Floats) -> Floats:
    return np.asarray(np.linalg.norm(a[:, None] - b[None], axis=-1), np.float32)


def test_the_astronaut_is_found_with_a_level_frontal_head(astronaut_face: Face) -> None:
    assert astronaut_face.presence > 0.99 and astronaut_face.score > 0.8
    assert np.all(np.abs(astronaut_face.box - [171, 54, 269, 190]) < 25)
    assert abs(astronaut_face.pose.yaw) < 8 and abs(astronaut_face.pose.roll) < 10
    assert astronaut_face.mesh.shape == (468, 3) and astronaut_face.mesh.dtype == np.float32


def test_a_picture_without_a_face_gives_an_empty_list_and_no_embeddings(engine: FaceEngine) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    assert engine.look(noise) == []
    assert engine.embed(noise, []).shape == (0, 128)


@pytest.mark.parametrize("shape", [(64, 64), (64, 3000), (3000, 64)])
def test_odd_shapes_do_not_disturb_the_detector(engine: FaceEngine, shape: tuple[int, int]) -> None:
    assert engine.look(np.full((*shape, 3), 127, np.uint8)) == []


def test_the_landmarker_denies_a_face_where_there_is_none(runtime: OnnxRuntime, store: ModelStore) -> None:
    grey = np.full((300, 300, 3), 127, np.uint8)
    claim = Detection(0.9, np.float32([50, 50, 200, 200]), np.float32([[90, 90], [160, 90]] * 3))
    with pytest.raises(FaceRefused) as refusal:
        MeshLandmarker(runtime, store).locate(grey, claim)
    assert refusal.value.code == "no_face"


def test_a_small_face_in_a_large_picture_is_found_by_the_tiles(engine: FaceEngine, astronaut: Pixels) -> None:
    scene = np.full((3000, 4000, 3), 90, np.uint8)
    scene[1700:1956, 2900:3156] = cv2.resize(astronaut, (256, 256), interpolation=cv2.INTER_AREA)
    (face,) = engine.look(scene)
    assert 40 < face.width < 60
    assert np.linalg.norm(face.mesh[:, :2].mean(axis=0) - [3011, 1761]) < 15


def test_faces_come_largest_first(engine: FaceEngine, astronaut: Pixels) -> None:
    scene = np.full((700, 1200, 3), 90, np.uint8)
    scene[:300, :300] = cv2.resize(astronaut, (300, 300), interpolation=cv2.INTER_AREA)
    scene[100:612, 500:1012] = astronaut
    small_last = [round(face.width, -1) for face in engine.look(scene)]
    assert small_last == [100, 60]


def test_the_mesh_follows_the_picture_when_it_is_mirrored(engine: FaceEngine, astronaut: Pixels) -> None:
    (face,) = engine.look(astronaut)
    (mirrored,) = engine.look(np.ascontiguousarray(astronaut[:, ::-1]))
    assert mirrored.pose.roll == pytest.approx(-face.pose.roll, abs=2)
    assert mirrored.pose.yaw == pytest.approx(-face.pose.yaw, abs=4)
    assert mirrored.mesh[1, 0] == pytest.approx(512 - face.mesh[1, 0], abs=6)


def test_a_turning_head_is_tracked_from_side_to_side(
    engine: FaceEngine, turning_head: list[Pixels], runtime: OnnxRuntime, store: ModelStore
) -> None:
    landmarker = MeshLandmarker(runtime, store)
    (face,) = engine.look(turning_head[0])
    yaws = []
    for frame in turning_head:
        face = landmarker.track(frame, face)
        yaws.append(face.pose.yaw)
        assert face.presence > 0.9
    assert min(yaws) < -45 and max(yaws) > 30


def test_the_width_of_a_head_does_not_depend_on_where_it_looks(engine: FaceEngine, turning_head: list[Pixels]) -> None:
    widths = [face.width for frame in turning_head for face in engine.look(frame)[:1]]
    assert np.std(widths) / np.mean(widths) < 0.08


def test_the_digests_name_all_three_models(engine: FaceEngine, store: ModelStore) -> None:
    names = ("blazeface", "face_mesh", "dlib_resnet")
    assert engine.digests() == {name: store.digest(name) for name in names}


def embeddings(engine: FaceEngine, pictures: list[Pixels], most_yaw: float = 20) -> Floats:
    rows = []
    for pixels in pictures:
        faces = [face for face in engine.look(pixels)[:1] if abs(face.pose.yaw) < most_yaw]
        rows.append(engine.embed(pixels, faces))
    return np.concatenate(rows)


def test_one_person_stays_below_the_threshold_and_others_above_it(
    engine: FaceEngine, turning_head: list[Pixels], astronaut: Pixels, testdata: Path
) -> None:
    woman = embeddings(engine, turning_head)
    help_clip, yes_clip = (embeddings(engine, read_clip(testdata / f"video/{n}.mkv", 8)) for n in ("help", "yes"))
    portraits = [testdata / f"faces/portraits/{letter}.jpg" for letter in "abcef"]
    others = embeddings(engine, [astronaut, *(np.asarray(cv2.imread(str(p)), np.uint8) for p in portraits)])
    assert len(woman) >= 6 and len(others) == 6
    assert distances(woman, woman).max() < 0.45
    assert distances(help_clip, yes_clip).max() < 0.45
    for stranger in (help_clip, others):
        assert distances(woman, stranger).min() > 0.55
    assert distances(help_clip, others).min() > 0.6
