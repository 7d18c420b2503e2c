"""The registry: stages by name, plug-ins of other packages, and what happens where one is broken."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import numpy as np
import pytest

from pipeline.embedders import ArcFaceEmbedder
from pipeline.engine import FaceEngine
from pipeline.enhance import DetailEnhancer
from pipeline.errors import ModelUnavailable
from pipeline.faces import Pixels
from pipeline.mesh import MeshSwapper
from pipeline.models import ModelStore
from pipeline.registry import StageRegistry
from pipeline.runtime import OnnxRuntime
from pipeline.stages import Kind, Kit, StageOptions
from pipeline.swappers import FAMILIES
from tests.pipeline.embedders.test_arcface import draw as draw_arcface
from tests.pipeline.small_graphs import CountingRuntime, Shelf
from tests.pipeline.swappers.samples import draw_swapper

DETECTOR = """
import numpy as np
from pipeline.faces import Detection

class WholePicture:
    name = "whole-picture"
    digests = ()

    def __init__(self, kit):
        self.score = kit.options.threshold

    def detect(self, pixels):
        height, width = pixels.shape[:2]
        eyes = np.array([[width / 3, height / 3], [2 * width / 3, height / 3]], np.float32)
        return [Detection(self.score, np.array([0, 0, width, height], np.float32), eyes)]

def raising(kit):
    raise RuntimeError("no licence key")

