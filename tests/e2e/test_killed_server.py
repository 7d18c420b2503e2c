"""Killed with -9 at any stage of a job, a server leaves nothing readable unsealed, and the job ends after restart."""

import os
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from service.demo.accounts import Accounts
from service.demo.client import Client
from service.demo.server import running_server
from tests.e2e.pausing_server import POINTS
from tests.e2e.world import World, astronaut, donor_photo, world


def picture_files(home: Path) -> list[Path]:
    """Every file below the home folder that any picture decoder reads."""
    found = []
    for path in home.rglob("*"):
        if path.is_file() and path.stat().st_size:
            data = np.frombuffer(path.read_bytes(), np.uint8)
            if cv2.imdecode(data, cv2.IMREAD_UNCHANGED) is not None:
                found.append(path)
    return found


def wait_for(path: Path, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, "the job did not get there"
        time.sleep(0.05)


@dataclass(frozen=True)
class Prepared:
    """A stopped server's home with a consented person, and what is needed to submit their swap."""

    home: Path
    accounts: Accounts
    source: str
    target: str
    grant: str


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Prepared:
    home = tmp_path_factory.mktemp("prepared") / "home"
    with world(home) as running:
        _, grant = running.consenting_subject()
        source, target = running.client.upload(donor_photo()), running.client.upload(astronaut())
        return Prepared(home, running.accounts, source, target, grant)


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_server_leaves_nothing_unsealed_and_the_job_ends_after_restart(prepared, tmp_path, monkeypatch, point):
    home, mark = tmp_path / "home", tmp_path / "arrived"
    shutil.copytree(prepared.home, home)
    key = prepared.accounts.api_key
    monkeypatch.setenv("PAUSE_AT", point)
    monkeypatch.setenv("PAUSE_MARK", str(mark))
    with (
        running_server(home, "tests.e2e.pausing_server", lease_seconds="1") as server,
        Client(server.url, key) as client,
    ):
        stopped = World(home, prepared.accounts, client, server.url)
        job = stopped.submit(prepared.source, prepared.target, prepared.grant)
        wait_for(mark)
        if point != "after_release":
            assert stopped.state(job) != "done"
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
    assert picture_files(home) == []
    with running_server(home, lease_seconds="1") as server, Client(server.url, key) as client:
        answer = client.wait(job, through_review=False)
        assert answer["state"] == "done", answer
        result = client.call("GET", f"/v1/jobs/{job}/result").content
        assert client.call("POST", "/v1/verify", content=result).json()["verdict"] == "authentic"
        assert client.receipt(job)
    assert picture_files(home) == []


def test_the_search_for_readable_pictures_finds_one(tmp_path):
    (tmp_path / "blob").write_bytes(astronaut())
    assert picture_files(tmp_path) == [tmp_path / "blob"]
