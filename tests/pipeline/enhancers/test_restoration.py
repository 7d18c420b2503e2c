"""Face restoration: what the model sees, what it may change, and how much of it is mixed in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from pipeline.enhancers import RESTORERS, EnhancerChain, RestorationEnhancer
from pipeline.errors import ModelUnavailable
from pipeline.faces import SwappedRegion
from pipeline.render import paste
from pipeline.runtime import OnnxRuntime
from tests.pipeline.small_graphs import Drawing, Shelf, face_at, flat_picture, smooth_picture

PICTURE = smooth_picture(400, 400)
FACE = face_at(200, 200, 120, roll=10)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def draw(shelf: Shelf, name: str, add: Sequence[float] = (0, 0, 0), *, side: int = 512) -> None:
    """The picture comes out as it went in, with something added to red, green and blue (in -1..1)."""
    drawing = Drawing()
    drawing.add("Add", "input", drawing.constant(np.reshape(add, (1, 3, 1, 1))), name="output")
    drawing.save(shelf.file(name), {"input": (1, 3, side, side)}, ["output"])


def draw_codeformer(shelf: Shelf) -> None:
    """The picture comes out brightened by the weight, which is a float64."""
    drawing = Drawing()
    light = drawing.add("Cast", "weight", to=TensorProto.FLOAT)
    drawing.add("Add", "input", light, name="output")
    shapes = {"input": (1, 3, 512, 512), "weight": (1,)}
    drawing.save(shelf.file("codeformer"), shapes, ["output"], weight=TensorProto.DOUBLE)


def region(grey: int | None = None, weight: float = 1.0) -> SwappedRegion:
    """A rectangle about the face: the picture's own pixels, or flat ones."""
    base = np.ascontiguousarray(PICTURE[120:280, 110:290])
    pixels = base.copy() if grey is None else flat_picture(160, 180, (grey, grey, grey))
    return SwappedRegion(110, 120, pixels, np.full((160, 180), weight, np.float32), base)


@pytest.mark.parametrize("name", RESTORERS)
def test_a_model_that_changes_nothing_changes_nothing(shelf: Shelf, name: str) -> None:
    if name == "codeformer":
        draw_codeformer(shelf)
    else:
        draw(shelf, name)
    stage = RestorationEnhancer(OnnxRuntime(), shelf, name, fidelity=0.0)
    before = region()
    after = stage.enhance(before, PICTURE, FACE)
    assert np.abs(after.pixels.astype(int) - before.pixels.astype(int)).max() <= 1
    assert (after.weight == before.weight).all()
    assert (after.x, after.y, after.base.shape) == (before.x, before.y, before.base.shape)
    assert stage.digests == (shelf.digest(name),)


def test_eight_tenths_of_the_restored_face_are_mixed_in_red_first(shelf: Shelf) -> None:
    draw(shelf, "gfpgan_1.4", (0.4, 0.0, -0.2))
    after = RestorationEnhancer(OnnxRuntime(), shelf, "gfpgan_1.4").enhance(region(100), PICTURE, FACE)
    # Red + .4 * 127.5 = 51, of which .8 are 40.8; blue - 25.5, of which .8 are 20.4.
    middle = after.pixels[80, 90].astype(int)
    assert np.abs(middle - [100 - 20.4, 100, 100 + 40.8]).max() <= 1


def test_codeformers_weight_is_its_fidelity(shelf: Shelf) -> None:
    draw_codeformer(shelf)
    stage = RestorationEnhancer(OnnxRuntime(), shelf, "codeformer", blend=1.0, fidelity=0.6)
    after = stage.enhance(region(50), PICTURE, FACE)
    assert abs(int(after.pixels[80, 90, 0]) - (50 + 0.6 * 127.5)) <= 1


