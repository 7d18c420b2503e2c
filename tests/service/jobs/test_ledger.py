"""The ledger: one winner of every race, and a lease that a dead worker cannot hold."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from service.jobs import ledger
from service.jobs.ledger import FOR_WORKERS, LostRace, State
from service.jobs.tables import Job
from service.platform.database import Database, now
from tests.service.rows import job_in, prepared_database


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request, tmp_path):
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'ledger.db'}"
    else:
        url = request.getfixturevalue("postgres_url")
    database = prepared_database(url)
    yield database
    database.close()


def claim(database: Database, worker: str, seconds: float = 30) -> str | None:
    with database.write() as session:
        job = ledger.claim(session, worker, seconds)
        return job.id if job else None


def test_the_oldest_job_is_claimed_first(database):
    old, young = job_in(database, State.QUEUED, age=timedelta(hours=1)), job_in(database, State.QUEUED)
    assert [claim(database, "a"), claim(database, "b"), claim(database, "c")] == [old, young, None]


def test_of_many_workers_at_once_each_job_has_one(database):
    jobs = {job_in(database, State.QUEUED) for _ in range(6)}
    taken, barrier = [], threading.Barrier(8)

    def work(name):
        barrier.wait()
        while (job := claim(database, name)) is not None:
            taken.append(job)

    threads = [threading.Thread(target=work, args=(f"w{i}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(jobs)


def test_a_job_whose_worker_died_is_claimed_again_when_its_lease_has_run_out(database):
    job = job_in(database, State.RENDERING)
    assert claim(database, "dead") == job
    assert claim(database, "next") is None
    with database.write() as session:
        session.execute(update(Job).values(lease_until=now() - timedelta(seconds=1)))
    assert claim(database, "next") == job
    with database.read() as session:
        assert session.get_one(Job, job).attempts == 2


def test_a_worker_that_lost_its_lease_changes_nothing(database):
    job = job_in(database, State.SCREENING)
    claim(database, "slow")
    with database.write() as session:
        session.execute(update(Job).values(lease_until=now() - timedelta(seconds=1)))
    claim(database, "next")
    with database.write() as session, pytest.raises(LostRace):
        ledger.move(session, job, State.SCREENING, State.RENDERING, worker="slow")
    with database.write() as session, pytest.raises(LostRace):
        ledger.renew(session, job, "slow", 30)
    with database.read() as session:
        assert session.get_one(Job, job).state == State.SCREENING


@pytest.mark.parametrize("state", FOR_WORKERS)
def test_a_withdrawal_beats_a_worker_at_every_stage(database, state):
    job = job_in(database, state)
    claim(database, "worker")
    with database.write() as session:
        ledger.move(session, job, state, State.WITHDRAWN)
    with database.write() as session, pytest.raises(LostRace):
        ledger.move(session, job, state, ledger._NEXT[state][0], worker="worker")
    with database.read() as session:
        assert session.get_one(Job, job).state == State.WITHDRAWN
    assert claim(database, "another") is None


@pytest.mark.parametrize("state", [State.DONE, State.REFUSED, State.FAILED, State.CANCELLED, State.WITHDRAWN])
def test_an_ended_job_is_never_claimed(database, state):
    job_in(database, state)
    assert claim(database, "worker") is None


@pytest.mark.parametrize("state", [s for s in State if s not in (State.SEALING,)])
def test_nothing_is_done_without_having_been_sealed(state):
    assert State.DONE not in ledger._NEXT[state]


def test_a_refused_job_can_never_be_rendered():
    reachable, seen = {State.REFUSED}, set()
    while reachable - seen:
        state = (reachable - seen).pop()
        seen.add(state)
        reachable |= set(ledger._NEXT[state])
    assert seen == {State.REFUSED}


def test_a_lease_that_is_given_back_frees_the_job_at_once(database):
    job = job_in(database, State.QUEUED)
    claim(database, "a")
    with database.write() as session:
        ledger.give_back(session, job, "a")
    assert claim(database, "b") == job
    with database.read() as session:
        assert session.scalar(select(Job.lease_owner)) == "b"
