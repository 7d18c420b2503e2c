"""Fixtures for all tests: test data, models, a PostgreSQL server of our own, and the rule about skipping."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import skimage.data

from pipeline.engine import FaceEngine
from pipeline.faces import Pixels
from pipeline.models import ModelStore
from pipeline.runtime import OnnxRuntime
from tests.postgres import PostgresServer, find_postgres

ROOT = Path(__file__).resolve().parents[1]
MAY_SKIP = os.environ.get("ASSENT_TESTS_MAY_SKIP", "yes") != "no"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Where nothing may skip, a skipped test has failed."""
    report = yield
    if report.skipped and not MAY_SKIP and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may skip: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def testdata() -> Path:
    """The folder of faces and clips, which is not part of the repository."""
    folder = Path(os.environ.get("ASSENT_TESTDATA", ROOT.parent / "shared" / "testdata"))
    if not folder.is_dir():
        pytest.skip(f"no test data at {folder}; name its folder with ASSENT_TESTDATA")
    return folder


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    binaries = find_postgres()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    server = PostgresServer(binaries, tmp_path_factory.mktemp("postgres"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """The SQLAlchemy URL of a fresh, empty database."""
    return postgres_server.new_database()


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium that Playwright drives."""
    path = os.environ.get("ASSENT_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    subprocess.run([path, "--version"], check=True, capture_output=True, timeout=60)
    return path


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
