"""Killed with -9 at any stage of a job, a server leaves nothing readable unsealed, and the job ends after restart."""

import os
import signal
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from service.demo.client import Client
from service.demo.server import running_server
from tests.e2e.pausing_server import POINTS
from tests.e2e.world import World, astronaut, donor_photo, make_accounts


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


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_server_leaves_nothing_unsealed_and_the_job_ends_after_restart(tmp_path, monkeypatch, point):
    home, mark = tmp_path / "home", tmp_path / "arrived"
    accounts = make_accounts(home)
    monkeypatch.setenv("PAUSE_AT", point)
    monkeypatch.setenv("PAUSE_MARK", str(mark))
    settings = {"file_captures": "accept", "lease_seconds": "1", "model_threads": "1"}
    with (
        running_server(home, "tests.e2e.pausing_server", **settings) as server,
        Client(server.url, accounts.api_key) as client,
    ):
        world = World(home, accounts, client, server.url)
        _, grant = world.consenting_subject()
        job = world.submit(client.upload(donor_photo()), client.upload(astronaut()), grant)
        wait_for(mark)
        if point != "after_release":
            assert world.state(job) != "done"
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
    assert picture_files(home) == []
    with running_server(home, **settings) as server, Client(server.url, accounts.api_key) as client:
        answer = client.wait(job, through_review=False)
        assert answer["state"] == "done", answer
        result = client.call("GET", f"/v1/jobs/{job}/result").content
        assert client.call("POST", "/v1/verify", content=result).json()["verdict"] == "authentic"
        assert client.receipt(job)
    assert picture_files(home) == []


def test_the_search_for_readable_pictures_finds_one(tmp_path):
    (tmp_path / "blob").write_bytes(astronaut())
    assert picture_files(tmp_path) == [tmp_path / "blob"]
