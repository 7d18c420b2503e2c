"""A withdrawal that meets a worker, on both databases: it is never lost, and nothing stays readable."""

import threading
from collections.abc import Iterator

import pytest

from service.assembly import Assent
from service.consents.grants import find_grant, withdraw_grant
from service.jobs.ledger import State, move
from service.jobs.tables import Job
from service.platform.migrate import upgrade
from service.platform.settings import Settings
from service.platform.vault import DataKey, KeyOwner
from tests.service.reviews.office import Office, open_office


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def office(request, tmp_path) -> Iterator[Office]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    server = Assent(Settings(home=tmp_path / "home", database_url=url))
    upgrade(server.database)
    yield open_office(server)
    server.close()


def withdraw(office: Office, job: str) -> None:
    with office.server.database.write() as session:
        grant = find_grant(session, office.caller.tenant_id, session.get_one(Job, job).grant_id)
        withdraw_grant(office.server, session, grant, "system")


def has_a_key(office: Office, job: str) -> bool:
    with office.server.database.read() as session:
        key = session.get(DataKey, ("job", job))
        return key is not None and key.wrapped is not None


def give_output(office: Office, job: str) -> None:
    with office.server.database.write() as session:
        office.server.blobs.put(session, KeyOwner("job", job), job, b"an output")


def test_a_withdrawal_waits_for_a_workers_step_and_then_stops_the_job(office):
    job = office.case()
    office.change(job, state=State.RENDERING)
    outcome: list[BaseException | None] = []

    def other() -> None:
        try:
            withdraw(office, job)
            outcome.append(None)
        except BaseException as error:
            outcome.append(error)

    with office.server.database.write() as session:
        move(session, job, State.RENDERING, State.SEALING)
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(0.5)
        assert thread.is_alive(), "the withdrawal did not wait for the step that had begun"
    thread.join(30)
    assert outcome == [None]
    assert office.job(job).state == State.WITHDRAWN


@pytest.mark.parametrize("state", [State.DONE, State.FAILED, State.REFUSED, State.CANCELLED])
def test_a_withdrawal_makes_every_output_unreadable_however_its_job_ended(office, state):
    job = office.case()
    give_output(office, job)
    office.change(job, state=state)
    withdraw(office, job)
    assert not has_a_key(office, job)


def test_withdrawing_again_takes_down_what_came_up_meanwhile(office):
    job = office.case()
    withdraw(office, job)
    office.change(job, state=State.DONE)
    withdraw(office, job)
    assert office.job(job).state == State.WITHDRAWN
