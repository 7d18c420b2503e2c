"""Protected people are found by the gate until they are taken off; what cannot be opened is never 'nobody'."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select, update

from service.assembly import Assent
from service.audit.tables import AuditEvent
from service.platform.database import now
from service.platform.ids import new_id
from service.platform.migrate import upgrade
from service.platform.problems import Problem
from service.platform.settings import Settings
from service.platform.vault import KeyOwner, VaultError
from service.protected.directory import ProtectedPeople
from service.protected.register import add_entries, create_list, find_list, lists_of, remove_entry
from service.protected.tables import ProtectedEntry
from service.tenants.tables import Tenant

ROWS = np.random.default_rng(0).normal(0, 0.1, (3, 128)).astype(np.float32)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Assent]:
    server = Assent(Settings(home=tmp_path / "home"))
    upgrade(server.database)
    yield server
    server.close()


@pytest.fixture
def directory(server: Assent) -> ProtectedPeople:
    return ProtectedPeople(server, "dlib:ab")


def _tenant(server: Assent) -> str:
    tenant = new_id("ten")
    with server.database.write() as session:
        session.add(Tenant(id=tenant, name=tenant, created_at=now()))
    return tenant


def _list(
    server: Assent, tenant: str | None = None, name: str = "heads-of-state", embedder: str = "dlib:ab"
) -> list[str]:
    with server.database.write() as session:
        on = create_list(session, tenant, name, "public_figures")
        ids = add_entries(server, session, on, ROWS, embedder=embedder, actor="operator", origin="operator")
        return [on.id, *ids]


def test_without_a_list_nobody_is_protected(directory: ProtectedPeople) -> None:
    assert directory.nearest(ROWS[:1], None)[0].size == 0


def test_a_listed_person_is_found_for_every_tenant(server: Assent, directory: ProtectedPeople) -> None:
    _, *ids = _list(server)
    for tenant in (None, "ten_a"):
        found = directory.nearest(ROWS[1:2], tenant)[0]
        assert (found.entry, found.size) == (ids[1], 3)
        assert found.distance < 0.01


def test_a_tenants_list_is_for_that_tenant_only(server: Assent, directory: ProtectedPeople) -> None:
    mine, other = _tenant(server), _tenant(server)
    _list(server, mine)
    assert directory.nearest(ROWS[:1], mine)[0].entry is not None
    assert directory.nearest(ROWS[:1], other)[0].entry is None
    with server.database.read() as session:
        assert [count for _, count in lists_of(session, mine)] == [3]
        assert lists_of(session, other) == []
        with pytest.raises(Problem, match="no such list"):
            find_list(session, other, lists_of(session, mine)[0][0].id)


def test_a_change_counts_at_once(server: Assent, directory: ProtectedPeople) -> None:
    on, *ids = _list(server)
    assert directory.nearest(ROWS[:1], None)[0].entry == ids[0]
    with server.database.write() as session:
        remove_entry(session, find_list(session, None, on), ids[0], actor="operator", reason="removed")
    assert directory.nearest(ROWS[:1], None)[0].entry != ids[0]


def test_somebody_who_is_added_later_is_found_beside_those_before(server: Assent, directory: ProtectedPeople) -> None:
    on, *ids = _list(server)
    directory.nearest(ROWS[:1], None)
    with server.database.write() as session:
        more = ROWS[:1] + np.float32(0.2)
        (added,) = add_entries(
            server, session, find_list(session, None, on), more, embedder="dlib:ab", actor="operator", origin="operator"
        )
    assert [found.entry for found in directory.nearest(np.stack([more[0], ROWS[2]]), None)] == [added, ids[2]]


def test_templates_lie_encrypted(server: Assent) -> None:
    _list(server)
    with server.database.read() as session:
        for entry, row in zip(session.scalars(select(ProtectedEntry)), ROWS, strict=True):
            assert row.tobytes() not in entry.template
            assert len(entry.template) == 128 * 4 + 29


def test_every_change_is_in_the_log(server: Assent) -> None:
    on, *ids = _list(server)
    with server.database.write() as session:
        remove_entry(session, find_list(session, None, on), ids[0], actor="operator", reason="removed")
    with server.database.read() as session:
        kinds = [event.kind for event in session.scalars(select(AuditEvent).order_by(AuditEvent.at))]
    assert kinds == ["protected.added", "protected.removed"]


def test_a_list_whose_key_is_gone_is_not_an_empty_list(server: Assent, directory: ProtectedPeople) -> None:
    on, *_ = _list(server)
    with server.database.write() as session:
        server.vault.destroy(session, KeyOwner("protected", on))
    with pytest.raises(VaultError):
        directory.nearest(ROWS[:1], None)


def test_an_altered_template_is_not_skipped(server: Assent, directory: ProtectedPeople) -> None:
    _list(server)
    with server.database.write() as session:
        session.execute(update(ProtectedEntry).values(template=b"\x01" + bytes(600)))
    with pytest.raises(VaultError):
        directory.nearest(ROWS[:1], None)


def test_templates_of_another_embedder_cannot_be_compared(server: Assent, directory: ProtectedPeople) -> None:
    _list(server, embedder="arcface:cd")
    with pytest.raises(ValueError, match="another embedder"):
        directory.nearest(ROWS[:1], None)


def test_a_list_that_breaks_does_not_leave_its_former_self_in_force(server: Assent, directory: ProtectedPeople) -> None:
    _list(server)
    directory.nearest(ROWS[:1], None)
    _list(server, name="second", embedder="arcface:cd")
    for _ in range(2):
        with pytest.raises(ValueError, match="another embedder"):
            directory.nearest(ROWS[:1], None)


@pytest.mark.parametrize("rows", [np.full((1, 128), np.nan), np.zeros((1, 64)), np.zeros(128)])
def test_nonsense_is_not_put_on_a_list(rows: np.ndarray, server: Assent) -> None:
    with pytest.raises(Problem, match="128 finite"), server.database.write() as session:
        on = create_list(session, None, "a", "other")
        add_entries(server, session, on, rows, embedder="dlib:ab", actor="operator", origin="operator")


def test_a_name_is_taken_once(server: Assent) -> None:
    _list(server)
    with pytest.raises(Problem, match="already"):
        _list(server)
