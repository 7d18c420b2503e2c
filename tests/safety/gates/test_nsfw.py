"""Nudity is found, also where the figure is small; ordinary faces are not taken for it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from pipeline.engine import FaceEngine
from pipeline.faces import Pixels
from pipeline.models import ModelStore
from pipeline.runtime import OnnxRuntime
from safety.evidence import Evidence
from safety.gates import NsfwGate
from safety.gates.nsfw import EXPOSED, SUGGESTIVE
from tests.safety.samples import torso


@pytest.fixture(scope="module")
def gate(runtime: OnnxRuntime, store: ModelStore) -> NsfwGate:
    return NsfwGate(runtime, store)


def _scores(gate: NsfwGate, pixels: Pixels, engine: FaceEngine | None = None) -> dict[str, float]:
    faces = tuple(engine.look(pixels)) if engine else ()
    return {f.name: f.score or 0.0 for f in gate.examine(Evidence("target", pixels, faces))}


def _worst_exposed(scores: dict[str, float]) -> float:
    return max(scores[f"nsfw.{label}"] for label in EXPOSED)


def test_a_nude_is_found_by_both_networks(gate: NsfwGate) -> None:
    scores = _scores(gate, torso())
    assert scores["nsfw.female_breast_exposed"] >= 0.6
    assert scores["nsfw.class"] >= 0.85


@pytest.mark.parametrize(("side", "width", "height"), [(140, 1920, 1080), (140, 2600, 1500), (300, 1080, 1920)])
def test_a_small_nude_in_a_large_picture_is_found(gate: NsfwGate, side: int, width: int, height: int) -> None:
    coffee = np.ascontiguousarray(skimage.data.coffee()[..., ::-1])
    picture = np.asarray(cv2.resize(coffee, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    figure = cv2.resize(torso(), (side, side), interpolation=cv2.INTER_AREA)
    picture[200 : 200 + side, 700 : 700 + side] = figure
    findings = gate.examine(Evidence("target", picture, ()))
    found = next(f for f in findings if f.name == "nsfw.female_breast_exposed")
    assert found.score is not None
    assert found.score >= 0.45
    assert found.region is not None
    x, y = (found.region[0] + found.region[2]) / 2, (found.region[1] + found.region[3]) / 2
    assert 700 < x < 700 + side
    assert 200 < y < 200 + side


def test_a_nude_beside_a_large_face_is_found(gate: NsfwGate, engine: FaceEngine, astronaut: Pixels) -> None:
    beside = np.hstack([cv2.resize(astronaut, (1024, 1024)), cv2.resize(torso(), (1024, 1024))])
    assert _worst_exposed(_scores(gate, np.asarray(beside, np.uint8), engine)) >= 0.45


@pytest.mark.testdata
def test_faces_are_not_taken_for_nudity_at_any_scale(gate: NsfwGate, engine: FaceEngine, faces_folder: Path) -> None:
    worst = []
    for path in sorted((faces_folder / "portraits").glob("*.jpg"))[::2]:
        portrait = cv2.imread(str(path))
        for side in (320, 1400):
            picture = np.asarray(cv2.resize(portrait, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)
            scores = _scores(gate, picture, engine)
            worst.append((_worst_exposed(scores), scores["nsfw.class"]))
    assert max(exposed for exposed, _ in worst) < 0.25
    assert max(nsfw_class for _, nsfw_class in worst) < 0.2


def test_every_picture_gets_every_finding_with_its_models(gate: NsfwGate, astronaut_seen: Evidence) -> None:
    findings = gate.examine(astronaut_seen)
    assert tuple(f.name for f in findings) == gate.owes("source")
    assert len(findings) == 1 + len(EXPOSED) + len(SUGGESTIVE)
    assert all(f.model and "nudenet_320n@sha256:" in f.model and "open_nsfw@sha256:" in f.model for f in findings)
    assert {gate.owes(kind) for kind in ("source", "target", "output")} == {gate.owes("source")}


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 700, 3), (900, 2, 3)])
def test_odd_shapes_are_looked_at(gate: NsfwGate, shape: tuple[int, ...]) -> None:
    assert _worst_exposed(_scores(gate, np.zeros(shape, np.uint8))) < 0.25
