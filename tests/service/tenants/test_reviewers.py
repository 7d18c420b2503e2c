"""Accounts of reviewers: what is accepted, what is kept, and how tries are counted."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from service.platform.database import Database
from service.platform.problems import Problem
from service.tenants import passwords, reviewers
from service.tenants.keys import create_tenant
from service.tenants.passwords import hash_password, needs_rehash, password_matches
from service.tenants.reviewers import (
    LOCKED_FOR,
    MAX_FAILURES,
    Answer,
    authenticate,
    create_reviewer,
    remove_reviewer,
)
from service.tenants.tables import Reviewer
from tests.service.rows import prepared_database

PASSWORD = "four words and a comma"
EMAIL = "rita@example.com"


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = prepared_database(f"sqlite:///{tmp_path / 'a.db'}")
    with database.write() as session:
        create_reviewer(session, create_tenant(session, "Example").id, " Rita@Example.COM ", PASSWORD)
    return database


def stored(database: Database) -> Reviewer:
    with database.read() as session:
        return session.query(Reviewer).one()


def later(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    at = reviewers.now() + by
    monkeypatch.setattr(reviewers, "now", lambda: at)


def test_the_address_is_found_however_it_is_typed(database):
    assert stored(database).email == EMAIL
    assert authenticate(database, "RITA@example.com ", PASSWORD).accepted


def test_only_an_argon2id_hash_of_the_password_is_kept(database):
    assert stored(database).password_hash.startswith("$argon2id$")
    assert PASSWORD not in stored(database).password_hash


@pytest.mark.parametrize("password", ["", "eleven char", "aaaaaaaaaaaaaaaa", "x" * 257])
def test_a_weak_or_endless_password_is_refused(password):
    with pytest.raises(Problem, match="password"):
        hash_password(password)


@pytest.mark.parametrize("email", ["", "rita", "rita@", "@example.com", "a b@example.com", "r@e.c" + "o" * 260, "r@e."])
def test_what_is_no_address_is_refused(database, email):
    with pytest.raises(Problem, match="e-mail"), database.write() as session:
        create_reviewer(session, stored(database).tenant_id, email, PASSWORD)


def test_an_address_has_one_account(database):
    with pytest.raises(Problem, match="already"), database.write() as session:
        create_reviewer(session, stored(database).tenant_id, EMAIL.upper(), PASSWORD)


def test_an_address_is_free_again_after_its_reviewer_was_removed(database):
    before = stored(database)
    with database.write() as session:
        remove_reviewer(session, session.get_one(Reviewer, before.id))
    assert authenticate(database, EMAIL, PASSWORD).answer is Answer.UNKNOWN
    with database.write() as session:
        after = create_reviewer(session, before.tenant_id, EMAIL, "another four words and a comma")
    assert after.id != before.id
    assert not authenticate(database, EMAIL, PASSWORD).accepted
    assert authenticate(database, EMAIL, "another four words and a comma").accepted
    with database.read() as session:
        assert session.get_one(Reviewer, before.id).email == EMAIL


@pytest.mark.parametrize(
    ("name", "message"), [("Example", "already"), (" Example ", "already"), ("  ", "needs a name")]
)
def test_an_organisation_has_a_name_of_its_own(database, name, message):
    with pytest.raises(Problem, match=message), database.write() as session:
        create_tenant(session, name)


def test_a_password_typed_on_another_keyboard_is_the_same_password():
    composed, decomposed = "gr\u00fc\u00dfe aus kassel", "gru\u0308\u00dfe aus kassel"
    assert password_matches(hash_password(composed), decomposed)


def test_an_unknown_account_costs_a_whole_check_of_a_password(database, monkeypatch):
    checked: list[str | None] = []
    monkeypatch.setattr(reviewers, "password_matches", lambda hash_, _: checked.append(hash_))
    attempt = authenticate(database, "nobody@example.com", PASSWORD)
    assert (attempt.reviewer, attempt.answer) == (None, Answer.UNKNOWN)
    assert checked == [None]


def test_an_unknown_account_costs_no_write(database, monkeypatch):
    monkeypatch.setattr(Database, "write", lambda _: pytest.fail("this wrote"))
    assert not authenticate(database, "nobody@example.com", PASSWORD).accepted


def test_the_check_without_an_account_hashes_with_the_same_parameters():
    assert not needs_rehash(passwords._decoy())
    assert not password_matches(None, PASSWORD)


def test_a_success_forgets_the_failures_before_it(database):
    for _ in range(MAX_FAILURES - 1):
        assert not authenticate(database, EMAIL, "not my password").accepted
    assert stored(database).failed_logins == MAX_FAILURES - 1
    assert authenticate(database, EMAIL, PASSWORD).accepted
    assert stored(database).failed_logins == 0


def test_five_failures_close_the_account_for_a_quarter_of_an_hour(database, monkeypatch):
    for _ in range(MAX_FAILURES):
        authenticate(database, EMAIL, "not my password")
    assert not authenticate(database, EMAIL, PASSWORD).accepted
    later(monkeypatch, LOCKED_FOR - timedelta(seconds=5))
    assert not authenticate(database, EMAIL, PASSWORD).accepted
    later(monkeypatch, timedelta(seconds=10))
    assert authenticate(database, EMAIL, PASSWORD).accepted
    assert stored(database).locked_until is None


def test_tries_against_a_closed_account_do_not_keep_it_closed(database, monkeypatch):
    for _ in range(MAX_FAILURES):
        authenticate(database, EMAIL, "not my password")
    until = stored(database).locked_until
    authenticate(database, EMAIL, "not my password")
    assert stored(database).locked_until == until


def test_a_try_is_counted_before_the_password_is_looked_at(database, monkeypatch):
    """So many tries at the same moment cannot all be the first."""
    seen: list[int] = []

    def look(*_: object) -> bool:
        seen.append(stored(database).failed_logins)
        return False

    monkeypatch.setattr(reviewers, "password_matches", look)
    authenticate(database, EMAIL, "not my password")
    assert seen == [1]


def test_a_hash_of_weaker_parameters_is_renewed_at_the_next_log_in(database, monkeypatch):
    before = stored(database).password_hash
    monkeypatch.setattr(reviewers, "needs_rehash", lambda _: True)
    assert authenticate(database, EMAIL, PASSWORD).accepted
    assert stored(database).password_hash != before
    assert authenticate(database, EMAIL, PASSWORD).accepted
