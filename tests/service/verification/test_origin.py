"""Inputs are asked where they come from, and an answer that cannot be had is not 'from nowhere'."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data

from provenance.credentials import CredentialReport
from safety.evidence import Evidence
from safety.gates import GateUnavailable, OriginGate
from safety.run import run_gates
from service.assembly import Assent
from service.jobs.ledger import State
from service.jobs.tables import Mark
from service.platform.database import now
from service.platform.migrate import upgrade
from service.platform.settings import Settings
from service.verification import origin
from service.verification.origin import MarksInInputs, forbids_derivation
from tests.service.rows import job_in

PIXELS = np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])
PLAIN = cv2.imencode(".jpg", PIXELS)[1].tobytes()
SIGNED = PLAIN[:2] + b"\xff\xebjumb c2pa" + PLAIN[2:]
IDENT = 0x123456789ABC


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assent]:
    server = Assent(Settings(home=Path(tmp_path_factory.mktemp("origin"))))
    upgrade(server.database)
    yield server
    server.close()


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets the credentials' engine say something."""

    def say(**report: Any) -> None:
        monkeypatch.setattr(origin, "read", lambda *_: CredentialReport(**report))

    return say


def _read(server: Assent, pixels: np.ndarray = PIXELS, data: bytes | None = SIGNED) -> origin.Origin:
    return MarksInInputs(server).read(Evidence("target", pixels, None, data=data))


def test_an_ordinary_picture_does_not_start_the_engine(server: Assent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origin, "read", lambda *_: pytest.fail("asked the engine"))
    for data in (PLAIN, None):
        found = _read(server, data=data)
        assert (found.broken, found.no_derivation, found.own_output, found.withdrawn) == (False,) * 4


def test_sound_credentials_of_an_unknown_signer_are_not_broken(server: Assent, says: Any) -> None:
    says(state="Valid", codes=("signingCredential.untrusted",), manifest={})
    assert not _read(server).broken


def test_a_picture_that_was_changed_after_signing_is_broken(server: Assent, says: Any) -> None:
    says(state="Invalid", codes=("assertion.dataHash.mismatch",), manifest={})
    assert _read(server).broken


def test_credentials_that_cannot_be_read_leave_the_question_open(server: Assent, says: Any) -> None:
    says(state="unreadable", note="the engine did not answer")
    with pytest.raises(GateUnavailable):
        _read(server)
    evidence = Evidence("target", PIXELS, None, data=SIGNED)
    findings = run_gates([OriginGate(MarksInInputs(server))], [evidence], 30)
    assert {finding.status for finding in findings} == {"unavailable"}


@pytest.mark.parametrize("label", ["c2pa.training-mining", "cawg.training-mining"])
def test_a_makers_ban_is_heard(label: str, server: Assent, says: Any) -> None:
    def manifest(use: str) -> dict[str, Any]:
        entries = {"cawg.ai_generative_training": {"use": use}}
        return {"assertions": [{"label": label, "data": {"entries": entries}}]}

    says(state="Valid", manifest=manifest("notAllowed"))
    assert _read(server).no_derivation
    says(state="Valid", manifest=manifest("allowed"))
    assert not _read(server).no_derivation


@pytest.mark.parametrize("data", [None, [], {"entries": None}, {"entries": {"a": "notAllowed"}}])
def test_a_malformed_assertion_says_nothing(data: Any) -> None:
    assert not forbids_derivation({"assertions": [{"label": "c2pa.training-mining", "data": data}]})


def test_an_output_of_this_server_is_recognised_also_after_it_was_taken_down(server: Assent) -> None:
    marked = server.watermarker.embed(PIXELS, IDENT).pixels
    assert not _read(server, marked, PLAIN).own_output  # nobody registered it
    job = job_in(server.database, State.DONE)
    with server.database.write() as session:
        session.add(
            Mark(
                watermark_id=IDENT,
                job_id=job,
                status="live",
                media_type="image/png",
                sha256="0" * 64,
                size=1,
                manifest=b"",
                sealed_event_id="evt_" + "0" * 20,
                sealed_at=now(),
            )
        )
    found = _read(server, marked, PLAIN)
    assert (found.own_output, found.withdrawn) == (True, False)
    with server.database.write() as session:
        session.get_one(Mark, IDENT).status = "withdrawn"
    assert _read(server, marked, PLAIN).withdrawn


def test_a_picture_too_small_for_a_mark_has_none(server: Assent) -> None:
    assert not _read(server, np.full((16, 16, 3), 127, np.uint8), None).own_output
