"""A neural swap to the pixel: normalisation, colour order, clipping, paste-back, pixel boost, batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import FaceRefused, ModelUnavailable
from pipeline.faces import Floats
from pipeline.render import RenderPermit, paste, render
from pipeline.swappers import FAMILIES, NeuralIdentity, NeuralSwapper
from tests.pipeline.small_graphs import (
    CountingRuntime,
    Drawing,
    Shelf,
    face_at,
    flat_picture,
    largest_gap,
    shown,
    smooth_picture,
)
from tests.pipeline.swappers.samples import FixedEmbedder, draw_converter, draw_swapper, embedding

PICTURE = smooth_picture(360, 480)
FACE = face_at(240, 180, 150, roll=12)
EMAP = np.eye(512)
NOBODY = np.zeros(512, np.float32)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def swapper_of(shelf: Shelf, name: str, runtime: CountingRuntime | None = None, **options: float) -> NeuralSwapper:
    return NeuralSwapper(runtime or CountingRuntime(), shelf, FAMILIES[name], FixedEmbedder(), **options)  # type: ignore[arg-type]


def told(name: str, source: Floats) -> NeuralIdentity:
    """An identity whose source the graph gets as it is."""
    return NeuralIdentity(name, source, None)


def dark(name: str) -> NeuralIdentity:
    """An identity that adds no light in the small graphs."""
    family = FAMILIES[name]
    side = family.source_side
    return told(name, np.zeros((1, 3, side, side) if side else (1, 512), np.float32))


def prepare(shelf: Shelf, name: str, **options: object) -> None:
    family = FAMILIES[name]
    draw_swapper(shelf, family, emap=EMAP if family.source == "emap" else None, **options)  # type: ignore[arg-type]
    if family.converter:
        draw_converter(shelf, family.converter, 1)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_graph_that_changes_nothing_changes_no_picture(shelf: Shelf, name: str) -> None:
    prepare(shelf, name)
    region = swapper_of(shelf, name).swap(PICTURE, FACE, dark(name))
    assert largest_gap(region.pixels, region.base, shown(region)) <= 1
    result = paste(PICTURE, region)
    assert np.abs(result.astype(int) - PICTURE.astype(int)).max() <= 1


@pytest.mark.parametrize("name", FAMILIES)
def test_every_pixel_outside_the_rectangle_stays_as_it_was(shelf: Shelf, name: str) -> None:
    prepare(shelf, name, gain=0.0)
    region = swapper_of(shelf, name).swap(PICTURE, FACE, dark(name))
    result = paste(PICTURE, region)
    height, width = region.weight.shape
    inside = np.zeros(PICTURE.shape[:2], bool)
    inside[region.y : region.y + height, region.x : region.x + width] = True
    assert (result[~inside] == PICTURE[~inside]).all()
    assert not result[180, 240].any()  # the middle is wholly swapped, here to black


@pytest.mark.parametrize("name", FAMILIES)
def test_the_sources_first_number_is_red(shelf: Shelf, name: str) -> None:
    prepare(shelf, name)
    identity = dark(name)
    identity.source[0, 0] = 0.2
    identity.source[0, 2] = 0.1
    picture = flat_picture(360, 480, (100, 110, 120))
    region = swapper_of(shelf, name).swap(picture, FACE, identity)
    # Blue gets .1 and red .2 of 255: 25.5 and 51.
    assert region.pixels[180 - region.y, 240 - region.x].tolist() in ([126, 110, 171], [125, 110, 171])


@pytest.mark.parametrize(("gain", "grey"), [(9.0, 255), (-1.0, 0), (float("nan"), 0)])
def test_what_a_network_gives_beyond_the_range_is_clipped(shelf: Shelf, gain: float, grey: int) -> None:
    prepare(shelf, "inswapper_128", gain=gain)
    region = swapper_of(shelf, "inswapper_128").swap(PICTURE, FACE, dark("inswapper_128"))
    assert (region.pixels == grey).all()


def test_pixel_boost_keeps_detail_that_the_models_own_size_loses(shelf: Shelf) -> None:
    prepare(shelf, "inswapper_128")
    picture = np.random.default_rng(0).integers(0, 256, (700, 700, 3)).astype(np.uint8)
    large = face_at(350, 350, 500)
    lost = []
    for boost in (1, 2, 4):
        region = swapper_of(shelf, "inswapper_128", boost=boost).swap(picture, large, dark("inswapper_128"))
        gap = np.abs(region.pixels.astype(int) - region.base.astype(int))
        lost.append(float(gap[shown(region)].mean()))
    assert lost[0] > lost[1] > lost[2]


@pytest.mark.parametrize(("rows", "edits", "runs"), [("N", False, 1), (1, True, 1), (1, False, 12)])
def test_faces_and_phases_go_through_at_once_where_the_graph_can(
    shelf: Shelf, rows: int | str, edits: bool, runs: int
) -> None:
    prepare(shelf, "hyperswap_256", rows=rows)
    runtime = CountingRuntime(edits=edits)
    swapper = swapper_of(shelf, "hyperswap_256", runtime, boost=2)
    faces = [face_at(120 + 100 * i, 180, 90 + 10 * i) for i in range(3)]
    together = swapper.swap_many(PICTURE, faces, dark("hyperswap_256"))
    assert runtime.runs["hyperswap_256"] == runs
    for face, region in zip(faces, together, strict=True):
        alone = swapper.swap(PICTURE, face, dark("hyperswap_256"))
        assert (alone.pixels == region.pixels).all()
        assert (alone.x, alone.y) == (region.x, region.y)


def test_no_faces_are_no_work(shelf: Shelf) -> None:
    prepare(shelf, "hyperswap_256")
    assert swapper_of(shelf, "hyperswap_256").swap_many(PICTURE, [], dark("hyperswap_256")) == []


def test_half_the_identity_weight_is_the_middle_of_the_two_embeddings(shelf: Shelf) -> None:
    prepare(shelf, "ghost_256")
    # The converter moves numbers by one place: the source's light goes to green, the target's to blue.
    embedder = FixedEmbedder(embedding(at0=0.2), embedding(at1=7.0))
    swapper = NeuralSwapper(CountingRuntime(), shelf, FAMILIES["ghost_256"], embedder, weight=0.5)
    picture = flat_picture(360, 480, (100, 100, 100))
    region = swapper.swap(picture, FACE, swapper.enrol([(picture, FACE)]))
    assert largest_gap(region.pixels, flat_like(region.pixels, (126, 126, 100)), shown(region)) <= 1


def flat_like(pixels: np.ndarray, bgr: tuple[int, int, int]) -> np.ndarray:
    return flat_picture(pixels.shape[0], pixels.shape[1], bgr)


def test_a_family_that_looks_at_a_photo_cannot_mix(shelf: Shelf) -> None:
    prepare(shelf, "uniface_256")
    swapper = NeuralSwapper(CountingRuntime(), shelf, FAMILIES["uniface_256"], None, weight=0.5)
    with pytest.raises(FaceRefused) as refusal:
        swapper.swap(PICTURE, FACE, dark("uniface_256"))
    assert refusal.value.code == "weight_unsupported"


def test_the_renderer_can_use_it(shelf: Shelf) -> None:
    prepare(shelf, "hyperswap_256")
    embedder = FixedEmbedder(embedding(at0=5.0))  # of length 1 in the graph: all red
    swapper = NeuralSwapper(CountingRuntime(), shelf, FAMILIES["hyperswap_256"], embedder)

    class Nothing:
        name, digests = "nothing", ()

        def enhance(self, region, pixels, face):  # type: ignore[no-untyped-def]
            return region

    done = render(RenderPermit("job", 1), PICTURE, FACE, [(PICTURE, FACE)], swapper=swapper, enhancer=Nothing())
    assert done.pixels[180, 240, 2] == 255
    assert swapper.digests == (shelf.digest("hyperswap_256"), "e" * 64)


@pytest.mark.parametrize(
    ("face", "code"), [(face_at(240, 180, 14), "face_too_small"), (face_at(478, 180, 90), "face_cut_off")]
)
def test_a_target_that_shows_too_little_is_refused(shelf: Shelf, face, code: str) -> None:  # type: ignore[no-untyped-def]
    prepare(shelf, "inswapper_128")
    with pytest.raises(FaceRefused) as refusal:
        swapper_of(shelf, "inswapper_128").swap(PICTURE, face, dark("inswapper_128"))
    assert refusal.value.code == code


def test_an_identity_of_another_family_is_refused(shelf: Shelf) -> None:
    prepare(shelf, "inswapper_128")
    with pytest.raises(TypeError, match="not enrolled by inswapper_128"):
        swapper_of(shelf, "inswapper_128").swap(PICTURE, FACE, dark("ghost_256"))


def test_inputs_of_other_names_are_told_by_their_shapes(shelf: Shelf) -> None:
    drawing = Drawing()
    light = drawing.add("Reshape", drawing.add("ReduceSum", "latent"), drawing.ints(1, 1, 1, 1))
    drawing.add("Add", "image", light, name="output")
    shapes = {"latent": (1, 512), "image": (1, 3, 256, 256)}
    drawing.save(shelf.file("hyperswap_256"), shapes, ["output"])
    region = swapper_of(shelf, "hyperswap_256").swap(PICTURE, FACE, dark("hyperswap_256"))
    assert largest_gap(region.pixels, region.base, shown(region)) <= 1


def test_a_mask_beside_the_picture_is_passed_over(shelf: Shelf) -> None:
    drawing = Drawing()
    drawing.add("ReduceMean", "target", axes=[1], name="mask")
    drawing.add("ReduceSum", "source", name="rest")
    drawing.add("Identity", "target", name="output")
    shapes = {"target": (1, 3, 256, 256), "source": (1, 512)}
    drawing.save(shelf.file("hyperswap_256"), shapes, ["mask", "rest", "output"])
    region = swapper_of(shelf, "hyperswap_256").swap(PICTURE, FACE, dark("hyperswap_256"))
    assert largest_gap(region.pixels, region.base, shown(region)) <= 1


def test_a_model_of_another_resolution_is_refused(shelf: Shelf) -> None:
    drawing = Drawing()
    drawing.add("Identity", "target", name="output")
    drawing.save(shelf.file("hyperswap_256"), {"target": (1, 3, 128, 128), "source": (1, 512)}, ["output"])
    with pytest.raises(ModelUnavailable) as refusal:
        swapper_of(shelf, "hyperswap_256").swap(PICTURE, FACE, dark("hyperswap_256"))
    assert refusal.value.code == "model_unfit"


@pytest.mark.parametrize("options", [{"boost": 0}, {"boost": 9}, {"weight": -0.1}, {"weight": 1.1}])
def test_settings_out_of_range_are_refused(shelf: Shelf, options: dict[str, float]) -> None:
    prepare(shelf, "inswapper_128")
    with pytest.raises(ValueError, match="between"):
        swapper_of(shelf, "inswapper_128", **options)