half = lambda kit: object()
number = 5
"""


def install(folder: Path, name: str, points: dict[str, str], source: str = DETECTOR) -> None:
    """Lay a distribution into a folder: a module, and the metadata that an installer would write."""
    module = name.replace("-", "_")
    (folder / f"{module}.py").write_text(source)
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    groups: dict[str, list[str]] = {}
    for point, value in points.items():
        kind, stage = point.split("/")
        groups.setdefault(f"assent.{kind}", []).append(f"{stage} = {value}")
    lines = [f"[{group}]\n" + "\n".join(entries) for group, entries in groups.items()]
    (info / "entry_points.txt").write_text("\n\n".join(lines) + "\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that packages can be installed into, and are gone from afterwards."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for file in folder.glob("*.py"):
        sys.modules.pop(file.stem, None)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    (tmp_path / "models").mkdir()
    return Shelf(tmp_path / "models")


def registry_of(shelf: Any, **options: Any) -> StageRegistry:
    return StageRegistry(Kit(CountingRuntime(), shelf), **options)  # type: ignore[arg-type]


def test_a_package_adds_a_detector_without_a_change_here(
    site: Path, runtime: OnnxRuntime, store: ModelStore, astronaut: Pixels
) -> None:
    install(site, "acme-detector", {"detectors/whole-picture": "acme_detector:WholePicture"})
    registry = StageRegistry(Kit(runtime, store))
    assert registry.problems == ()
    assert "whole-picture" in registry.names("detectors")
    detector = registry.detector("whole-picture", StageOptions(threshold=0.75))
    portrait = np.ascontiguousarray(astronaut[:220, 120:330])
    engine = FaceEngine(detector, registry.landmarker("mesh"), registry.embedder("dlib"))
    (face,) = engine.look(portrait)
    assert face.score == 0.75


def test_a_plugin_that_raises_on_load_is_reported_and_stops_no_other(site: Path, shelf: Shelf) -> None:
    install(
        site, "bad-package", {"swappers/bad": "bad_package:Swapper"}, source="raise OSError('libbad.so is missing')"
    )
    install(site, "gone-package", {"detectors/gone": "gone_package_elsewhere:Detector"})
    install(site, "quitter", {"enhancers/quitter": "quitter:E"}, source="raise SystemExit(3)")
    install(site, "good-package", {"detectors/good": "good_package:WholePicture"})
    registry = registry_of(shelf)
    assert registry.detector("good").name == "whole-picture"
    assert {(p.kind, p.name, p.origin) for p in registry.problems} == {
        ("swappers", "bad", "bad-package"),
        ("detectors", "gone", "gone-package"),
        ("enhancers", "quitter", "quitter"),
    }
    with pytest.raises(ModelUnavailable, match=r"bad-package.*libbad\.so is missing") as refusal:
        registry.swapper("bad")
    assert refusal.value.code == "plugin_broken"
    assert "bad-package" in refusal.value.hint


def test_a_plugin_cannot_take_the_place_of_another_stage(site: Path, shelf: Shelf) -> None:
    install(site, "impostor", {"swappers/mesh": "impostor:WholePicture", "enhancers/none": "impostor:half"})
    registry = registry_of(shelf)
    assert isinstance(registry.swapper("mesh"), MeshSwapper)
    assert {problem.name for problem in registry.problems} == {"mesh", "none"}


@pytest.mark.parametrize(
    ("stage", "value", "why"),
    [
        ("raising", "odd:raising", "no licence key"),
        ("half", "odd:half", "has no name, digests, detect"),
        ("number", "odd:number", "cannot be called"),
    ],
)
def test_a_plugin_that_makes_no_stage_is_named(site: Path, shelf: Shelf, stage: str, value: str, why: str) -> None:
    install(site, "odd", {f"detectors/{stage}": value})
    with pytest.raises(ModelUnavailable, match=why) as refusal:
        registry_of(shelf).detector(stage)
    assert refusal.value.code == "plugin_broken"


def test_an_unknown_stage_is_answered_with_the_known_ones(shelf: Shelf) -> None:
    with pytest.raises(ModelUnavailable, match="no detector named 'blaze'") as refusal:
        registry_of(shelf, plugins=[]).detector("blaze")
    assert refusal.value.code == "stage_unknown"
    assert "blazeface" in refusal.value.hint


def test_every_kind_has_at_least_two_stages(shelf: Shelf) -> None:
    registry = registry_of(shelf, plugins=[])
    assert all(len(registry.names(kind)) >= 2 for kind in get_args(Kind))
    assert {info.origin for info in registry.stages()} == {"assent"}
    assert set(FAMILIES) < set(registry.names("swappers"))


def test_the_packaged_stages_are_made_by_name(runtime: OnnxRuntime, store: ModelStore) -> None:
    registry = StageRegistry(Kit(runtime, store), plugins=[])
    made = [
        registry.detector("blazeface"),
        registry.landmarker("mesh"),
        registry.landmarker("keypoints"),
        registry.embedder("dlib"),
        registry.swapper("mesh"),
        registry.enhancer("detail"),
        registry.enhancer("area"),
    ]
    assert [stage.name for stage in made] == [
        "blazeface", "face_mesh", "keypoints", "dlib_resnet", "mesh", "detail", "area",
    ]  # fmt: skip


def test_every_stage_without_its_model_says_so(shelf: Shelf) -> None:
    registry = registry_of(shelf, plugins=[])
    needless = {"mesh", "keypoints", "detail", "area", "box", "blazeface", "dlib"}
    for info in registry.stages():
        if info.name not in needless:
            make = getattr(registry, info.kind.removesuffix("s"))
            with pytest.raises(ModelUnavailable) as refusal:
                make(info.name)
            assert refusal.value.code == "model_missing", info


def test_a_stage_is_made_once_for_the_same_options(shelf: Shelf) -> None:
    registry = registry_of(shelf, plugins=[])
    assert registry.swapper("mesh") is registry.swapper("mesh")
    one, other = StageOptions(areas=("mouth",)), StageOptions(areas=("upper-face",))
    assert registry.enhancer("area", one) is not registry.enhancer("area", other)


def test_a_swapper_is_given_the_arcface_embedder_and_its_options(shelf: Shelf) -> None:
    draw_arcface(shelf)
    draw_swapper(shelf, FAMILIES["hyperswap_256"])
    registry = registry_of(shelf, plugins=[])
    swapper = registry.swapper("hyperswap_256", StageOptions(pixel_boost=2))
    assert swapper.digests == (shelf.digest("hyperswap_256"), shelf.digest("arcface_w600k_r50"))
    with pytest.raises(ValueError, match="pixel boost"):
        registry.swapper("hyperswap_256", StageOptions(pixel_boost=99))


def test_an_embedder_for_the_swapper_must_be_arcface(site: Path, shelf: Shelf) -> None:
    kit = Kit(CountingRuntime(), shelf, embedder=lambda name: SimpleNamespace(name=name))  # type: ignore[arg-type,return-value]
    draw_swapper(shelf, FAMILIES["hyperswap_256"])
    registry = StageRegistry(kit, plugins=[])
    with pytest.raises(ModelUnavailable, match="arcface_w600k_r50"):
        registry.swapper("hyperswap_256")
    draw_arcface(shelf)
    assert isinstance(registry.embedder("arcface"), ArcFaceEmbedder)


@pytest.mark.parametrize(
    ("name", "made"), [("area+detail", "area+detail"), ("none", "none"), ("box + area", "box+area")]
)
def test_enhancers_are_put_in_a_row(shelf: Shelf, name: str, made: str) -> None:
    assert registry_of(shelf, plugins=[]).enhancer(name).name == made


def test_a_single_enhancer_is_no_chain(shelf: Shelf) -> None:
    assert isinstance(registry_of(shelf, plugins=[]).enhancer("detail"), DetailEnhancer)


def test_a_chain_with_an_unknown_part_is_refused(shelf: Shelf) -> None:
    with pytest.raises(ModelUnavailable, match="'sharpen'"):
        registry_of(shelf, plugins=[]).enhancer("detail+sharpen")
