"""What the safety tests share: the packaged models, one engine, and a public-domain photo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage.data

from pipeline.engine import FaceEngine
from pipeline.faces import Floats, Pixels
from pipeline.models import ModelStore
from pipeline.runtime import OnnxRuntime
from safety.evidence import Evidence


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> ModelStore:
    return ModelStore(tmp_path_factory.mktemp("models"))


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
def astronaut_seen(engine: FaceEngine, astronaut: Pixels) -> Evidence:
    faces = tuple(engine.look(astronaut))
    return Evidence("source:0", astronaut, faces, embeddings=engine.embed(astronaut, faces))


@pytest.fixture(scope="session")
def astronaut_template(astronaut_seen: Evidence) -> Floats:
    assert astronaut_seen.embeddings is not None
    return np.asarray(astronaut_seen.embeddings[0], np.float32)


@pytest.fixture(scope="session")
def faces_folder(testdata: Path) -> Path:
    return testdata / "faces"
