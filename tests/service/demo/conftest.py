"""What the demonstration's tests share: the packaged models and the fictional donor."""

from __future__ import annotations

import pytest

from pipeline.engine import FaceEngine
from pipeline.models import ModelStore
from pipeline.runtime import OnnxRuntime
from service.demo.donor import Donor, fictional_donor


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> ModelStore:
    prepared = ModelStore(tmp_path_factory.mktemp("models"))
    prepared.prepare()
    return prepared


@pytest.fixture(scope="session")
def engine(store: ModelStore) -> FaceEngine:
    return FaceEngine.standard(OnnxRuntime(), store)


@pytest.fixture(scope="session")
def donor(engine: FaceEngine) -> Donor:
    return fictional_donor(engine)
