"""What the pipeline's tests share: a face and clips."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.engine import FaceEngine
from pipeline.faces import Face, Pixels
from tests.conftest import ROOT
from tests.pipeline.samples import read_clip


@pytest.fixture(scope="session")
def astronaut_face(engine: FaceEngine, astronaut: Pixels) -> Face:
    (face,) = engine.look(astronaut)
    return face


@pytest.fixture(scope="session")
def turning_head(testdata: Path) -> list[Pixels]:
    """A real woman who turns her head to both sides: 23 frames of 480x270."""
    return read_clip(testdata / "video/head-pose-face-detection-female.gif")


@pytest.fixture(scope="session")
def minifasnet_files() -> Path:
    """The folder of MiniFASNet's published weights, which are not part of the repository."""
    folder = Path(os.environ.get("ASSENT_SHARED_MODELS", ROOT.parent / "shared" / "models"))
    if not (folder / "2.7_80x80_MiniFASNetV2.pth").is_file():
        pytest.skip(f"no MiniFASNet weights at {folder}; name their folder with ASSENT_SHARED_MODELS")
    return folder
