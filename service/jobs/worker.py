"""The worker: takes jobs from the ledger and carries each as far as it goes without a person.

A worker holds a lease and renews it while it works. When its process dies the lease runs out, and another worker begins
again at the last state that the ledger knows. Whatever was only in the dead process's memory is made anew.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from service.assembly import Assent
from service.audit.events import EventKind
from service.audit.recorder import record
from service.jobs import ledger
from service.jobs.ledger import FOR_WORKERS, LostRace, State
from service.jobs.release import release
from service.jobs.rendering import render_and_seal
from service.jobs.screening import screen
from service.jobs.tables import Job
from service.platform.problems import Problem

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
                self._fail(job_id, "worker_crashed", "The job stopped its worker too often.")
            else:
                self._carry_on(job_id)
        return True

    def _carry_on(self, job_id: str) -> None:
        try:
            while (state := self._state(job_id)) in FOR_WORKERS and not self._stopping.is_set():
                self._step(job_id, state)
        except LostRace:
            _log.info("job_lost_to_somebody_else")
        except Problem as problem:
            self._fail(job_id, problem.code, problem.detail, problem.hint)
        except Exception:
            _log.exception("job_failed")
            self._fail(job_id, "internal_error", "The job failed on our side; it is logged under its id.")

    def _step(self, job_id: str, state: State) -> None:
        match state:
            case State.QUEUED:
                with self._server.database.write() as session:
                    ledger.move(session, job_id, State.QUEUED, State.SCREENING, worker=self.name)
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

    def _fail(self, job_id: str, code: str, detail: str, hint: str = "") -> None:
        problem = Problem(422, code, detail, hint=hint).document()
        try:
            with self._server.database.write() as session:
                job = session.get_one(Job, job_id)
                before = State(job.state)
                ledger.move(session, job_id, before, State.FAILED, worker=self.name, problem=problem)
                refs = {"job": job_id, "state_before": before.value, "code": code}
                record(session, EventKind.JOB_FAILED, tenant_id=job.tenant_id, actor=self.name, refs=refs)
        except (LostRace, ValueError):
            _log.info("job_ended_before_its_failure")

    @contextmanager
    def _lease(self, job_id: str) -> Iterator[None]:
        """Renew the lease every third of its length until the block ends."""
        done = threading.Event()
        seconds = self._server.settings.lease_seconds

        def renew() -> None:
            while not done.wait(seconds / 3):
                try:
                    with self._server.database.write() as session:
                        ledger.renew(session, job_id, self.name, seconds)
                except LostRace:
                    return
                except Exception:
                    _log.exception("lease_not_renewed")

        thread = threading.Thread(target=renew, name=self.name + "-lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            with self._server.database.write() as session:
                ledger.release_lease(session, job_id, self.name)
