"""The sweep deletes what has served its purpose, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from service.consents.grants import give_grant
from service.liveness.sessions import find_session
from service.liveness.sweep import Swept, sweep
from service.liveness.tables import LivenessFrame, LivenessSession, SeenFrame
from service.platform.database import now
from service.platform.problems import Problem
from tests.service.liveness.studio import at_once, picture, png


@pytest.fixture(autouse=True)
def swept(studio):
    sweep(studio.server)


def changed(studio, shot, **values):
    with studio.server.database.write() as session:
        session.execute(update(LivenessSession).where(LivenessSession.id == shot.liveness.id).values(**values))


def stored(studio, shot):
    with studio.server.database.read() as session:
        return session.get_one(LivenessSession, shot.liveness.id)


def grant(studio, shot):
    return give_grant(
        studio.server,
        studio.caller,
        liveness_session_id=shot.liveness.id,
        purposes=["film_post_production"],
        expires_at=now() + timedelta(days=1),
        statement="I agree.",
        language="en",
        signed_name="Dana",
    )


def test_an_abandoned_session_expires_and_its_observations_go(studio):
    shot, running = studio.open(), studio.open()
    for one in (shot, running):
        one.send(png(picture()))
    changed(studio, shot, expires_at=now() - timedelta(seconds=1))
    assert sweep(studio.server) == Swept(expired=1, templates=0, remembered=0)
    assert sweep(studio.server) == Swept(0, 0, 0)
    assert [stored(studio, one).state for one in (shot, running)] == ["expired", "in_progress"]
    with studio.server.database.read() as session:
        assert find_session(session, studio.caller.tenant_id, shot.liveness.id).state == "expired"
        for one, left in ((shot, 0), (running, 1)):
            rows = select(func.count()).where(LivenessFrame.session_id == one.liveness.id)
            assert session.scalar(rows) == left


def test_more_sessions_than_one_batch_expire(studio, monkeypatch):
    monkeypatch.setattr("service.liveness.sweep._BATCH", 2)
    for _ in range(5):
        changed(studio, studio.open(), expires_at=now() - timedelta(seconds=1))
    assert sweep(studio.server).expired == 5


def test_a_template_that_no_grant_took_in_time_goes(studio):
    old, fresh, used = studio.open(), studio.open(), studio.open()
    for shot in (old, fresh, used):
        shot.pass_()
    given = grant(studio, used)
    for shot in (old, used):
        changed(studio, shot, finished_at=now() - timedelta(minutes=31))
    assert sweep(studio.server) == Swept(expired=0, templates=1, remembered=0)
    assert [stored(studio, shot).template is None for shot in (old, fresh, used)] == [True, False, False]
    assert stored(studio, used).used_by_grant == given.id
    with pytest.raises(Problem) as refusal:
        grant(studio, old)
    assert refusal.value.code == "liveness_stale"


def test_frames_are_forgotten_after_their_time(studio):
    data = png(picture())
    studio.open().send(data)
    with studio.server.database.write() as session:
        session.execute(update(SeenFrame).values(seen_at=now() - timedelta(days=399)))
    assert sweep(studio.server).remembered == 0
    with studio.server.database.write() as session:
        before = session.scalar(select(func.count()).select_from(SeenFrame))
        session.execute(update(SeenFrame).values(seen_at=now() - timedelta(days=401)))
    assert sweep(studio.server).remembered == before
    shot = studio.open()
    shot.send(data)
    rows = select(LivenessFrame.seen_before).where(LivenessFrame.session_id == shot.liveness.id)
    with studio.server.database.read() as session:
        assert session.scalars(rows).all() == [False]


def test_several_processes_may_sweep_at_once(studio):
    for _ in range(6):
        changed(studio, studio.open(), expires_at=now() - timedelta(seconds=1))
    assert sum(swept.expired for swept in at_once([lambda: sweep(studio.server)] * 3)) == 6


def test_the_receipt_says_what_was_declared(studio):
    shot = studio.open(source="file")
    shot.pass_()
    receipt = grant(studio, shot).receipt
    assert receipt["declared_capture_source"] == "file"
    assert "capture_source" not in receipt
