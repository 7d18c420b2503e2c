"""A policy version is never edited; one is live, others judge in its shadow, and rolling back is one step."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from safety.circumstances import Circumstances
from safety.desk import Record
from safety.policy import Policy, PolicyError
from service.audit.tables import AuditEvent
from service.jobs.ledger import State
from service.jobs.tables import Judgement
from service.platform.database import Database, now
from service.platform.problems import Problem
from service.policies import store
from service.policies.replay import differences, replay
from service.policies.shadow import judge_in_shadow, shadow_report
from tests.safety.samples import harmless_findings
from tests.service.rows import job_in, prepared_database

STANDARD = Policy.shipped()
STRICTER = Policy.parse(
    Path("safety/policies/standard.yaml")
    .read_text()
    .replace("version: 2", "version: 3")
    .replace("below: 25", "below: 45")
)
SUBJECTS = ("source:0", "target")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = prepared_database(f"sqlite:///{tmp_path / 'a.db'}")
    yield database
    database.close()


def _record() -> Record:
    """Harmless pictures of people who look 40."""
    return Record(SUBJECTS, tuple(harmless_findings(STANDARD, SUBJECTS)), Circumstances(purpose="test"))


def _live(database: Database) -> str | None:
    with database.read() as session:
        policy = store.live_policy(session)
        return policy.version if policy else None


def _activate(database: Database, policy: Policy) -> None:
    with database.write() as session:
        store.activate(session, store.add_version(session, policy, actor="operator"), actor="operator")


def test_nothing_is_live_at_first(database: Database) -> None:
    assert _live(database) is None


def test_a_stored_policy_is_the_one_that_was_given(database: Database) -> None:
    for name in ("standard", "film-post", "anonymisation"):
        _activate(database, Policy.shipped(name))
        with database.read() as session:
            live = store.live_policy(session)
        assert live is not None
        assert (live.version, live.digest) == (Policy.shipped(name).version, Policy.shipped(name).digest)


def test_another_content_under_the_same_version_is_refused(database: Database) -> None:
    with database.write() as session:
        row = store.add_version(session, STANDARD, actor="operator")
        assert store.add_version(session, STANDARD, actor="operator") is row
    changed = Policy.parse(Path("safety/policies/standard.yaml").read_text().replace("below: 25", "below: 24"))
    with pytest.raises(Problem, match="never edited"), database.write() as session:
        store.add_version(session, changed, actor="operator")


def test_activating_retires_what_was_live_and_rolling_back_brings_it_back(database: Database) -> None:
    _activate(database, STANDARD)
    _activate(database, STRICTER)
    assert _live(database) == "standard/3"
    with database.write() as session:
        store.roll_back(session, actor="operator")
    assert _live(database) == "standard/2"
    with database.read() as session:
        assert {row.version: row.state for row in store.versions(session)} == {2: "live", 3: "retired"}


def test_without_a_former_version_there_is_nothing_to_roll_back_to(database: Database) -> None:
    _activate(database, STANDARD)
    with pytest.raises(Problem, match="No version was live"), database.write() as session:
        store.roll_back(session, actor="operator")


def test_every_step_is_in_the_log_with_the_digest(database: Database) -> None:
    _activate(database, STANDARD)
    _activate(database, STRICTER)
    with database.write() as session:
        store.roll_back(session, actor="operator")
    with database.read() as session:
        leaves = [json.loads(event.leaf) for event in session.scalars(select(AuditEvent).order_by(AuditEvent.at))]
    assert [(leaf["kind"], leaf["refs"]["policy_version"]) for leaf in leaves] == [
        ("policy.drafted", "standard-2"),
        ("policy.activated", "standard-2"),
        ("policy.drafted", "standard-3"),
        ("policy.retired", "standard-2"),
        ("policy.activated", "standard-3"),
        ("policy.retired", "standard-3"),
        ("policy.activated", "standard-2"),
    ]
    assert leaves[-1]["refs"]["policy_digest"] == STANDARD.digest
    assert leaves[-1]["refs"]["method"] == "rollback"


def test_a_stored_policy_that_was_changed_does_not_judge(database: Database) -> None:
    _activate(database, STANDARD)
    with database.write() as session:
        (row,) = store.versions(session, store.LIVE)
        row.document = {**row.document, "description": "Somebody wrote into the database."}
    with pytest.raises(PolicyError, match="changed"):
        _live(database)


def test_a_shadow_version_judges_beside_the_live_one_and_its_differences_are_counted(database: Database) -> None:
    verdict = _record().judge(STANDARD)
    with database.write() as session:
        store.to_shadow(session, store.add_version(session, STRICTER, actor="operator"), actor="operator")
        for _ in range(3):
            judge_in_shadow(session, _record(), verdict)
        (report,) = shadow_report(session)
    assert report == {"version": "standard/3", "judged": 3, "different": 3, "changes": {"allow to review": 3}}


def test_a_damaged_shadow_version_does_not_hold_up_the_live_one(database: Database) -> None:
    with database.write() as session:
        row = store.add_version(session, STRICTER, actor="operator")
        store.to_shadow(session, row, actor="operator")
        row.document = {}
        judge_in_shadow(session, _record(), _record().judge(STANDARD))
        assert shadow_report(session)[0]["judged"] == 0


def test_the_live_version_cannot_become_a_shadow(database: Database) -> None:
    _activate(database, STANDARD)
    with pytest.raises(Problem, match="live"), database.write() as session:
        store.to_shadow(session, store.find_version(session, "standard/2"), actor="operator")


@pytest.mark.parametrize("name", ["standard/9", "standard", "x/y", "/2"])
def test_a_version_that_is_not_here_is_not_found(name: str, database: Database) -> None:
    with pytest.raises(Problem, match="no such policy version"), database.read() as session:
        store.find_version(session, name)


def test_replay_says_what_would_have_changed(database: Database) -> None:
    job = job_in(database, State.DONE)
    record = _record()
    with database.write() as session:
        for kept in (record.to_json(), {}):
            verdict = record.judge(STANDARD).to_json()
            session.add(Judgement(job_id=job, stage="input", record=kept, verdict=verdict, created_at=now()))
    with database.read() as session:
        same = replay(session, STANDARD, 10)
        other = replay(session, STRICTER, 10)
        assert replay(session, STRICTER, 1).judged == 0
    assert (same.judged, same.skipped, same.changed) == (1, 1, [])
    assert other.to_json()["changes"] == {"allow to review": 1}
    assert other.changed[0]["job"] == job
    assert other.changed[0]["reasons"] == ["age_unsure"]


def test_differences_name_the_rule() -> None:
    assert differences(STANDARD, STANDARD) == []
    lines = differences(STANDARD, STRICTER)
    assert len(lines) == 2
    assert all("rule age_unsure" in line for line in lines)
    assert any(
        "needs" in line or "need rights_not_declared" in line
        for line in differences(STANDARD, Policy.shipped("film-post"))
    )
