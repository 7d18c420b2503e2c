"""What becomes of an output that a person would have to see."""

from __future__ import annotations

import json
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from safety.desk import Record
from safety.policy import Policy
from service.jobs.ledger import State
from service.jobs.rendering import _accept
from service.platform.database import now
from tests.service.reviews.office import POLICY, Office, decide, findings

WORKER = "wrk_0123456789ab"
POLICY_FOR_OUTPUTS = POLICY.replace("on: [target]", "on: [target, output]").replace(
    "output: [nsfw.class]", "output: [nsfw.class, nsfw.chest]"
)


def judge_output(office: Office, job: str, score: float) -> bool:
    """Hand the worker's next step an output in which the gates found this much that is suggestive."""
    changed = ("output", "nsfw.class", 0.0), ("output", "nsfw.chest", score)
    found = tuple(finding for finding in findings(*changed) if finding.subject == "output")
    record = Record(("output",), found)
    inspection: Any = SimpleNamespace(record=record, verdict=record.judge(Policy.parse(POLICY_FOR_OUTPUTS)))
    rendering: Any = SimpleNamespace(milliseconds={"swap": 12.0})
    return _accept(office.server, WORKER, job, inspection, rendering)


@pytest.fixture
def approved(desk, office) -> str:
    """A job whose pictures a person approved, in the hands of a worker."""
    job = office.case()
    decide(desk, job, "approve")
    office.change(job, lease_owner=WORKER, lease_until=now() + timedelta(minutes=1))
    return job


def test_an_approval_of_the_pictures_does_not_release_an_output_that_nobody_has_seen(office, approved):
    assert not judge_output(office, approved, 0.9)
    job = office.job(approved)
    assert job.state == State.REFUSED
    assert [reason["code"] for reason in job.reasons] == ["output_needs_review", "suggestive"]
    (event,) = office.events("job.refused")
    assert json.loads(event.leaf)["refs"]["code"] == "output_needs_review"


def test_an_output_that_the_policy_allows_is_sealed(office, approved):
    assert judge_output(office, approved, 0.1)
    assert office.job(approved).state == State.SEALING
    assert office.events("job.refused") == []
