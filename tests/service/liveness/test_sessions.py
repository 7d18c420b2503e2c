"""Limits and verdicts hold however many ask at the same moment."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from service.audit.events import EventKind
from service.audit.tables import AuditEvent
from service.liveness.tables import LivenessFrame, LivenessSession
from service.platform.problems import Problem
from service.subjects.register import erase_subject
from tests.service.liveness.studio import Studio, at_once, picture, png, take


def codes(results):
    return sorted(result for result in results if isinstance(result, str))


def test_parallel_openings_do_not_get_around_the_limit_of_a_person(studio):
    subject = studio.subject()
    results = list(at_once([lambda: studio.open(subject)] * 12))
    assert codes(results) == ["liveness_locked"] * 7


def test_fresh_subjects_do_not_get_around_the_limit_of_a_tenant(studio):
    subjects = [studio.subject() for _ in range(8)]
    results = [r for _ in range(3) for r in at_once([lambda s=s: studio.open(s) for s in subjects])]
    assert codes(results) == ["liveness_tenant_locked"] * 4
    with pytest.raises(Problem) as refusal:
        studio.open()
    assert (refusal.value.status, refusal.value.headers["Retry-After"]) == (429, "900")
    Studio(studio.server, studio.sight).open()


def test_passed_sessions_do_not_count(studio):
    subject = studio.subject()
    for _ in range(6):
        studio.open(subject).pass_()
    studio.open(subject)


def test_a_session_that_is_completed_many_times_at_once_is_judged_once(studio):
    shot = studio.open()
    shot.send_all(take(shot.moves))
    results = list(at_once([shot.complete] * 6))
    assert codes(results) == ["liveness_ended"] * 5
    judged = select(AuditEvent.leaf).where(
        AuditEvent.kind == EventKind.LIVENESS_JUDGED, AuditEvent.tenant_id == studio.caller.tenant_id
    )
    with studio.server.database.read() as session:
        assert len(session.scalars(judged).all()) == 1


def test_of_two_people_who_finish_at_once_as_the_same_subject_one_passes(studio):
    for _ in range(3):
        subject = studio.subject()
        shots = [studio.open(subject), studio.open(subject)]
        for person, shot in enumerate(shots):
            shot.send_all(take(shot.moves, person))
        verdicts = list(at_once([shot.complete for shot in shots]))
        assert sorted(verdict.outcome for verdict in verdicts) == ["live", "not_live"]
        assert ["other_person"] in [verdict.reasons for verdict in verdicts]


def test_one_frame_that_is_sent_to_two_sessions_at_once_counts_in_one(studio):
    for _ in range(3):
        data = png(picture())
        shots = [studio.open(), studio.open()]
        list(at_once([lambda s=shot, d=data: s.send(d) for shot in shots]))
        ids = [shot.liveness.id for shot in shots]
        rows = select(LivenessFrame.seen_before).where(LivenessFrame.session_id.in_(ids))
        with studio.server.database.read() as session:
            assert sorted(session.scalars(rows)) == [False, True]


def test_an_erasure_among_frames_and_verdicts_leaves_nothing_behind(studio):
    for _ in range(3):
        subject = studio.subject()
        shot, other = studio.open(subject), studio.open(subject)
        shot.send_all(take(shot.moves))
        steps = [
            lambda s=subject: erase_subject(studio.server, studio.caller, s),
            shot.complete,
            *[lambda n=n, s=other: s.send(png(picture()), n) for n in range(4)],
        ]
        assert set(codes(at_once(steps))) <= {"subject_erased"}
        frames = select(func.count()).where(LivenessFrame.session_id.in_([shot.liveness.id, other.liveness.id]))
        templates = select(LivenessSession.template).where(LivenessSession.subject_id == subject)
        with studio.server.database.read() as session:
            assert session.scalar(frames) == 0
            assert set(session.scalars(templates)) == {None}
