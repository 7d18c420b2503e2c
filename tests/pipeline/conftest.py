"""What the pipeline's tests share: the packaged models, one engine, a public-domain photo, and clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage.data

from pipeline.engine import FaceEngine
from pipeline.faces import Face, Pixels
from pipeline.models import ModelStore
from pipeline.runtime import OnnxRuntime
from tests.pipeline.samples import read_clip


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> ModelStore:
    """All models, converted into a folder of this test run."""
    prepared = ModelStore(tmp_path_factory.mktemp("models"))
    prepared.prepare()
    return prepared


@pytest.fixture(scope="session")
def runtime() -> OnnxRuntime:
    return OnnxRuntime()


@pytest.fixture(scope="session")
def engine(runtime: OnnxRuntime, store: ModelStore) -> FaceEngine:
    return FaceEngine.standard(runtime, store)


@pytest.fixture(scope="session")
def astronaut() -> Pixels:
    """Eileen Collins, NASA, public domain; BGR, read-only by agreement."""
    return np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])


@pytest.fixture(scope="session")
def astronaut_face(engine: FaceEngine, astronaut: Pixels) -> Face:
    (face,) = engine.look(astronaut)
    return face


@pytest.fixture(scope="session")
def turning_head(testdata: Path) -> list[Pixels]:
    """A real woman who turns her head to both sides: 23 frames of 480x270."""
    return read_clip(testdata / "video/head-pose-face-detection-female.gif")
