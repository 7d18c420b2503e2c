"""Recording: in the business transaction, committed to in the leaf, encrypted, erasable."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from service.audit.events import EventKind, RefsError
from service.audit.payloads import OpenPayload, PayloadDamagedError, open_payload
from service.audit.queries import events_of_job, read_payload, receipt_for
from service.audit.recorder import record
from service.audit.tables import AuditEvent, AuditPending
from service.platform.ids import new_id
from service.platform.vault import KeyOwner, VaultError
from tests.service.audit.conftest import World

PAYLOAD = {"name": "Jane Doe", "score": 0.25}


def _event(world: World, event_id: str) -> AuditEvent:
    with world.database.read() as session:
        return session.get_one(AuditEvent, event_id)


def test_the_leaf_says_what_happened_and_nothing_about_the_person(world: World) -> None:
    job = new_id("job")
    event = _event(world, world.event(PAYLOAD, job=job))
    leaf = json.loads(event.leaf)
    assert leaf | {"commitment": "", "at": ""} == {
        "format": "assent-event/1",
        "id": event.id,
        "kind": "job.judged",
        "schema": 1,
        "at": "",
        "tenant": world.tenant,
        "actor": "system",
        "refs": {"job": job, "stage": "input", "outcome": "allow"},
        "commitment": "",
    }
    assert abs(datetime.fromisoformat(leaf["at"]) - datetime.now(UTC)) < timedelta(minutes=1)
    assert "Jane" not in event.leaf
    assert event.payload is not None
    assert b"Jane" not in event.payload


def test_the_payload_reads_back_and_matches_its_commitment(world: World) -> None:
    event = _event(world, world.event(PAYLOAD))
    with world.database.read() as session:
        assert read_payload(session, world.vault, event) == PAYLOAD
        commitment = bytes.fromhex(json.loads(event.leaf)["commitment"])
        opened = open_payload(session, world.vault, event, commitment)
    assert isinstance(opened, OpenPayload)
    assert hmac.digest(opened.opening, opened.text.encode(), hashlib.sha256) == commitment


def test_the_opening_of_one_event_opens_no_other(world: World) -> None:
    events = [_event(world, event_id) for event_id in world.events(2, PAYLOAD)]
    commitments = {json.loads(event.leaf)["commitment"] for event in events}
    assert len(commitments) == 2


def test_after_the_erasure_the_payload_reads_erased(world: World) -> None:
    event = _event(world, world.event(PAYLOAD))
    world.erase()
    with world.database.read() as session:
        assert read_payload(session, world.vault, event) == "erased"


def test_an_event_about_somebody_erased_is_still_recorded_without_payload(world: World) -> None:
    world.event(PAYLOAD)
    world.erase()
    event = _event(world, world.event(PAYLOAD))
    assert (event.payload, event.owner_id, json.loads(event.leaf)["commitment"]) == (None, None, None)


def test_an_event_without_payload_reads_none(world: World) -> None:
    event = _event(world, world.event())
    with world.database.read() as session:
        assert read_payload(session, world.vault, event) is None


def test_nothing_is_recorded_when_the_business_transaction_fails(world: World) -> None:
    def fail(session: Session) -> None:
        record(
            session,
            EventKind.SUBJECT_REGISTERED,
            tenant_id=world.tenant,
            actor="system",
            refs={"subject": world.subject.id},
        )
        raise RuntimeError("the business failed")

    with pytest.raises(RuntimeError), world.database.write() as session:
        fail(session)
    assert world.sequencer.sequence() == 0
    with world.database.read() as session:
        assert session.scalars(select(AuditPending)).all() == []


def test_bad_references_tenants_and_actors_stop_the_transaction(world: World) -> None:
    good = {"tenant_id": world.tenant, "actor": "system", "refs": {"subject": world.subject.id}}
    for bad in (
        {"refs": {"subject": "Jane Doe"}},
        {"tenant_id": "ACME Inc."},
        {"actor": "jane@example.com"},
    ):
        with pytest.raises(RefsError), world.database.write() as session:
            record(session, EventKind.SUBJECT_REGISTERED, **(good | bad))  # type: ignore[arg-type]


def test_a_payload_needs_an_owner_and_a_vault(world: World) -> None:
    with pytest.raises(ValueError, match="needs a key owner"), world.database.write() as session:
        record(
            session,
            EventKind.SUBJECT_REGISTERED,
            tenant_id=None,
            actor="system",
            refs={"subject": world.subject.id},
            payload=PAYLOAD,
        )
    with pytest.raises(TypeError, match="no vault"), Session(world.database.engine) as session:
        record(
            session,
            EventKind.SUBJECT_REGISTERED,
            tenant_id=None,
            actor="system",
            refs={"subject": world.subject.id},
            payload=PAYLOAD,
            key_owner=world.subject,
        )


def test_a_payload_moved_to_another_event_does_not_open(world: World) -> None:
    first, second = (_event(world, event_id) for event_id in world.events(2, PAYLOAD))
    first.payload = second.payload
    with world.database.read() as session, pytest.raises(VaultError):
        read_payload(session, world.vault, first)


def test_a_payload_taken_away_is_noticed(world: World) -> None:
    event = _event(world, world.event(PAYLOAD))
    event.payload = None
    with world.database.read() as session, pytest.raises(PayloadDamagedError, match="removed"):
        read_payload(session, world.vault, event)


def test_a_payload_encrypted_anew_is_not_the_committed_one(world: World) -> None:
    event = _event(world, world.event(PAYLOAD))
    with world.database.write() as session:
        owner = KeyOwner("subject", world.subject.id)
        context = b"audit payload " + event.id.encode()
        event.payload = world.vault.encrypt(session, owner, b'{"name":"John"}', context)
        with pytest.raises(PayloadDamagedError, match="not the one"):
            read_payload(session, world.vault, event)


def test_a_job_has_its_story_in_order_and_for_its_tenant_only(world: World) -> None:
    job = new_id("job")
    ids = [world.event(job=job) for _ in range(3)]
    world.event()
    with world.database.read() as session:
        assert [event.id for event in events_of_job(session, world.tenant, job)] == ids
        assert events_of_job(session, new_id("ten"), job) == []


def test_there_is_no_receipt_for_what_was_never_recorded(world: World) -> None:
    with world.database.read() as session:
        assert receipt_for(session, "evt_unknown") is None


def test_an_event_cannot_be_changed_through_the_session(world: World) -> None:
    event_id = world.event()
    with pytest.raises(Exception, match="append-only"), world.database.write() as session:
        session.execute(update(AuditEvent).where(AuditEvent.id == event_id).values(kind="y"))
