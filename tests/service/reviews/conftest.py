"""One server for all tests of the review desk; each test has a tenant and a browser of its own."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator

import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI

from service.app import create_app
from service.assembly import Assent
from service.platform.migrate import upgrade
from service.platform.settings import Settings
from service.tenants import passwords
from tests.service.reviews.office import POLICY, Office, log_in, open_office

with warnings.catch_warnings():
    # Starlette asks for httpx2, which offers what httpx does; the project's clients stand on httpx.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

Browser = Callable[..., TestClient]
# Every client has an address of its own: how often one address may try to log in is limited.
_ADDRESSES = (f"198.51.{number // 250}.{number % 250 + 1}" for number in itertools.count())


@pytest.fixture(scope="session")
def cheap_passwords() -> Iterator[None]:
    """Hash with the least that Argon2 allows; what a real hash costs is tested with the accounts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        passwords._decoy.cache_clear()
        yield
    passwords._decoy.cache_clear()


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory, cheap_passwords: None) -> Iterator[FastAPI]:
    """The whole application; its workers and its sequencer are not started."""
    home = tmp_path_factory.mktemp("desk")
    (home / "policy.yaml").write_text(POLICY)
    app = create_app(Settings(home=home, policy=home / "policy.yaml"))
    server: Assent = app.state.assent
    upgrade(server.database)
    yield app
    server.close()


@pytest.fixture
def office(app: FastAPI) -> Office:
    return open_office(app.state.assent)


@pytest.fixture
def browser(app: FastAPI) -> Iterator[Browser]:
    """Opens clients that keep cookies, follow no redirect by themselves and never hide an error of ours."""
    opened: list[TestClient] = []

    def open_client(address: str = "http://testserver") -> TestClient:
        opened.append(TestClient(app, base_url=address, follow_redirects=False, client=(next(_ADDRESSES), 50_000)))
        return opened[-1]

    yield open_client
    for client in opened:
        client.close()


@pytest.fixture
def desk(browser: Browser, office: Office) -> TestClient:
    """A client that the office's reviewer has logged in with."""
    client = browser()
    log_in(client, office)
    return client
