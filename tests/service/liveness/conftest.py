"""One server per database for all liveness tests; each test has a tenant of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from service.assembly import Assent
from service.platform.migrate import upgrade
from service.platform.settings import Settings
from tests.postgres import PostgresServer
from tests.service.liveness.studio import Sight, Studio


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assent]:
    url = ""
    if request.param == "postgres":
        cluster: PostgresServer = request.getfixturevalue("postgres_server")
        url = cluster.new_database()
    home = tmp_path_factory.mktemp("liveness")
    settings = Settings(
        home=home, database_url=url, file_captures="accept", liveness_frames=60, liveness_tries_tenant=20
    )
    running = Assent(settings)
    upgrade(running.database)
    yield running
    running.close()


@pytest.fixture
def sight(server: Assent) -> Sight:
    seeing = Sight()
    vision: dict[str, Any] = {"vision": type("Vision", (), {"engine": seeing})()}
    vars(server).update(vision)
    return seeing


@pytest.fixture
def studio(server: Assent, sight: Sight) -> Studio:
    return Studio(server, sight)
