"""Alignment: similarities are recovered, crops are laid back where they came from and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.align import TEMPLATES, align, check_usable, five_of_68, five_points, lay_back, similarity, template
from pipeline.errors import FaceRefused
from pipeline.faces import Face
from pipeline.masks import box_mask
from pipeline.render import paste
from tests.pipeline.small_graphs import face_at, face_on, flat_picture, largest_gap, shown, smooth_picture

PICTURE = smooth_picture(360, 480)
angles = st.floats(-180, 180)
scales = st.floats(0.1, 10)
shifts = st.floats(-500, 500)


def known(angle: float, scale: float, x: float, y: float) -> np.ndarray:
    c, s = scale * np.cos(np.radians(angle)), scale * np.sin(np.radians(angle))
    return np.array([[c, -s, x], [s, c, y]])


@given(angles, scales, shifts, shifts, st.sampled_from(TEMPLATES))
def test_a_known_similarity_is_recovered(angle: float, scale: float, x: float, y: float, name: str) -> None:
    source = template(name, 128)
    affine = known(angle, scale, x, y)
    target = source @ affine[:, :2].T + affine[:, 2]
    assert np.allclose(similarity(source, target), affine, atol=1e-6 * scale * 1000)


@given(st.lists(st.tuples(shifts, shifts), min_size=5, max_size=5), angles, scales)
def test_no_other_similarity_fits_better(noise: list[tuple[float, float]], angle: float, scale: float) -> None:
    source = template("arcface_112_v2", 112)
    target = source + np.array(noise) / 50

    def error(affine: np.ndarray) -> float:
        return float(((source @ affine[:, :2].T + affine[:, 2] - target) ** 2).sum())

    best = similarity(source, target)
    assert error(best) <= error(known(angle, scale, *best[:, 2])) + 1e-9
    nudged = best + known(angle, 1e-3, 0, 0)
    assert error(best) <= error(nudged) + 1e-9


def test_points_in_one_place_cannot_be_aligned() -> None:
    with pytest.raises(ValueError, match="one place"):
        similarity(np.zeros((5, 2)), template("ffhq_512", 512))


def test_a_similarity_never_mirrors() -> None:
    source = template("arcface_112_v2", 112)
    mirrored = source * (-1, 1)
    assert np.linalg.det(similarity(source, mirrored)[:, :2]) >= 0


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_has_the_eyes_above_the_nose_above_the_mouth(name: str) -> None:
    left, right, nose, *mouth = template(name, 512)
    assert left[0] < nose[0] < right[0]
    assert max(left[1], right[1]) < nose[1] < min(y for _, y in mouth)


def test_templates_count_from_the_corner_of_the_first_pixel() -> None:
    # insightface's arcface_dst: 38.2946, 51.6963, counted from the first pixel's middle.
    assert template("arcface_112_v2", 112)[0] == pytest.approx((38.2946 + 0.5, 51.6963 + 0.5), abs=1e-4)


def test_an_unknown_template_is_named() -> None:
    with pytest.raises(ValueError, match="'arcface_113'"):
        template("arcface_113", 113)


def test_a_crop_shows_the_eye_where_the_template_has_it() -> None:
    face = face_at(200, 150, 120, roll=25)
    picture = flat_picture(300, 400, (0, 0, 0))
    x, y = np.floor(five_points(face)[0]).astype(int)
    picture[y - 3 : y + 4, x - 3 : x + 4] = 255
    crop = align(picture, face, "arcface_112_v2", 112).pixels[..., 0]
    rows, columns = np.nonzero(crop > 127)
    there = template("arcface_112_v2", 112)[0]
    assert abs(columns.mean() + 0.5 - there[0]) < 1.5
    assert abs(rows.mean() + 0.5 - there[1]) < 1.5


def test_a_crop_at_the_templates_own_place_is_the_picture_itself_to_the_bit() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (112, 112, 3)).astype(np.uint8)
    face = face_on(template("arcface_112_v2", 112).astype(np.float32))
    assert (align(noise, face, "arcface_112_v2", 112).pixels == noise).all()


faces = st.builds(face_at, st.floats(100, 380), st.floats(100, 260), st.floats(40, 260), roll=st.floats(-60, 60))


@settings(max_examples=40, deadline=None)
@given(faces, st.sampled_from(TEMPLATES), st.sampled_from([64, 128, 256, 512]))
def test_a_crop_laid_back_unchanged_leaves_the_picture_as_it_was(face: Face, name: str, size: int) -> None:
    crop = align(PICTURE, face, name, size)
    region = lay_back(PICTURE, crop.pixels, box_mask(size), crop.affine)
    result = paste(PICTURE, region)
    assert np.abs(result.astype(int) - PICTURE.astype(int)).max() <= 1
    outside = np.ones(PICTURE.shape[:2], bool)
    height, width = region.weight.shape
    outside[region.y : region.y + height, region.x : region.x + width] = False
    assert (result[outside] == PICTURE[outside]).all()


def test_noise_laid_back_at_the_same_scale_is_the_same_to_the_bit() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (200, 200, 3)).astype(np.uint8)
    face = face_on((template("arcface_128", 128) + np.array([30, 40])).astype(np.float32))
    crop = align(noise, face, "arcface_128", 128)
    region = lay_back(noise, crop.pixels, np.ones((128, 128), np.float32), crop.affine)
    assert (region.x, region.y, region.weight.shape) == (30, 40, (128, 128))
    assert (region.pixels == noise[40:168, 30:158]).all()


def test_the_rectangle_stays_in_the_picture() -> None:
    crop = align(PICTURE, face_at(20, 350, 150), "ffhq_512", 256)
    region = lay_back(PICTURE, crop.pixels, box_mask(256), crop.affine)
    height, width = region.weight.shape
    assert region.x == 0
    assert region.y + height == 360
    assert region.base.shape == region.pixels.shape == (height, width, 3)


def test_a_crop_beside_the_picture_is_refused() -> None:
    crop = align(PICTURE, face_at(-900, 100, 60), "ffhq_512", 64)
    with pytest.raises(FaceRefused) as refusal:
        lay_back(PICTURE, crop.pixels, box_mask(64), crop.affine)
    assert refusal.value.code == "face_outside"


def test_the_weight_is_nought_outside_the_turned_crop() -> None:
    crop = align(PICTURE, face_at(240, 180, 100, roll=45), "arcface_112_v2", 112)
    region = lay_back(PICTURE, crop.pixels, np.ones((112, 112), np.float32), crop.affine)
    assert region.weight[0, 0] == region.weight[-1, 0] == region.weight[0, -1] == 0
    assert region.weight[region.weight.shape[0] // 2, region.weight.shape[1] // 2] == 1
    assert largest_gap(region.pixels, region.base, shown(region)) <= 1


def test_five_points_are_a_models_own_where_it_gave_them() -> None:
    face = face_at(100, 100, 80)
    assert (five_points(face) == face.points).all()


def test_five_points_come_off_the_mesh_where_no_model_gave_them() -> None:
    face = face_at(100, 100, 80, roll=20)
    read = five_points(replace(face, points=None))
    assert np.abs(read - five_points(face)).max() < 0.08 * 80


def test_five_of_68_are_the_eyes_middles_the_nose_and_the_mouths_corners() -> None:
    marks = np.stack([np.arange(68), np.arange(68) * 2], axis=1)
    assert five_of_68(marks).tolist() == [[38.5, 77], [44.5, 89], [30, 60], [48, 96], [54, 108]]


def test_a_tiny_face_is_refused_with_its_size() -> None:
    with pytest.raises(FaceRefused, match=r"\d+ pixels wide; 24 are needed") as refusal:
        check_usable(face_at(100, 100, 12), PICTURE)
    assert refusal.value.code == "face_too_small"
    assert refusal.value.hint


def test_half_a_face_at_the_border_is_refused() -> None:
    with pytest.raises(FaceRefused) as refusal:
        check_usable(face_at(0, 180, 120), PICTURE)
    assert refusal.value.code == "face_cut_off"
    assert refusal.value.hint


def test_a_face_that_only_touches_the_border_is_used() -> None:
    check_usable(face_at(52, 180, 120), PICTURE)
