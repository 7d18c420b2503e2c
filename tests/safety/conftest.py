"""What the safety tests share: what is seen in a public-domain photo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.engine import FaceEngine
from pipeline.faces import Floats, Pixels
from safety.evidence import Evidence


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
