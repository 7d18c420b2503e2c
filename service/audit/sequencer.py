"""Turns queued events into leaves, in one order for all processes, and signs checkpoints of the tree."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from provenance.audit import AuditLog, ForkError, Leaf, LogKeys, SignedCheckpoint, append_leaves, leaf_hash
from service.audit.store import SqlAuditStore
from service.audit.tables import AuditEvent, AuditPending
from service.platform.database import Database

_log = structlog.get_logger(__name__)
BATCH = 1000
_LOCK = 0x617373656E74  # 'assent': the advisory lock's number in PostgreSQL


@contextmanager
def _alone(database: Database) -> Iterator[Session]:
    """Open a write transaction that no other sequencer runs beside, in this process or another."""
    with database.write() as session:
        if not database.is_sqlite:  # SQLite's write transaction holds the write lock from its beginning
            # Each statement must see what was committed before it, not before the wait for the lock.
            session.connection(execution_options={"isolation_level": "READ COMMITTED"})
            session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        yield session


def sequence_now(database: Database, *, batch: int = BATCH) -> int:
    """Append all committed events to the tree and return how many this call appended.

    Each batch is one transaction: killed anywhere, it has happened or not. Safe beside other sequencers.
    """
    with database.read() as session:
        if session.scalar(select(AuditPending.position).limit(1)) is None:
            return 0  # without the write lock, which others may be waiting for
    total = 0
    while appended := _sequence_batch(database, batch):
        total += appended
        if appended < batch:
            break
    return total


def _sequence_batch(database: Database, batch: int) -> int:
    with _alone(database) as session:
        queued = session.execute(
            select(AuditPending.position, AuditEvent.id, AuditEvent.leaf)
            .join(AuditEvent, AuditEvent.id == AuditPending.event_id)
            .order_by(AuditPending.position)
            .limit(batch)
        ).all()
        if not queued:
            return 0
        leaves = [Leaf(event_id, leaf_hash(leaf.encode())) for _, event_id, leaf in queued]
        append_leaves(SqlAuditStore(session), leaves)
        session.execute(delete(AuditPending).where(AuditPending.position.in_([row[0] for row in queued])))
        return len(queued)


class Sequencer:
    """Sequences and signs, in the background (`start`, `stop`) and at once (`sequence`, `checkpoint`).

    A checkpoint is signed every `interval_s`, and the queue looked at every `poll_s`. `alarm` is called with
    a sentence when the log contradicts what was signed before; nothing is signed while it does.
    """

    def __init__(
        self,
        database: Database,
        keys: LogKeys,
        *,
        interval_s: float = 5.0,
        poll_s: float = 0.5,
        alarm: Callable[[str], None] | None = None,
    ) -> None:
        self.problem: str | None = None
        self._database = database
        self._keys = keys
        self._interval_s = interval_s
        self._poll_s = poll_s
        self._alarm = alarm
        self._stopping = False
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def sequence(self) -> int:
        """Append all committed events now; return how many were appended."""
        return sequence_now(self._database)

    def checkpoint(self) -> SignedCheckpoint:
        """Append all committed events and return a signed checkpoint that covers them.

        Raises ForkError, after the alarm, if the log contradicts a checkpoint that was signed before.
        """
        sequence_now(self._database)
        try:
            with _alone(self._database) as session:
                store, keys = SqlAuditStore(session), self._keys
                log = AuditLog(store, keys.origin, keys.signers, memory=keys.memory)
                return log.checkpoint()
        except ForkError as error:
            self.raise_alarm(str(error))
            raise

    def start(self) -> None:
        """Begin to sequence in a thread of its own."""
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="audit-sequencer", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Say that there are new events, so that they need not wait for the next look."""
        self._wake.set()

    def stop(self, timeout: float = 30.0) -> None:
        """End the thread after a last round, which covers everything committed so far."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def raise_alarm(self, problem: str) -> None:
        """Note that the log is damaged, and tell whoever listens."""
        if problem != self.problem:
            _log.error("audit_log_damaged", problem=problem)
            if self._alarm is not None:
                self._alarm(problem)
        self.problem = problem

    def _run(self) -> None:
        due = time.monotonic()
        while True:
            last_round = self._stopping
            self._wake.clear()
            try:
                self.sequence()
                if last_round or time.monotonic() >= due:
                    due = time.monotonic() + self._interval_s
                    self.checkpoint()
            except ForkError:
                pass  # the alarm was raised; events still get their places, but nothing is signed
            except Exception:
                # The database may be away for a moment; the sequencer must outlive that.
                _log.exception("audit_sequencing_failed")
            if last_round:
                return
            self._wake.wait(self._poll_s)
