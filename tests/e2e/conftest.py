"""One server for all end-to-end tests of a worker; those that kill servers start their own."""

import pytest

from tests.e2e.world import World, world


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    with world(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="session")
def grant(shared: World) -> str:
    return shared.consenting_subject()[1]
