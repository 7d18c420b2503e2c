"""Sequencing: one order, no gaps, nothing lost and nothing twice, whoever works at once and whoever dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select

from provenance.audit import Checkpoint, ForkError, open_note, verify_receipt
from service.audit.queries import (
    backlog,
    checkpoint_at,
    consistency_proof,
    index_range,
    latest_checkpoint,
    receipt_for,
)
from service.audit.selfcheck import check_log
from service.audit.sequencer import Sequencer, sequence_now
from service.audit.tables import AuditCheckpoint, AuditEvent, AuditLeaf, AuditPending
from service.platform.database import now
from tests.service.audit.conftest import ORIGIN, World


def _check(world: World, expected: int) -> None:
    """The log has exactly so many leaves, all of them right, and nothing is left in the queue."""
    with world.database.read() as session:
        found = check_log(session, ORIGIN, world.keys.verifiers, world.keys.memory)
        events = session.scalar(select(func.count()).select_from(AuditEvent))
        pending = session.scalar(select(func.count()).select_from(AuditPending))
    assert (found.problems, found.size, events, pending) == ((), expected, expected, 0)


def test_events_become_leaves_in_the_order_they_were_written(either_world: World) -> None:
    ids = either_world.events(7)
    assert sequence_now(either_world.database, batch=3) == 7
    with either_world.database.read() as session:
        rows = session.execute(select(AuditLeaf.position, AuditLeaf.event_id).order_by(AuditLeaf.position))
        assert [tuple(row) for row in rows] == list(enumerate(ids))
    _check(either_world, 7)


def test_sequencing_again_does_nothing(world: World) -> None:
    world.events(2)
    assert [sequence_now(world.database) for _ in range(3)] == [2, 0, 0]


def test_writers_and_sequencers_at_once_leave_no_gap(either_world: World) -> None:
    writers, each = 6, 10
    stop = threading.Event()
    errors: list[BaseException] = []

    def guarded(work: object) -> None:
        try:
            work()  # type: ignore[operator]
        except BaseException as error:
            errors.append(error)

    def write() -> None:
        for _ in range(each):
            either_world.event()

    def sequence() -> None:
        while not stop.is_set():
            sequence_now(either_world.database, batch=4)
            either_world.sequencer.checkpoint()

    sequencers = [threading.Thread(target=guarded, args=(sequence,)) for _ in range(3)]
    writing = [threading.Thread(target=guarded, args=(write,)) for _ in range(writers)]
    for thread in sequencers + writing:
        thread.start()
    for thread in writing:
        thread.join()
    stop.set()
    for thread in sequencers:
        thread.join()
    sequence_now(either_world.database)
    assert errors == []
    _check(either_world, writers * each)


_PROCESS = """
import sys
from pathlib import Path
from tests.service.audit.conftest import make_world
from service.audit.sequencer import sequence_now
world = make_world(sys.argv[1], Path(sys.argv[2]))
for _ in range(int(sys.argv[3])):
    world.event()
    sequence_now(world.database, batch=2)
    world.sequencer.checkpoint()
print("done", flush=True)
"""


def _process(url: str, folder: Path, count: int) -> subprocess.Popen[str]:
    root = Path(__file__).resolve().parents[3]
    command = [sys.executable, "-c", _PROCESS, url, str(folder), str(count)]
    environment = os.environ | {"PYTHONPATH": str(root)}
    return subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.PIPE, text=True)


def test_processes_at_once_share_one_log(either_world: World, tmp_path: Path) -> None:
    url = either_world.database.url.render_as_string(hide_password=False)
    running = [_process(url, tmp_path, 6) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0] for process in running]
    assert outputs == ["done\n"] * 2
    _check(either_world, 12)


def test_a_killed_process_leaves_a_whole_log(world: World, tmp_path: Path) -> None:
    url = world.database.url.render_as_string(hide_password=False)
    for _ in range(2):
        before = _leaves(world)
        process = _process(url, tmp_path, 100_000)
        while _leaves(world) < before + 5:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        sequence_now(world.database)
        _check(world, _leaves(world))
    world.sequencer.checkpoint()


def _leaves(world: World) -> int:
    with world.database.read() as session:
        return session.scalar(select(func.count()).select_from(AuditLeaf)) or 0


def test_every_event_gets_a_receipt_that_verifies_offline(world: World) -> None:
    ids = world.events(5)
    world.sequencer.checkpoint()
    late = world.event()
    sequence_now(world.database)
    with world.database.read() as session:
        receipts = [receipt_for(session, event_id) for event_id in ids]
        assert receipt_for(session, late) is None
    for index, text in enumerate(receipts):
        assert text is not None
        receipt, checkpoint = verify_receipt(text, ORIGIN, world.keys.verifiers)
        assert (receipt.index, checkpoint.size) == (index, 5)
        assert ids[index].encode() in (receipt.leaf or b"")


def test_checkpoints_are_consistent_with_one_another(world: World) -> None:
    notes = []
    for _ in range(3):
        world.events(3)
        notes.append(world.sequencer.checkpoint().note)
    with world.database.read() as session:
        assert latest_checkpoint(session) == notes[-1]
        assert [checkpoint_at(session, size) for size in (1, 4, 9, 10)] == [*notes, None]
        assert consistency_proof(session, 3, 9)
    opened = [Checkpoint.parse(open_note(note, world.keys.verifiers)[0].text) for note in notes]
    assert [checkpoint.size for checkpoint in opened] == [3, 6, 9]


def test_the_thread_sequences_signs_and_ends_with_everything_covered(world: World) -> None:
    sequencer = Sequencer(world.database, world.keys, interval_s=0.1, poll_s=0.02)
    sequencer.start()
    world.events(3)
    sequencer.wake()
    deadline = time.monotonic() + 10
    while _signed(world) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert _signed(world) == 3
    world.events(2)
    sequencer.stop()
    assert _signed(world) == 5
    sequencer.stop()


def _signed(world: World) -> int:
    with world.database.read() as session:
        return session.scalar(select(func.max(AuditCheckpoint.size))) or 0


def test_a_log_set_back_raises_the_alarm_and_signs_nothing(world: World) -> None:
    world.events(2)
    world.sequencer.checkpoint()
    alarms: list[str] = []
    with world.database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_checkpoint_no_delete")
        connection.exec_driver_sql("DELETE FROM audit_checkpoint")
        connection.exec_driver_sql("DROP TRIGGER audit_leaf_no_delete")
        connection.exec_driver_sql("DELETE FROM audit_leaf WHERE position = 1")
    sequencer = Sequencer(world.database, world.keys, alarm=alarms.append)
    for _ in range(2):
        with pytest.raises(ForkError, match="shrank from 2 to 1"):
            sequencer.checkpoint()
    assert (len(alarms), sequencer.problem) == (1, alarms[0])
    assert _signed(world) == 0


def test_the_backlog_is_known(world: World) -> None:
    with world.database.read() as session:
        assert backlog(session).events == 0
    world.events(2)
    with world.database.read() as session:
        waiting = backlog(session)
    assert waiting.events == 2
    assert 0 <= waiting.oldest_s < 60


def test_a_time_gives_the_smallest_range_with_all_its_events(world: World) -> None:
    world.events(2)
    sequence_now(world.database)
    middle = now()
    world.events(3)
    world.sequencer.checkpoint()
    world.event()
    sequence_now(world.database)
    with world.database.read() as session:
        assert index_range(session, None, None) == (0, 5)
        assert index_range(session, middle, None) == (2, 5)
        assert index_range(session, None, middle) == (0, 2)
        assert index_range(session, now(), None) == (0, 0)
