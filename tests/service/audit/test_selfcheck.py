"""The log checks itself: every kind of damage is found and named."""

from __future__ import annotations

import pytest

from service.audit.selfcheck import check_log
from tests.service.audit.conftest import ORIGIN, World

DAMAGE = {
    "UPDATE audit_event SET leaf = replace(leaf, '\"allow\"', '\"refuse\"') WHERE id = :event": "was changed after",
    "UPDATE audit_event SET kind = 'job.refused' WHERE id = :event": "columns of event",
    "UPDATE audit_event SET payload = NULL WHERE id = :event": "columns of event",
    "UPDATE audit_leaf SET hash = zeroblob(32) WHERE position = 3": "leaf 3: event",
    "UPDATE audit_node SET hash = zeroblob(32) WHERE level = 1 AND position = 0": "stored node 1/0",
    "DELETE FROM audit_node WHERE level = 2": "lacks the tree's node",
    "DELETE FROM audit_leaf WHERE position = 2": "gap: leaf 2 is missing",
    "DELETE FROM audit_leaf WHERE position = 5": "states 6 leaves where there are 5",
    "UPDATE audit_checkpoint SET note = replace(note, char(10) || '6', char(10) || '5')": "signature",
    "UPDATE audit_checkpoint SET size = 5": "columns differ",
    "DELETE FROM audit_pending": "neither in the tree nor in the queue",
}


@pytest.fixture
def damaged(world: World) -> World:
    """A log of six signed leaves and one event in the queue, whose guards are gone."""
    world.events(6, {"name": "Jane Doe"})
    world.sequencer.checkpoint()
    world.event()
    with world.database.engine.begin() as connection:
        for table in ("event", "leaf", "node", "checkpoint"):
            for what in ("update", "delete"):
                connection.exec_driver_sql(f"DROP TRIGGER audit_{table}_no_{what}")
        connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
    return world


def _problems(world: World) -> tuple[str, ...]:
    with world.database.read() as session:
        return check_log(session, ORIGIN, world.keys.verifiers, world.keys.memory).problems


def test_an_empty_log_has_no_problems(either_world: World) -> None:
    assert _problems(either_world) == ()
    either_world.sequencer.checkpoint()
    assert _problems(either_world) == ()
    either_world.event()
    either_world.sequencer.checkpoint()
    assert _problems(either_world) == ()


def test_a_sound_log_has_no_problems(damaged: World) -> None:
    assert _problems(damaged) == ()


@pytest.mark.parametrize("statement", DAMAGE)
def test_damage_is_found_and_named(damaged: World, statement: str) -> None:
    with damaged.database.engine.begin() as connection:
        event = connection.exec_driver_sql("SELECT event_id FROM audit_leaf WHERE position = 3").scalar_one()
        connection.exec_driver_sql(statement.replace(":event", f"'{event}'"))
    problems = _problems(damaged)
    assert any(DAMAGE[statement] in problem for problem in problems), problems


def test_a_history_rewritten_throughout_contradicts_its_checkpoint(damaged: World) -> None:
    with damaged.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE audit_event SET leaf = replace(leaf, '\"allow\"', '\"refuse\"')")
        connection.exec_driver_sql("DELETE FROM audit_pending")
        for table in ("leaf", "node"):
            connection.exec_driver_sql(f"DELETE FROM audit_{table}")  # noqa: S608 (constants only)
        connection.exec_driver_sql("INSERT INTO audit_pending (event_id) SELECT id FROM audit_event ORDER BY at")
    damaged.sequencer.sequence()
    assert "the tree of 6 leaves is not the one that was signed" in _problems(damaged)


def test_a_database_of_another_past_is_noticed_without_its_checkpoints(damaged: World) -> None:
    with damaged.database.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM audit_checkpoint")
        connection.exec_driver_sql("DELETE FROM audit_leaf WHERE position = 5")
    assert any("that it last signed" in problem for problem in _problems(damaged))


def test_the_check_stops_after_fifty_problems(damaged: World) -> None:
    damaged.events(60)
    damaged.sequencer.sequence()
    with damaged.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE audit_event SET kind = 'x'")
    assert len(_problems(damaged)) == 50


def test_erasure_leaves_the_tree_sound(world: World) -> None:
    world.events(3, {"name": "Jane Doe"})
    world.sequencer.checkpoint()
    world.erase()
    world.event()
    world.sequencer.checkpoint()
    assert _problems(world) == ()
