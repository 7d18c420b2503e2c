"""The worker: takes jobs from the ledger and carries each as far as it goes without a person.

A worker holds a lease and renews it while it works. When its process dies the lease runs out, and another worker begins
again at the last state that the ledger knows. Whatever was only in the dead process's memory is made anew.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy.exc import DBAPIError

from pipeline.errors import ModelUnavailable, PipelineError
from service.assembly import Assent
from service.audit.events import EventKind
from service.audit.recorder import record
from service.jobs import ledger
from service.jobs.ledger import FOR_WORKERS, LostRace, State
from service.jobs.release import release
from service.jobs.rendering import render_and_seal
from service.jobs.screening import screen
from service.jobs.tables import Job
from service.jobs.takedown import discard_output
from service.jobs.transitions import step
from service.platform.problems import Problem, problem_of

_log = structlog.get_logger(__name__)
_IDLE_S = 0.5


class Worker:
    """One worker thread. `stop()` lets it finish the step that it is at."""

    def __init__(self, server: Assent) -> None:
        self._server = server
        self.name = "wrk_" + secrets.token_hex(6)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    def start(self) -> None:
        """Begin to take jobs."""
        self._thread.start()

    def stop(self, timeout: float = 30.0) -> None:
        """Take no more jobs and wait for the present one."""
        self._stopping.set()
        self._server.wake_workers()
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                if not self.work_once():
                    self._server.wait_for_work(_IDLE_S)
            except Exception:
                # The database may be away for a moment; the worker must outlive that.
                _log.exception("worker_step_failed", worker=self.name)
                self._stopping.wait(_IDLE_S)

    def work_once(self) -> bool:
        """Take one job and carry it on; returns whether there was one."""
        with self._server.database.write() as session:
            job = ledger.claim(session, self.name, self._server.settings.lease_seconds)
            if job is None:
                return False
            job_id, attempts = job.id, job.attempts
        with structlog.contextvars.bound_contextvars(job=job_id, worker=self.name), self._lease(job_id):
            if attempts > self._server.settings.max_attempts:
                self._fail(job_id, Problem(500, "given_up", "The job could not be finished in several attempts."))
            else:
                self._carry_on(job_id, attempts)
        return True

    def _carry_on(self, job_id: str, attempts: int) -> None:
        try:
            while (state := self._state(job_id)) in FOR_WORKERS:
                if self._stopping.is_set():
                    self._give_back(job_id, uncount=True)
                    return
                self._step(job_id, state)
        except LostRace:
            _log.info("job_lost_to_somebody_else")
        except (DBAPIError, OSError, ModelUnavailable) as error:
            # The database, the disk or a model may be back in a moment; the attempts are counted.
            _log.warning("job_postponed", reason=type(error).__name__, attempt=attempts, exc_info=error)
            self._give_back(job_id, after_s=min(2.0**attempts, 60.0))
        except Problem as problem:
            self._fail(job_id, problem)
        except PipelineError as error:
            self._fail(job_id, problem_of(error))
        except Exception:
            _log.exception("job_failed")
            self._fail(job_id, Problem(500, "internal_error", "The job failed on our side; it is logged under its id."))

    def _give_back(self, job_id: str, *, after_s: float = 0.0, uncount: bool = False) -> None:
        with self._server.database.write() as session:
            ledger.give_back(session, job_id, self.name, after_s=after_s, uncount=uncount)

    def _step(self, job_id: str, state: State) -> None:
        match state:
            case State.QUEUED:
                with self._server.database.write() as session:
                    step(session, job_id, State.QUEUED, State.SCREENING, worker=self.name)
            case State.SCREENING:
                screen(self._server, self.name, job_id)
            case State.RENDERING:
                render_and_seal(self._server, self.name, job_id)
            case State.SEALING:
                release(self._server, self.name, job_id)

    def _state(self, job_id: str) -> State:
        with self._server.database.read() as session:
            job = session.get_one(Job, job_id)
            return State(job.state) if job.lease_owner in (None, self.name) else State.FAILED

    def _fail(self, job_id: str, problem: Problem) -> None:
        try:
            with self._server.database.write() as session:
                job = session.get_one(Job, job_id)
                before = State(job.state)
                ledger.move(session, job_id, before, State.FAILED, worker=self.name, problem=problem.document())
                discard_output(self._server, session, job_id, "discarded")
                refs = {"job": job_id, "state_before": before.value, "code": problem.code}
                record(session, EventKind.JOB_FAILED, tenant_id=job.tenant_id, actor=self.name, refs=refs)
        except (LostRace, ValueError):
            _log.info("job_ended_before_its_failure")

    @contextmanager
    def _lease(self, job_id: str) -> Iterator[None]:
        """Renew the lease every third of its length until the block ends, or for so long that the step must hang."""
        done = threading.Event()
        thread = threading.Thread(target=self._renew, args=(job_id, done), name=self.name + "-lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            self._give_back(job_id)

    def _renew(self, job_id: str, done: threading.Event) -> None:
        seconds = self._server.settings.lease_seconds
        deadline = time.monotonic() + self._server.settings.step_limit_s
        while not done.wait(seconds / 3):
            if time.monotonic() > deadline:
                _log.error("worker_hangs", job=job_id, worker=self.name)
                return
            try:
                with self._server.database.write() as session:
                    ledger.renew(session, job_id, self.name, seconds)
            except LostRace:
                return
            except Exception:
                _log.exception("lease_not_renewed")