@pytest.mark.parametrize(("add", "grey"), [(5.0, 255), (-5.0, 0)])
def test_what_a_network_gives_beyond_the_range_is_clipped(shelf: Shelf, add: float, grey: int) -> None:
    draw(shelf, "gpen_512", (add, add, add))
    after = RestorationEnhancer(OnnxRuntime(), shelf, "gpen_512", blend=1.0).enhance(region(100), PICTURE, FACE)
    assert (after.pixels[80, 90] == grey).all()


def test_a_model_of_another_resolution_runs_at_its_own(shelf: Shelf) -> None:
    draw(shelf, "gpen_512", (0.2, 0.2, 0.2), side=256)
    after = RestorationEnhancer(OnnxRuntime(), shelf, "gpen_512", blend=1.0).enhance(region(100), PICTURE, FACE)
    assert abs(int(after.pixels[80, 90, 1]) - 125.5) <= 1


def test_the_model_sees_the_swap_on_the_target(shelf: Shelf) -> None:
    draw(shelf, "gfpgan_1.4")
    half = region(255, weight=0.5)  # half of it shows, so that the model sees less than white
    after = RestorationEnhancer(OnnxRuntime(), shelf, "gfpgan_1.4", blend=1.0).enhance(half, PICTURE, FACE)
    expected = (255 + PICTURE[200, 200].astype(int)) / 2
    assert np.abs(after.pixels[80, 90] - expected).max() <= 2


def test_only_the_regions_rectangle_changes_and_the_target_itself_does_not(shelf: Shelf) -> None:
    draw(shelf, "gfpgan_1.4", (1.0, 1.0, 1.0))
    before = PICTURE.copy()
    after = RestorationEnhancer(OnnxRuntime(), shelf, "gfpgan_1.4").enhance(region(), PICTURE, FACE)
    assert (before == PICTURE).all()
    result = paste(PICTURE, after)
    result[120:280, 110:290] = PICTURE[120:280, 110:290]
    assert (result == PICTURE).all()


def test_a_face_at_the_border_is_restored_as_far_as_it_is_seen(shelf: Shelf) -> None:
    draw(shelf, "gfpgan_1.4", (0.4, 0.4, 0.4))
    base = np.ascontiguousarray(PICTURE[:100, :100])
    corner = SwappedRegion(0, 0, base.copy(), np.ones((100, 100), np.float32), base)
    after = RestorationEnhancer(OnnxRuntime(), shelf, "gfpgan_1.4").enhance(corner, PICTURE, face_at(50, 50, 90))
    assert abs(int(after.pixels[50, 50, 0]) - int(base[50, 50, 0]) - 40.8) <= 2


def test_a_model_with_other_inputs_is_refused(shelf: Shelf) -> None:
    drawing = Drawing()
    drawing.add("Add", "input", "noise", name="output")
    shapes = {"input": (1, 3, 512, 512), "noise": (1, 3, 512, 512)}
    drawing.save(shelf.file("gfpgan_1.4"), shapes, ["output"])
    with pytest.raises(ModelUnavailable, match="noise") as refusal:
        RestorationEnhancer(OnnxRuntime(), shelf, "gfpgan_1.4")
    assert refusal.value.code == "model_unfit"


class Brighten:
    name, digests = "brighten", ("b",)

    def __init__(self, factor: int, plus: int) -> None:
        self.factor, self.plus = factor, plus

    def enhance(self, region, pixels, face):  # type: ignore[no-untyped-def]
        pixels = (region.pixels.astype(int) * self.factor + self.plus).astype(np.uint8)
        return SwappedRegion(region.x, region.y, pixels, region.weight, region.base)


def test_a_chain_runs_its_stages_in_their_order() -> None:
    chain = EnhancerChain([Brighten(2, 0), Brighten(1, 5)])
    assert (chain.enhance(region(10), PICTURE, FACE).pixels == 25).all()
    assert chain.name == "brighten+brighten"
    assert chain.digests == ("b", "b")


def test_an_empty_chain_leaves_the_region_as_it_is() -> None:
    before = region()
    assert EnhancerChain([]).enhance(before, PICTURE, FACE) is before
    assert EnhancerChain([]).name == "none"
