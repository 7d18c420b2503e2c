from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engine import FaceEngine
from pipeline.errors import FaceRefused
from pipeline.faces import Face, Pixels, SwappedRegion
from pipeline.mesh import MeshIdentity, MeshSwapper
from pipeline.mesh.geometry import facing_camera
from pipeline.render import paste
from tests.pipeline.mesh.heads import face_on, mesh_at, painted

LIGHT, DARK = (150, 180, 220), (60, 85, 125)


@pytest.fixture(scope="module")
def swapper() -> MeshSwapper:
    return MeshSwapper()


@pytest.fixture(scope="module")
def identity(swapper: MeshSwapper) -> MeshIdentity:
    mesh = mesh_at(200, 200, 240, widen=0.94)
    return swapper.enrol([(painted((400, 400), mesh, DARK, seed=1), face_on(mesh, 240))])


def target(
    x: float = 160, y: float = 150, width: float = 180, size: tuple[int, int] = (320, 340)
) -> tuple[Pixels, Face]:
    mesh = mesh_at(x, y, width)
    return painted(size, mesh, LIGHT, seed=2), face_on(mesh, width)


def check_region(region: SwappedRegion, pixels: Pixels) -> None:
    height, width = region.weight.shape
    assert region.pixels.shape == region.base.shape == (height, width, 3)
    assert region.pixels.dtype == region.base.dtype == np.uint8
    assert region.weight.dtype == np.float32
    assert 0 <= region.weight.min() <= region.weight.max() <= 1
    assert 0 <= region.x <= region.x + width <= pixels.shape[1]
    assert 0 <= region.y <= region.y + height <= pixels.shape[0]


@settings(max_examples=20, deadline=None)
@given(
    place=st.tuples(st.floats(-60, 300), st.floats(-60, 260)),
    width=st.floats(24, 260),
    size=st.tuples(st.integers(180, 241), st.integers(180, 241)),
)
def test_wherever_the_face_is_the_region_fits_the_picture(
    swapper: MeshSwapper, identity: MeshIdentity, place: tuple[float, float], width: float, size: tuple[int, int]
) -> None:
    pixels, face = target(*place, width, size)
    try:
        region = swapper.swap(pixels, face, identity)
    except FaceRefused as refusal:
        assert refusal.code == "face_outside"
        return
    check_region(region, pixels)


def test_the_input_is_not_touched_and_pixels_outside_the_region_stay(
    swapper: MeshSwapper, identity: MeshIdentity
) -> None:
    pixels, face = target(size=(500, 600))
    before = pixels.copy()
    region = swapper.swap(pixels, face, identity)
    result = paste(pixels, region)
    height, width = region.weight.shape
    inside = np.zeros(pixels.shape[:2], bool)
    inside[region.y : region.y + height, region.x : region.x + width] = True
    assert np.array_equal(pixels, before)
    assert np.array_equal(result[~inside], pixels[~inside])
    assert (result[inside] != pixels[inside]).any()


def test_the_base_meets_the_picture_without_a_step_at_the_regions_edge(
    swapper: MeshSwapper, identity: MeshIdentity
) -> None:
    pixels, face = target(size=(500, 600))
    region = swapper.swap(pixels, face, identity)
    height, width = region.weight.shape
    own = pixels[region.y : region.y + height, region.x : region.x + width]
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        assert np.array_equal(region.base[edge], own[edge])
        assert (region.weight[edge] == 0).all()


def test_a_shifted_picture_gives_the_shifted_swap(swapper: MeshSwapper, identity: MeshIdentity) -> None:
    pixels, face = target()
    moved_pixels = np.pad(pixels, ((37, 0), (22, 0), (0, 0)), mode="edge")
    moved_face = face_on(face.mesh + np.array([22, 37, 0], np.float32), face.width)
    one, two = swapper.swap(pixels, face, identity), swapper.swap(moved_pixels, moved_face, identity)
    assert (two.x - one.x, two.y - one.y) == (22, 37)
    assert np.abs(one.weight - two.weight).mean() < 1e-3
    assert np.abs(one.pixels.astype(int) - two.pixels).mean() < 0.2


def test_swapping_twice_gives_the_same_bytes(swapper: MeshSwapper, identity: MeshIdentity) -> None:
    pixels, face = target()
    one, two = swapper.swap(pixels, face, identity), swapper.swap(pixels, face, identity)
    assert one.pixels.tobytes() == two.pixels.tobytes()
    assert one.weight.tobytes() == two.weight.tobytes()


