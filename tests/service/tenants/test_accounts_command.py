"""`assent tenants` and `assent reviewers` as an operator uses them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from service.audit.tables import AuditEvent
from service.cli.main import main
from service.platform.database import Database, now
from service.tenants.sessions import open_session
from service.tenants.tables import Reviewer, ReviewerSession

PASSWORD = "four words and a comma"
EMAIL = "rita@example.com"


class Assent:
    """The command with a home of its own, in this process."""

    def __init__(self, home: Path, patch: pytest.MonkeyPatch, output: pytest.CaptureFixture[str]) -> None:
        self._patch, self._output = patch, output
        self.database = Database(f"sqlite:///{home / 'assent.db'}")
        patch.setenv("ASSENT_HOME", str(home))
        patch.setenv("ASSENT_REVIEWER_PASSWORD", PASSWORD)

    def __call__(self, *arguments: str, status: int = 0) -> str:
        self._patch.setattr("sys.argv", ["assent", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = self._output.readouterr()
        assert (end.value.code or 0) == status, out + err
        assert "Traceback" not in out + err
        return (out + err).strip()

    def log_in(self, email: str = EMAIL, *, hours: int = 1) -> None:
        with self.database.write() as session:
            reviewer = session.scalars(select(Reviewer).where(Reviewer.email == email)).one()
            open_session(session, b"pepper", reviewer.id)
            if hours < 0:
                session.flush()
                for row in session.scalars(select(ReviewerSession)):
                    row.expires_at = now() + timedelta(hours=hours)

    def log_ins(self) -> int:
        with self.database.read() as session:
            return len(session.scalars(select(ReviewerSession)).all())

    def kinds(self) -> list[str]:
        with self.database.read() as session:
            return list(session.scalars(select(AuditEvent.kind).order_by(AuditEvent.at)))


@pytest.fixture
def assent(tmp_path, monkeypatch, capsys):
    command = Assent(tmp_path, monkeypatch, capsys)
    yield command
    command.database.close()


@pytest.fixture
def tenant(assent: Assent) -> str:
    return assent("tenants", "add", "Example")


@pytest.fixture
def reviewer(assent: Assent, tenant: str) -> str:
    return assent("reviewers", "add", "--tenant", tenant, EMAIL)


def test_a_second_organisation_of_the_same_name_is_one_clear_error(assent, tenant):
    text = assent("tenants", "add", "Example", status=1)
    assert "There is an organisation with this name already" in text
    assert len(text.splitlines()) == 2
    assert assent.kinds() == ["tenant.created"]


@pytest.mark.parametrize(("password", "message"), [("short", "12 to 256 characters"), ("a" * 20, "too few characters")])
def test_a_weak_password_is_one_clear_error_and_adds_nobody(assent, tenant, monkeypatch, password, message):
    monkeypatch.setenv("ASSENT_REVIEWER_PASSWORD", password)
    text = assent("reviewers", "add", "--tenant", tenant, EMAIL, status=1)
    assert message in text
    assert password not in text
    assert assent("reviewers", "list", "--tenant", tenant) == ""


def test_an_address_that_is_taken_is_one_clear_error(assent, tenant, reviewer):
    assert "already" in assent("reviewers", "add", "--tenant", tenant, EMAIL.upper(), status=1)


def test_the_list_shows_who_reviews_and_who_did(assent, tenant, reviewer):
    assent("reviewers", "add", "--tenant", tenant, "carl@example.com")
    assent("reviewers", "remove", EMAIL)
    removed, live = assent("reviewers", "list", "--tenant", tenant).splitlines()
    assert removed.split()[:2] == [reviewer, "removed"] and removed.endswith(EMAIL)
    assert live.split()[1] == "live" and live.endswith("carl@example.com")


def test_the_list_of_an_unknown_organisation_is_an_error(assent):
    assert "no such tenant" in assent("reviewers", "list", "--tenant", "ten_none", status=1)


def test_a_removal_ends_the_log_ins_keeps_the_row_and_is_logged(assent, reviewer):
    assent.log_in()
    assent.log_in()
    assert assent("reviewers", "remove", " RITA@example.com") == f"{reviewer} is removed; 2 log-ins ended"
    assert assent.log_ins() == 0
    with assent.database.read() as session:
        row = session.get_one(Reviewer, reviewer)
        assert (row.email, row.removed_at is None) == (EMAIL, False)
    assert assent.kinds()[-1] == "reviewer.removed"
    assert "no such reviewer" in assent("reviewers", "remove", EMAIL, status=1)


def test_a_log_out_ends_the_log_ins_of_this_person_only_and_is_logged(assent, tenant, reviewer):
    assent("reviewers", "add", "--tenant", tenant, "carl@example.com")
    assent.log_in()
    assent.log_in("carl@example.com")
    assert assent("reviewers", "log-out", EMAIL) == "1 log-in ended"
    assert assent.log_ins() == 1
    assert assent.kinds()[-1] == "login.ended"
    assert assent("reviewers", "log-out", EMAIL) == "0 log-ins ended"


def test_log_ins_that_had_run_out_are_cleared_but_not_counted(assent, reviewer):
    assent.log_in(hours=-1)
    assert assent("reviewers", "log-out", EMAIL) == "0 log-ins ended"
    assert assent.log_ins() == 0


@pytest.mark.parametrize("command", ["remove", "log-out"])
def test_whoever_does_not_exist_is_one_clear_error(assent, command):
    assert "no such reviewer" in assent("reviewers", command, "nobody@example.com", status=1)
