"""The log checks itself: the recomputed tree against everything that is stored and signed."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from provenance.audit import (
    AuditError,
    CheckpointMemory,
    Frontier,
    LogVerifier,
    Node,
    Place,
    Tree,
    leaf_hash,
    open_checkpoint,
)
from service.audit.store import SqlAuditStore
from service.audit.tables import AuditCheckpoint, AuditEvent, AuditLeaf, AuditPending

_PAGE = 1000
_MAX_PROBLEMS = 50

Root = tuple[int, bytes]


@dataclass(frozen=True)
class SelfCheck:
    """What the check found: the recomputed size and root, and sentences about whatever is wrong."""

    size: int
    root: bytes
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def check_log(
    session: Session,
    origin: str,
    verifiers: Sequence[LogVerifier],
    memory: CheckpointMemory | None = None,
) -> SelfCheck:
    """Recompute the whole tree from the events and compare it with stored nodes, checkpoints and `memory`.

    Takes constant memory. It stops after 50 problems.
    """
    return _Check(session, origin, verifiers).run(memory)


class _Check:
    def __init__(self, session: Session, origin: str, verifiers: Sequence[LogVerifier]) -> None:
        self._session = session
        self._store = SqlAuditStore(session)
        self._origin = origin
        self._verifiers = verifiers
        self._edge = Frontier()
        self._problems: list[str] = []

    def run(self, memory: CheckpointMemory | None) -> SelfCheck:
        remembered = memory.recall() if memory else None
        signed = self._session.scalar(select(func.max(AuditCheckpoint.size))) or 0
        size = self._store.size()  # read after what it is compared with: others may be appending
        roots = self._roots(size)
        expected = self._compare(next(roots, None), roots)
        for page in self._pages(size):
            nodes: list[Node] = []
            for position, digest, event in page:
                self._check_leaf(position, digest, event)
                nodes += self._edge.push(leaf_hash(event.leaf.encode()))
                expected = self._compare(expected, roots)
            self._check_nodes(nodes)
            if len(self._problems) >= _MAX_PROBLEMS:
                break
        else:
            self._check_rest(size, signed, remembered)
        return SelfCheck(self._edge.size, self._edge.root(), tuple(self._problems[:_MAX_PROBLEMS]))

    def _check_rest(self, size: int, signed: int, remembered: str | None) -> None:
        if self._edge.size != size:
            self._problems.append(f"the log has a gap: leaf {self._edge.size} is missing")
        if signed > size:
            self._problems.append(f"a checkpoint states {signed} leaves where there are {size}")
        if remembered is not None:
            self._check_memory(remembered)
        lost = select(AuditEvent.id).where(
            ~exists().where(AuditLeaf.event_id == AuditEvent.id),
            ~exists().where(AuditPending.event_id == AuditEvent.id),
        )
        for event_id in self._session.scalars(lost.limit(_MAX_PROBLEMS)):
            self._problems.append(f"event {event_id} is neither in the tree nor in the queue")

    def _pages(self, size: int) -> Iterator[Sequence[tuple[int, bytes, AuditEvent]]]:
        """Yield the leaves with their events in order, ending early at a gap."""
        start = 0
        while start < size:
            query = (
                select(AuditLeaf.position, AuditLeaf.hash, AuditEvent)
                .join(AuditEvent, AuditEvent.id == AuditLeaf.event_id)
                .where(AuditLeaf.position >= start, AuditLeaf.position < min(start + _PAGE, size))
                .order_by(AuditLeaf.position)
            )
            rows = self._session.execute(query).all()
            whole = [row for offset, row in enumerate(rows) if row[0] == start + offset]
            yield whole
            self._session.expunge_all()
            if len(whole) < min(_PAGE, size - start):
                return
            start += _PAGE

    def _check_leaf(self, position: int, digest: bytes, event: AuditEvent) -> None:
        if leaf_hash(event.leaf.encode()) != digest:
            self._problems.append(f"leaf {position}: event {event.id} was changed after it entered the tree")
        try:
            leaf = json.loads(event.leaf)
            same = leaf["id"] == event.id and leaf["kind"] == event.kind and leaf["tenant"] == event.tenant_id
            same = same and leaf["at"] == event.at.isoformat(timespec="microseconds").replace("+00:00", "Z")
            same = same and leaf["refs"].get("job") == event.job_id
            same = same and leaf["refs"].get("subject") == event.subject_id
            same = same and (leaf["commitment"] is None) == (event.payload is None)
        except (ValueError, KeyError, TypeError, AttributeError):
            same = False
        if not same:
            self._problems.append(f"leaf {position}: the columns of event {event.id} differ from its leaf")

    def _check_nodes(self, nodes: Sequence[Node]) -> None:
        places = [Place(node.level, node.position) for node in nodes]
        try:
            stored = self._store.hashes(places)
        except AuditError as error:
            self._problems.append(str(error))
            return
        for node, digest in zip(nodes, stored, strict=True):
            if node.hash != digest:
                self._problems.append(f"the stored node {node.level}/{node.position} is not what its leaves give")

    def _roots(self, size: int) -> Iterator[Root]:
        """Yield size and root of each checkpoint up to `size` leaves, having checked its signatures."""
        query = (
            select(AuditCheckpoint.id, AuditCheckpoint.size, AuditCheckpoint.root, AuditCheckpoint.note)
            .where(AuditCheckpoint.size <= size)
            .order_by(AuditCheckpoint.size, AuditCheckpoint.id)
            .execution_options(yield_per=_PAGE)
        )
        for number, stated_size, root, note in self._session.execute(query):
            try:
                stated = open_checkpoint(note, self._origin, self._verifiers).checkpoint
            except AuditError as error:
                self._problems.append(f"checkpoint {number}: {error}")
                continue
            if (stated.size, stated.root) != (stated_size, root):
                self._problems.append(f"checkpoint {number}: its columns differ from its note")
            yield stated.size, stated.root

    def _compare(self, expected: Root | None, roots: Iterator[Root]) -> Root | None:
        """Compare the tree with every signed root of its present size; return the next one to wait for."""
        while expected is not None and expected[0] <= self._edge.size:
            size, root = expected
            if size == self._edge.size and root != self._edge.root():
                self._problems.append(f"the tree of {size} leaves is not the one that was signed")
            expected = next(roots, None)
        return expected

    def _check_memory(self, note: str) -> None:
        try:
            stated = open_checkpoint(note, self._origin, self._verifiers).checkpoint
            if stated.size > self._edge.size or Tree(self._store).root(stated.size) != stated.root:
                self._problems.append(f"the log does not contain the {stated.size} leaves that it last signed")
        except AuditError as error:
            self._problems.append(f"the remembered checkpoint: {error}")