def test_the_source_is_lit_as_the_target_is(swapper: MeshSwapper, identity: MeshIdentity) -> None:
    pixels, face = target()
    region = swapper.swap(pixels, face, identity)
    shown = region.weight > 0.9
    cheeks = np.median(region.pixels[shown], axis=0)
    assert cheeks == pytest.approx(LIGHT, abs=15)


def test_eyes_and_mouth_stay_the_targets(swapper: MeshSwapper, identity: MeshIdentity) -> None:
    pixels, face = target()
    region = swapper.swap(pixels, face, identity)
    for vertices in ((159, 145), (386, 374)):
        x, y = (face.mesh[list(vertices), :2].mean(axis=0) - [region.x, region.y]).astype(int)
        assert region.weight[y, x] < 0.1


def test_a_fringe_over_the_forehead_stays_the_targets(swapper: MeshSwapper, identity: MeshIdentity) -> None:
    pixels, face = target()
    brows = int(face.mesh[[70, 300], 1].min()) - 10
    pixels[:brows] = (20, 25, 30)
    region = swapper.swap(pixels, face, identity)
    x, y = (face.mesh[10, :2] * 0.6 + face.mesh[9, :2] * 0.4 - [region.x, region.y]).astype(int)
    bare = swapper.swap(*target(), identity)
    assert region.weight[y, x] < 0.1 < bare.weight[y, x]


def test_a_tiny_face_is_refused(swapper: MeshSwapper, identity: MeshIdentity) -> None:
    pixels, face = target(width=23)
    with pytest.raises(FaceRefused) as swap_refusal:
        swapper.swap(pixels, face, identity)
    with pytest.raises(FaceRefused) as enrol_refusal:
        swapper.enrol([(pixels, face)])
    assert swap_refusal.value.code == enrol_refusal.value.code == "face_too_small"


def test_enrolling_without_a_photo_is_refused(swapper: MeshSwapper) -> None:
    with pytest.raises(FaceRefused) as refusal:
        swapper.enrol([])
    assert refusal.value.code == "no_source"


def test_an_identity_of_another_engine_is_an_error(swapper: MeshSwapper) -> None:
    with pytest.raises(TypeError, match="not enrolled by the mesh engine"):
        swapper.swap(*target(), object())


def test_what_one_photo_hides_comes_from_another(swapper: MeshSwapper) -> None:
    mark = 411  # on the person's left cheek

    def photo(yaw: float) -> tuple[Pixels, Face]:
        mesh = mesh_at(200, 200, 240, yaw=yaw)
        pixels = painted((400, 400), mesh, LIGHT)
        if facing_camera(mesh, swapper.topology)[mark] > 0.3:
            cv2.circle(pixels, tuple(int(v) for v in mesh[mark, :2]), 14, (138, 166, 203), -1)
        return pixels, face_on(mesh, 240)

    def darkness(identity: MeshIdentity) -> float:
        column, row = (swapper.topology.uv[mark] * 512).astype(int)
        return 255 - float(identity.textures[0][row, column].mean())

    one, both = swapper.enrol([photo(35)]), swapper.enrol([photo(35), photo(-35)])
    assert darkness(both) > darkness(one) + 6


def test_textures_halve_and_the_finest_that_is_needed_is_taken(identity: MeshIdentity) -> None:
    sides = [texture.shape[0] for texture in identity.textures]
    assert sides == [512, 256, 128, 64]
    assert identity.texture(100.0).shape[0] == 512
    assert identity.texture(1.0).shape[0] == 64
    picked = [identity.texture(scale).shape[0] for scale in (1, 3, 6, 12, 25, 50)]
    assert picked == sorted(picked)


def test_a_real_photo_is_swapped_with_another_persons_shape_and_skin(
    swapper: MeshSwapper, identity: MeshIdentity, engine: FaceEngine, astronaut: Pixels, astronaut_face: Face
) -> None:
    region = swapper.swap(astronaut, astronaut_face, identity)
    check_region(region, astronaut)
    before, after = astronaut, paste(astronaut, region)
    (seen,) = engine.look(after)
    gap = np.linalg.norm(engine.embed(before, [astronaut_face]) - engine.embed(after, [seen]))
    assert gap > 0.45
