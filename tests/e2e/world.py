"""A real server in its own process, and a person who has consented: what the end-to-end tests begin with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count, islice
from pathlib import Path

import numpy as np
from skimage import data

from pipeline.faces import Pixels
from service.demo.accounts import Accounts, make_accounts
from service.demo.capture import donor_capture
from service.demo.client import Client, jpeg
from service.demo.donor import Donor, fictional_donor
from service.demo.recorded import local_engine
from service.demo.server import running_server

PURPOSE = "film_post_production"
STATEMENT = "I agree that my face may be put onto another person's in pictures made for this film."


@cache
def donor() -> Donor:
    return fictional_donor(local_engine())


@cache
def donor_photo() -> bytes:
    return jpeg(donor().photo, 95)


@cache
def astronaut() -> bytes:
    return jpeg(np.ascontiguousarray(data.astronaut()[..., ::-1]), 95)


_takes = count()


def capture(moves: Sequence[str], take: int | None = None) -> Iterator[tuple[float, Pixels]]:
    """The donor making these moves, at seven or eight frames a second to save time; once more in front of the camera.

    With `take` it is that recording again.
    """
    return islice(donor_capture(donor(), moves, take=next(_takes) if take is None else take), 0, None, 2)


@dataclass
class World:
    """One server with one tenant."""

    home: Path
    accounts: Accounts
    client: Client
    url: str

    def consenting_subject(self, purposes: tuple[str, ...] = (PURPOSE,)) -> tuple[str, str]:
        """Register the donor, pass liveness, and give a grant; returns the subject's and the grant's ids."""
        subject = self.client.register("Dana Fictional")
        session = self.client.open_liveness(subject, "file")
        verdict = self.client.send_capture(session, capture(session["moves"]))
        assert verdict["outcome"] == "live", verdict
        expires = (datetime.now(UTC) + timedelta(days=30)).isoformat()
        grant = self.client.grant(session["id"], list(purposes), expires, STATEMENT, "Dana Fictional")
        return subject, grant["id"]

    def submit(self, source: str, target: str, grant: str | None, **more: object) -> str:
        """Submit a swap; returns the job's id."""
        body = {
            "source_assets": [source],
            "target_asset": target,
            "grant": grant,
            "purpose": PURPOSE,
            "target_basis": {"declared_by": "The tests", "statement": "A public-domain picture of NASA."},
        }
        return str(self.client.call("POST", "/v1/jobs", json=body | more).json()["id"])

    def state(self, job: str) -> str:
        return str(self.client.call("GET", f"/v1/jobs/{job}").json()["state"])


@contextmanager
def world(home: Path, **settings: str) -> Iterator[World]:
    """Start a server over a fresh home with a tenant."""
    accounts = make_accounts(home, settings.get("database_url", ""))
    with (
        running_server(home, file_captures="accept", checkpoint_seconds="1", **settings) as server,
        Client(server.url, accounts.api_key) as client,
    ):
        yield World(home, accounts, client, server.url)
