"""Masks: what each model is fed, and what of a swap they let show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.align import AlignedCrop, align
from pipeline.errors import ModelUnavailable
from pipeline.faces import Pixels, SwappedRegion
from pipeline.masks import REGIONS, AreaMask, BoxMask, MaskStage, OcclusionMask, RegionMask, box_mask
from pipeline.masks.soften import soften
from pipeline.runtime import OnnxRuntime
from pipeline.warp import apply
from tests.pipeline.small_graphs import Drawing, Shelf, face_at, flat_picture

FACE = face_at(256, 256, 300)


def crop_of(pixels: Pixels) -> AlignedCrop:
    return AlignedCrop(pixels, np.array([[1.0, 0, 0], [0, 1, 0]]))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def halves(size: int, left: tuple[int, int, int], right: tuple[int, int, int]) -> Pixels:
    picture = flat_picture(size, size, left)
    picture[:, size // 2 :] = right
    return picture


def draw_xseg(shelf: Shelf) -> None:
    """The mask is the first channel of the picture, which comes with its channels last."""
    drawing = Drawing()
    drawing.add("Slice", "input", drawing.ints(0), drawing.ints(1), drawing.ints(3), name="output")
    drawing.save(shelf.file("xseg"), {"input": (1, 256, 256, 3)}, ["output"])


def draw_bisenet(shelf: Shelf, *, classes: int = 19) -> None:
    """Red is skin, green is glasses, anything darker is background."""
    drawing = Drawing()
    weights, bias = np.zeros((classes, 3)), np.zeros(classes)
    weights[1, 0], bias[1] = 0.229, 0.485  # takes the normalisation back
    if classes > 6:
        weights[6, 1], bias[6] = 0.224, 0.456
    bias[0] = 0.5
    drawing.save(shelf.file("bisenet"), {"input": (1, 3, 512, 512)}, [drawing.look("input", weights, bias)])


@pytest.mark.parametrize("size", [128, 256, 512])
def test_what_xseg_sees_as_face_may_change_and_what_covers_it_may_not(shelf: Shelf, size: int) -> None:
    draw_xseg(shelf)
    mask = OcclusionMask(OnnxRuntime(), shelf).weigh(crop_of(halves(size, (255, 0, 0), (0, 255, 255))), FACE)
    assert mask.shape == (size, size)
    assert mask.dtype == np.float32
    assert mask[:, : size // 2 - 24].min() > 0.999
    assert mask[:, size // 2 + 24 :].max() == 0


def test_a_mask_under_a_half_is_nothing_and_three_quarters_are_a_half() -> None:
    assert (soften(np.full((64, 64), 0.5, np.float32), 64) == 0).all()
    assert soften(np.full((64, 64), 0.75, np.float32), 128) == pytest.approx(0.5)
    assert (soften(np.full((64, 64), 1.5, np.float32), 32) == 1).all()


def test_the_rim_lies_inside_the_rough_mask() -> None:
    rough = np.zeros((256, 256), np.float32)
    rough[:, :128] = 1
    soft = soften(rough, 256)
    assert (soft[:, 128:] < 0.05).all()
    assert 0.3 < soft[128, 124] < 0.7  # .8 of a sigma of 5 px inside: 2 * .788 - 1


@pytest.mark.parametrize(
    ("regions", "left", "right"), [(("skin",), 1, 0), (("glasses",), 0, 1), (("skin", "glasses"), 1, 1)]
)
def test_only_the_chosen_regions_may_change(shelf: Shelf, regions: tuple[str, ...], left: float, right: float) -> None:
    draw_bisenet(shelf)
    mask = RegionMask(OnnxRuntime(), shelf, regions).weigh(crop_of(halves(512, (0, 0, 255), (0, 255, 0))), FACE)
    assert (mask[:, :230] == left).all()
    assert (mask[:, 282:] == right).all()


def test_glasses_stay_the_targets_unless_asked_for(shelf: Shelf) -> None:
    draw_bisenet(shelf)
    mask = RegionMask(OnnxRuntime(), shelf).weigh(crop_of(halves(256, (0, 0, 255), (0, 255, 0))), FACE)
    assert mask[128, 50] == 1
    assert mask[128, 200] == 0


def test_the_background_never_changes(shelf: Shelf) -> None:
    draw_bisenet(shelf)
    mask = RegionMask(OnnxRuntime(), shelf, tuple(REGIONS)).weigh(crop_of(flat_picture(512, 512, (9, 9, 9))), FACE)
    assert not mask.any()


def test_a_parser_of_fewer_classes_is_refused(shelf: Shelf) -> None:
    draw_bisenet(shelf, classes=5)
    with pytest.raises(ModelUnavailable) as refusal:
        RegionMask(OnnxRuntime(), shelf).weigh(crop_of(flat_picture(512, 512, (0, 0, 0))), FACE)
    assert refusal.value.code == "model_unfit"


@pytest.mark.parametrize("mask", [lambda: AreaMask(["ears"]), lambda: AreaMask([])])
def test_an_unknown_area_is_named(mask) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="upper-face"):
        mask()


def test_the_mouth_area_holds_the_mouth_and_not_the_eyes() -> None:
    picture = flat_picture(512, 512, (0, 0, 0))
    crop = align(picture, FACE, "ffhq_512", 512)
    mouth, upper = (AreaMask([area]).weigh(crop, FACE) for area in ("mouth", "upper-face"))
    eye, lips = apply(crop.affine, FACE.mesh[[159, 13], :2]).astype(int)
    assert mouth[lips[1], lips[0]] > 0.9
    assert mouth[eye[1], eye[0]] == 0
    assert upper[eye[1], eye[0]] > 0.9
    assert upper[lips[1], lips[0]] == 0


@given(st.integers(32, 600), st.floats(0, 0.5))
def test_a_box_mask_is_whole_in_the_middle_soft_at_the_border_and_symmetric(size: int, blur: float) -> None:
    mask = box_mask(size, blur=blur)
    assert mask.min() >= 0
    assert mask.max() <= 1 + 1e-6
    assert mask[size // 2, size // 2] > 0.95
    assert mask[0].max() < 0.12
    assert np.allclose(mask, mask[::-1], atol=1e-5)
    assert np.allclose(mask, mask.T, atol=1e-5)


def test_padding_leaves_out_a_side() -> None:
    mask = BoxMask(blur=0.0, padding=(0.5, 0, 0, 0)).weigh(crop_of(flat_picture(100, 100, (0, 0, 0))), FACE)
    assert not mask[:50].any()
    assert mask[50:99, 1:99].all()


def region(weight: float = 1.0) -> SwappedRegion:
    white = flat_picture(512, 512, (255, 255, 255))
    return SwappedRegion(0, 0, white, np.full((512, 512), weight, np.float32), np.zeros_like(white))


def test_a_hand_before_the_face_stays_whoever_swapped_it(shelf: Shelf) -> None:
    draw_xseg(shelf)
    target = halves(512, (255, 0, 0), (0, 0, 255))  # a red hand over the right half
    stage = MaskStage([OcclusionMask(OnnxRuntime(), shelf)])
    masked = stage.enhance(region(0.8), target, FACE)
    assert masked.weight[256, 100] == pytest.approx(0.8)
    assert masked.weight[256, 420] == 0
    assert (masked.pixels == 255).all()
    assert stage.name == "xseg"
    assert stage.digests == (shelf.digest("xseg"),)


def test_the_strictest_of_several_masks_counts(shelf: Shelf) -> None:
    draw_xseg(shelf)
    target = halves(512, (255, 0, 0), (0, 0, 255))
    stage = MaskStage([OcclusionMask(OnnxRuntime(), shelf), AreaMask(["mouth"])])
    weight = stage.enhance(region(), target, FACE).weight
    mouth_left, mouth_right = FACE.mesh[[61, 291], :2].astype(int)
    assert weight[mouth_left[1], mouth_left[0] + 30] > 0.7
    assert weight[mouth_right[1], mouth_right[0] - 15] < 0.1
    assert weight[150, 150] == 0


def test_outside_the_aligned_face_nothing_is_held_back(shelf: Shelf) -> None:
    draw_xseg(shelf)
    target = flat_picture(512, 512, (0, 0, 0))  # all covered
    small = face_at(256, 256, 90)
    weight = MaskStage([OcclusionMask(OnnxRuntime(), shelf)]).enhance(region(), target, small).weight
    assert weight[256, 256] == 0
    assert weight[5, 5] == 1


def test_a_stage_without_masks_makes_no_sense() -> None:
    with pytest.raises(ValueError, match="needs a mask"):
        MaskStage([])
