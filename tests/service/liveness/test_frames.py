"""Frames are refused before they cost anything, count once for ever, and have to come while they are captured."""

from __future__ import annotations

import hashlib

import pytest
from sqlalchemy import func, select

from service.liveness.sweep import sweep
from service.liveness.tables import LivenessFrame, LivenessSession, SeenFrame
from service.platform.problems import Problem
from service.subjects.register import erase_subject
from tests.service.liveness.studio import Studio, faceless, picture, png, take

MOVES = ("left", "right", "left")


def observations(studio, session_id):
    rows = select(func.count()).where(LivenessFrame.session_id == session_id)
    with studio.server.database.read() as session:
        return session.scalar(rows)


def test_a_person_who_turns_as_asked_passes_and_leaves_no_observations(studio):
    shot = studio.open()
    verdict = shot.pass_()
    assert (verdict.state, verdict.reasons) == ("passed", [])
    assert verdict.template is not None
    assert observations(studio, verdict.id) == 0


def test_frames_that_passed_once_never_pass_again_not_even_at_another_tenant(studio):
    frames = take(MOVES)
    first = studio.open(moves=MOVES)
    first.send_all(frames)
    assert first.complete().outcome == "live"
    elsewhere = Studio(studio.server, studio.sight)
    for other in (studio.open(moves=MOVES), elsewhere.open(moves=MOVES), elsewhere.open(moves=MOVES, source="file")):
        other.send_all(frames)
        verdict = other.complete()
        assert (verdict.outcome, verdict.reasons, verdict.template) == ("not_live", ["frame_seen_before"], None)
        assert verdict.hint


def test_one_frame_of_an_abandoned_session_is_enough(studio):
    frames = take(MOVES)
    studio.open().send(frames[3])
    again = studio.open(moves=MOVES)
    again.send_all(frames)
    assert again.complete().reasons == ["frame_seen_before"]


def test_an_erased_persons_frames_stay_known(studio):
    frames = take(MOVES)
    subject = studio.subject()
    first = studio.open(subject, moves=MOVES)
    first.send_all(frames)
    assert first.complete().outcome == "live"
    erase_subject(studio.server, studio.caller, subject)
    sweep(studio.server)
    again = studio.open(moves=MOVES)
    again.send_all(frames)
    assert again.complete().reasons == ["frame_seen_before"]


def test_the_same_pixels_in_another_file_are_the_same_frame(studio):
    pixels = picture()
    small, large = png(pixels, 9), png(pixels, 0)
    assert small != large
    studio.open().send(small)
    again = studio.open(moves=MOVES)
    again.send_all([large, *take(MOVES)[1:]])
    assert again.complete().reasons == ["frame_seen_before"]


def test_what_is_remembered_of_a_frame_says_nothing_without_the_key(studio):
    data = png(picture())
    studio.open().send(data)
    with studio.server.database.read() as session:
        known = set(session.scalars(select(SeenFrame.digest)))
    assert hashlib.sha256(data).digest() not in known
    assert {column.name for column in SeenFrame.__table__.columns} == {"digest", "seen_at"}


def test_frames_without_a_face_are_not_remembered(studio):
    for _ in range(2):
        shot = studio.open(moves=MOVES)
        shot.send_all([png(faceless()), *take(MOVES)])
        assert shot.complete().reasons == ["no_face"]


@pytest.mark.parametrize("arrivals", [lambda t: 0.0, lambda t: 0.3 * t, lambda t: t if t < 2 else t + 11])
def test_camera_frames_that_do_not_come_while_they_are_captured_are_not_live(studio, arrivals):
    shot = studio.open()
    shot.send_all(take(shot.moves), arrivals)
    verdict = shot.complete()
    assert (verdict.outcome, verdict.reasons) == ("not_live", ["timing"])
    assert "connection" in verdict.hint


def test_a_slow_line_does_no_harm(studio):
    shot = studio.open()
    shot.send_all(take(shot.moves), lambda t: 1.5 * t + (0 if t == 0 else 0.8))
    assert shot.complete().outcome == "live"


def test_a_file_may_come_all_at_once_and_is_recorded_as_a_file(studio):
    shot = studio.open(source="file")
    shot.send_all(take(shot.moves), lambda t: 0.0)
    verdict = shot.complete()
    assert (verdict.outcome, verdict.capture_source) == ("live", "file")


@pytest.mark.parametrize("nonce", [None, "", "another", "ü"])
def test_a_frame_without_the_sessions_nonce_is_refused(studio, nonce):
    shot = studio.open()
    with pytest.raises(Problem) as refusal:
        shot.send(png(picture()), nonce=nonce)
    assert (refusal.value.status, refusal.value.code) == (422, "wrong_nonce")


def test_a_frame_that_cannot_count_is_refused_without_being_looked_at(studio):
    shot = studio.open()
    shot.send(png(picture()))
    looks = studio.sight.looks
    for code, change in (
        ("frame_repeated", {}),
        ("wrong_nonce", {"sequence": 1, "nonce": "x"}),
        ("unauthorised", {"sequence": 1, "token": "lt_wrong"}),
    ):
        with pytest.raises(Problem) as refusal:
            shot.send(b"no picture", **change)
        assert refusal.value.code == code
    for sequence in range(1, 60):
        shot.send(png(faceless()), sequence)
    assert studio.sight.looks == looks + 59
    with pytest.raises(Problem) as refusal:
        shot.send(b"no picture", 60)
    assert refusal.value.code == "too_many_frames"
    shot.complete()
    with pytest.raises(Problem) as refusal:
        shot.send(b"no picture", 61)
    assert (refusal.value.status, refusal.value.code) == (409, "liveness_ended")


def test_what_happened_while_a_frame_was_looked_at_still_refuses_it(studio):
    shot = studio.open()
    studio.sight.meanwhile = shot.complete
    with pytest.raises(Problem) as refusal:
        shot.send(png(picture()))
    assert refusal.value.code == "liveness_ended"
    assert observations(studio, shot.liveness.id) == 0


def test_an_erased_subjects_session_is_gone_at_every_step(studio):
    subject = studio.subject()
    shot = studio.open(subject)
    shot.send(png(picture()))

    def erase():
        studio.sight.meanwhile = lambda: None
        erase_subject(studio.server, studio.caller, subject)

    studio.sight.meanwhile = erase
    for step in (lambda: shot.send(png(picture()), 1), lambda: shot.send(png(picture()), 2), shot.complete):
        with pytest.raises(Problem) as refusal:
            step()
        assert (refusal.value.status, refusal.value.code) == (410, "subject_erased")
    assert observations(studio, shot.liveness.id) == 0


def test_an_expired_session_takes_nothing(studio):
    shot = studio.open()
    with studio.server.database.write() as session:
        row = session.get_one(LivenessSession, shot.liveness.id)
        row.expires_at = row.created_at
    for _ in range(2):
        for step in (lambda: shot.send(png(picture())), shot.complete):
            with pytest.raises(Problem) as refusal:
                step()
            assert (refusal.value.status, refusal.value.code) == (410, "liveness_expired")
        sweep(studio.server)
