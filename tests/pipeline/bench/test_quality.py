from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.bench import Pair, QualityBench, summarise
from pipeline.bench.quality import MEASURED, PairReport
from pipeline.bench.sheet import around_face, cell, contact_sheet
from pipeline.engine import FaceEngine
from pipeline.enhance import DetailEnhancer
from pipeline.faces import Face, Pixels
from pipeline.mesh import MeshSwapper
from pipeline.models import ModelStore
from pipeline.runtime import OnnxRuntime


@pytest.fixture(scope="module")
def bench(engine: FaceEngine, runtime: OnnxRuntime, store: ModelStore) -> QualityBench:
    return QualityBench(engine, runtime, store, MeshSwapper(), DetailEnhancer())


@pytest.fixture
def photo(tmp_path: Path, astronaut: Pixels) -> Path:
    path = tmp_path / "astronaut.png"
    cv2.imwrite(str(path), astronaut)
    return path


def report(nearer: bool) -> PairReport:
    figures = dict.fromkeys(MEASURED, 0.7) | {"to_source": 0.4 if nearer else 0.8}
    return PairReport("a", "b", None, figures, {"swap": 5.0})


def test_a_face_swapped_with_itself_stays_itself_to_both_embedders(bench: QualityBench, photo: Path) -> None:
    result, pixels = bench.measure(Pair(photo, photo))
    assert result.failure is None
    assert pixels is not None
    assert result.figures["to_source"] < 0.3
    assert result.figures["to_source_second"] < 0.8
    assert result.figures["pose_error_deg"] < 3
    assert 0.9 < result.figures["seam_ratio"] < 1.1
    assert set(result.ms) == {"enrol", "swap", "enhance"}


def test_the_second_embedder_and_the_gaze_know_a_mirrored_face(
    bench: QualityBench, engine: FaceEngine, astronaut: Pixels, astronaut_face: Face
) -> None:
    mirrored = np.ascontiguousarray(astronaut[:, ::-1])
    (face,) = engine.look(mirrored)
    same = np.linalg.norm(bench.second.embed(astronaut, astronaut_face) - bench.second.embed(mirrored, face))
    assert same < 1
    looks, looks_mirrored = bench.gaze.gaze(astronaut, astronaut_face), bench.gaze.gaze(mirrored, face)
    assert looks_mirrored[::-1, 0] == pytest.approx(-looks[:, 0], abs=0.08)


@pytest.mark.parametrize(("content", "code"), [(None, "not_readable"), (b"x", "not_a_picture"), ("grey", "no_face")])
def test_a_pair_that_cannot_be_swapped_is_reported_and_not_raised(
    bench: QualityBench, photo: Path, tmp_path: Path, content: object, code: str
) -> None:
    other = tmp_path / "other.png"
    if isinstance(content, bytes):
        other.write_bytes(content)
    elif content:
        cv2.imwrite(str(other), np.full((200, 200, 3), 127, np.uint8))
    result, pixels = bench.measure(Pair(photo, other))
    assert (result.failure, pixels) == (code, None)


def test_the_summary_counts_shares_of_what_was_rendered_and_failures_of_all() -> None:
    summary = summarise([report(True), report(True), report(False), PairReport("a", "c", "no_face")])
    assert (summary["pairs"], summary["failed"]) == (4, 0.25)
    assert summary["nearer_to_source"] == summary["verified"] == pytest.approx(2 / 3, abs=1e-4)
    assert summary["to_source"] == 0.4
    assert summary["ms"] == {"swap": 5.0}


def test_a_summary_of_failures_only_has_no_figures() -> None:
    summary = summarise([PairReport("a", "c", "no_face")])
    assert (summary["failed"], summary["verified"], summary["seam_ratio"]) == (1.0, None, None)


def test_the_contact_sheet_shows_every_pair_in_rows(astronaut: Pixels, astronaut_face: Face) -> None:
    square = around_face(astronaut, astronaut_face, 64)
    one = cell(square, square, square, report(True))
    assert one.shape[1] == 3 * 64
    assert contact_sheet([one] * 4, columns=3).shape == (2 * (one.shape[0] + 4), 3 * (one.shape[1] + 4), 3)
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([])
