"""The door of the review desk."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from service.audit.tables import AuditEvent
from service.platform.database import now
from service.reviews.access import LOG_IN_FAILURES
from service.tenants import passwords
from service.tenants.passwords import in_line
from service.tenants.reviewers import MAX_FAILURES, remove_reviewer
from service.tenants.tables import Reviewer, ReviewerSession
from tests.service.reviews.office import PASSWORD, Office, hidden, log_in

ANSWERS = ("login.succeeded", "login.failed", "login.ended")


def test_whoever_is_not_logged_in_is_led_to_the_log_in_and_back(browser, office):
    job, client = office.case(), browser()
    answer = client.get(f"/admin/cases/{job}")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/admin/login?next=/admin/cases/{job}"
    assert log_in(client, office, wanted=f"/admin/cases/{job}").headers["location"] == f"/admin/cases/{job}"
    assert client.get(f"/admin/cases/{job}").status_code == 200


@pytest.mark.parametrize("path", ["/admin", "/admin/cases/job_x/pictures/ast_x/blurred"])
def test_nothing_is_shown_without_a_log_in(browser, path):
    assert browser().get(path).headers["location"].startswith("/admin/login")


@pytest.mark.parametrize(
    "wanted", ["//evil.example", "https://evil.example", "/admin/../v1", "/admin\n", "/adminx", "/admin/logout"]
)
def test_a_log_in_never_leads_to_a_foreign_page(browser, office, wanted):
    assert log_in(browser(), office, wanted=wanted).headers["location"] == "/admin"


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(browser, office):
    cookie = next(c for c in log_in(browser(), office).headers.get_list("set-cookie") if "session=rs_" in c)
    assert cookie.startswith("assent-session=")
    assert {"HttpOnly", "SameSite=strict", "Path=/", "Max-Age=28800"} <= set(cookie.split("; "))
    assert "Secure" not in cookie


def test_over_https_the_cookie_is_bound_to_the_host(browser, office):
    client = browser("https://testserver")
    cookie = next(c for c in log_in(client, office).headers.get_list("set-cookie") if "session=rs_" in c)
    assert cookie.startswith("__Host-assent-session=")
    assert "Secure" in cookie.split("; ")
    assert "Domain" not in cookie
    assert client.get("/admin").status_code == 200


def test_only_a_keyed_hash_of_the_cookie_is_kept(browser, office):
    client = browser()
    log_in(client, office)
    token = client.cookies["assent-session"]
    assert len(token) >= 43
    with office.server.database.read() as session:
        rows = session.scalars(select(ReviewerSession).where(ReviewerSession.reviewer_id == office.reviewer_id)).all()
    assert len(rows) == 1
    assert token.encode() not in rows[0].digest
    assert token not in rows[0].csrf


def test_a_wrong_password_is_told_in_the_page_and_logged_without_the_address(browser, office):
    client = browser()
    answer = log_in(client, office, password="not my password")
    assert answer.status_code == 403
    assert 'role="alert"' in answer.text
    assert office.email in answer.text
    assert "not my password" not in answer.text
    events = office.events(*ANSWERS)
    assert [event.kind for event in events] == ["login.failed"]
    assert office.email not in events[0].leaf
    assert client.get("/admin").status_code == 303


def test_an_unknown_account_gets_the_same_answer_as_a_wrong_password(browser, office):
    def answer(email: str) -> str:
        client = browser()
        fields = {"csrf": hidden(client.get("/admin/login").text, "csrf"), "email": email, "password": "x" * 12}
        text = client.post("/admin/login", data=fields).text
        return text.replace(email, "").replace(hidden(text, "csrf"), "")

    assert answer("nobody@example.com") == answer(office.email)


def test_after_five_wrong_passwords_the_right_one_is_turned_away_too(browser, office):
    client = browser()
    for _ in range(5):
        log_in(client, office, password="not my password")
    assert log_in(client, office).status_code == 403


def failures(reason: str) -> float:
    return LOG_IN_FAILURES.labels(reason=reason)._value.get()


def all_events(office) -> int:
    with office.server.database.read() as session:
        return session.scalar(select(func.count()).select_from(AuditEvent)) or 0


@pytest.mark.parametrize(
    ("email", "password", "reason"),
    [
        ("nobody@example.com", PASSWORD, "unknown"),
        ("nobody@example.com", "p" * 5000, "too_long"),
        ("", "", "unknown"),
        (None, "p" * 257, "too_long"),
    ],
)
def test_what_anybody_can_send_without_end_is_counted_and_leaves_no_row(browser, office, email, password, reason):
    stranger = Office(office.server, office.tenant_id, office.reviewer_id, office.email if email is None else email)
    rows, before = all_events(office), failures(reason)
    assert log_in(browser(), stranger, password=password).status_code == 403
    assert all_events(office) == rows
    assert failures(reason) == before + 1


def test_an_endless_password_is_not_even_looked_at(browser, office, monkeypatch):
    monkeypatch.setattr(passwords, "_HASHER", None)
    assert log_in(browser(), office, password="p" * 257).status_code == 403


def test_a_closed_account_adds_nothing_more_to_the_log(browser, office):
    client = browser()
    for _ in range(MAX_FAILURES + 3):
        log_in(client, office, password="not my password")
    assert len(office.events("login.failed")) == MAX_FAILURES


def test_an_address_that_tries_too_often_has_to_wait_and_another_has_not(browser, office):
    client, stranger = browser(), Office(office.server, office.tenant_id, office.reviewer_id, "nobody@example.com")
    answers = [log_in(client, stranger, password=PASSWORD).status_code for _ in range(10)]
    assert answers == [403] * 10
    answer = log_in(client, office)
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 6
    assert answer.headers["content-type"].startswith("text/html")
    assert office.events(*ANSWERS) == []
    assert log_in(browser(), office).status_code == 303


def test_a_form_of_another_site_does_not_use_up_the_tries_of_an_address(browser, office):
    client = browser()
    for _ in range(12):
        assert client.post("/admin/login", data={"email": "a", "password": "b", "csrf": "c"}).status_code == 403
    assert log_in(client, office).status_code == 303


def test_where_all_places_are_taken_a_log_in_is_put_off_and_not_held_against_the_account(browser, office, monkeypatch):
    monkeypatch.setattr(passwords, "_PATIENCE_S", 0.05)
    client = browser()
    with in_line(), in_line():
        answer = log_in(client, office)
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "5"
    with office.server.database.read() as session:
        assert session.get_one(Reviewer, office.reviewer_id).failed_logins == 0
    assert log_in(client, office).status_code == 303


def test_a_removed_reviewer_is_out_at_once_and_cannot_come_back(browser, office, desk):
    with office.server.database.write() as session:
        assert remove_reviewer(session, session.get_one(Reviewer, office.reviewer_id)) == 1
    assert desk.get("/admin").headers["location"] == "/admin/login"
    assert log_in(browser(), office).status_code == 403
    assert [event.kind for event in office.events(*ANSWERS)] == ["login.succeeded"]


def test_a_session_that_outlives_its_reviewers_removal_opens_nothing(office, desk):
    with office.server.database.write() as session:
        session.get_one(Reviewer, office.reviewer_id).removed_at = now()
    assert desk.get("/admin").status_code == 303


def test_a_log_in_form_of_another_site_is_not_taken(browser, office):
    client = browser()
    fields = {"email": office.email, "password": PASSWORD}
    assert client.post("/admin/login", data=fields).status_code == 403
    client.get("/admin/login")
    assert client.post("/admin/login", data=fields | {"csrf": "A" * 43}).status_code == 403
    assert client.post("/admin/login", data=fields | {"csrf": "ä"}).status_code == 403
    assert office.events(*ANSWERS) == []


def test_a_log_in_makes_a_new_session_and_ends_the_one_before(browser, office):
    client = browser()
    log_in(client, office)
    before = client.cookies["assent-session"]
    client.cookies.delete("assent-session")
    form = client.get("/admin/login").text
    client.cookies.set("assent-session", before, domain="testserver.local", path="/")
    data = {"csrf": hidden(form, "csrf"), "email": office.email, "password": PASSWORD}
    client.post("/admin/login", data=data)
    with office.server.database.read() as session:
        kept = session.scalars(select(ReviewerSession).where(ReviewerSession.reviewer_id == office.reviewer_id)).all()
    assert len(kept) == 1


def test_a_log_out_ends_the_session_for_every_copy_of_the_cookie(browser, office, desk):
    token = desk.cookies["assent-session"]
    answer = desk.post("/admin/logout", data={"csrf": hidden(desk.get("/admin").text, "csrf")})
    assert answer.headers["location"] == "/admin/login"
    thief = browser()
    thief.cookies.set("assent-session", token)
    assert thief.get("/admin").status_code == 303
    assert [event.kind for event in office.events(*ANSWERS)] == ["login.succeeded", "login.ended"]


def test_a_log_out_needs_the_token_of_the_session(desk):
    assert desk.post("/admin/logout", data={"csrf": "guessed"}).status_code == 403
    assert desk.get("/admin").status_code == 200


def test_a_session_ends_after_eight_hours(office, desk):
    with office.server.database.write() as session:
        mine = session.scalars(select(ReviewerSession).where(ReviewerSession.reviewer_id == office.reviewer_id)).one()
        assert mine.expires_at - mine.created_at == timedelta(hours=8)
        session.execute(update(ReviewerSession).where(ReviewerSession.digest == mine.digest).values(expires_at=now()))
    assert desk.get("/admin").headers["location"] == "/admin/login"
    assert desk.post("/admin/logout", data={"csrf": "x"}).headers["location"] == "/admin/login"


def test_an_invented_cookie_opens_nothing(browser):
    client = browser()
    client.cookies.set("assent-session", "rs_" + "A" * 43)
    assert client.get("/admin").status_code == 303


def test_log_in_events_name_the_reviewer_and_nothing_else(office, desk):
    (event,) = office.events("login.succeeded")
    leaf = json.loads(event.leaf)
    assert leaf["actor"] == office.reviewer_id
    assert leaf["refs"] == {"reviewer": office.reviewer_id, "method": "password"}
