"""What each family is told about the source, worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import FaceRefused, ModelUnavailable
from pipeline.faces import Face, Floats, Pixels, Pose
from pipeline.swappers import FAMILIES, NeuralSwapper
from tests.pipeline.small_graphs import CountingRuntime, Shelf, face_at, flat_picture
from tests.pipeline.swappers.samples import FixedEmbedder, draw_converter, draw_swapper, embedding

PHOTO = flat_picture(200, 200, (10, 20, 30)), face_at(100, 100, 80)
THREE_FOUR = embedding(at0=3.0, at1=4.0)


def enrolled(shelf: Shelf, name: str, *rows: Floats, photos: list[tuple[Pixels, Face]] | None = None) -> Floats:
    family = FAMILIES[name]
    if not shelf.file(name).is_file():
        draw_swapper(shelf, family)
    swapper = NeuralSwapper(CountingRuntime(), shelf, family, FixedEmbedder(*rows))
    identity = swapper.enrol(photos or [PHOTO] * len(rows))
    return identity.source


def nonzero(source: Floats) -> dict[int, float]:
    return {int(i): pytest.approx(float(source[0, i]), abs=1e-6) for i in np.flatnonzero(np.abs(source[0]) > 1e-7)}


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def test_inswapper_gets_the_unit_embedding_times_the_graphs_own_table_at_length_one(shelf: Shelf) -> None:
    emap = np.zeros((512, 512))
    emap[0, 7], emap[1, 8] = 10, 5  # .6 becomes 6, .8 becomes 4
    draw_swapper(shelf, FAMILIES["inswapper_128"], emap=emap)
    source = enrolled(shelf, "inswapper_128", THREE_FOUR)
    assert source.shape == (1, 512)
    assert source.dtype == np.float32
    assert nonzero(source) == {7: 6 / 52**0.5, 8: 4 / 52**0.5}


def test_inswapper_without_its_table_is_refused(shelf: Shelf) -> None:
    draw_swapper(shelf, FAMILIES["inswapper_128"])
    with pytest.raises(ModelUnavailable, match=r"0 initialisers of the shape \(512, 512\)") as refusal:
        enrolled(shelf, "inswapper_128", THREE_FOUR)
    assert refusal.value.code == "model_unfit"


def test_hyperswap_gets_the_unit_embedding(shelf: Shelf) -> None:
    assert nonzero(enrolled(shelf, "hyperswap_256", THREE_FOUR)) == {0: 0.6, 1: 0.8}


@pytest.mark.parametrize("name", ["simswap_256", "hififace_256"])
def test_simswap_and_hififace_get_the_converted_raw_embedding_at_length_one(shelf: Shelf, name: str) -> None:
    draw_converter(shelf, f"{name}_converter", 2)
    assert nonzero(enrolled(shelf, name, THREE_FOUR)) == {1: 0.6, 2: 0.8}


def test_ghost_gets_the_converted_raw_embedding_as_it_is(shelf: Shelf) -> None:
    draw_converter(shelf, "ghost_256_converter", 2)
    assert nonzero(enrolled(shelf, "ghost_256", THREE_FOUR)) == {1: 6, 2: 8}


def test_several_photos_count_as_the_mean_of_their_embeddings(shelf: Shelf) -> None:
    draw_converter(shelf, "ghost_256_converter", 1)
    source = enrolled(shelf, "ghost_256", embedding(at0=3.0), embedding(at1=4.0), embedding(at1=2.0))
    assert nonzero(source) == {1: 1, 2: 2}


def test_a_missing_converter_is_named(shelf: Shelf) -> None:
    with pytest.raises(ModelUnavailable, match="simswap_256_converter"):
        enrolled(shelf, "simswap_256", THREE_FOUR)


@pytest.mark.parametrize(("name", "side"), [("uniface_256", 256), ("blendswap_256", 112)])
def test_uniface_and_blendswap_get_the_aligned_photo_as_rgb_in_0_to_1(shelf: Shelf, name: str, side: int) -> None:
    draw_swapper(shelf, FAMILIES[name])
    swapper = NeuralSwapper(CountingRuntime(), shelf, FAMILIES[name], None)
    source = swapper.enrol([PHOTO]).source
    assert source.shape == (1, 3, side, side)
    assert source[0, :, 0, 0] == pytest.approx([30 / 255, 20 / 255, 10 / 255])


def test_of_several_photos_the_one_from_the_front_is_looked_at(shelf: Shelf) -> None:
    draw_swapper(shelf, FAMILIES["uniface_256"])
    swapper = NeuralSwapper(CountingRuntime(), shelf, FAMILIES["uniface_256"], None)
    aside = replace(PHOTO[1], pose=Pose(40.0, 0.0, 0.0))
    source = swapper.enrol([(flat_picture(200, 200, (255, 255, 255)), aside), PHOTO]).source
    assert source[0, 0, 0, 0] == pytest.approx(30 / 255)


def test_no_photo_is_refused(shelf: Shelf) -> None:
    draw_swapper(shelf, FAMILIES["hyperswap_256"])
    swapper = NeuralSwapper(CountingRuntime(), shelf, FAMILIES["hyperswap_256"], FixedEmbedder())
    with pytest.raises(FaceRefused) as refusal:
        swapper.enrol([])
    assert refusal.value.code == "no_source"


@pytest.mark.parametrize(
    ("face", "code"), [(face_at(100, 100, 12), "face_too_small"), (face_at(0, 100, 90), "face_cut_off")]
)
def test_a_photo_that_shows_too_little_is_refused(shelf: Shelf, face: Face, code: str) -> None:
    with pytest.raises(FaceRefused) as refusal:
        enrolled(shelf, "hyperswap_256", THREE_FOUR, photos=[(PHOTO[0], face)])
    assert refusal.value.code == code
    assert refusal.value.hint
