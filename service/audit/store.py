"""The log's tree in the database: implements the library's `AuditStore` inside the caller's transaction."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import and_, false, func, insert, or_, select
from sqlalchemy.orm import Session

from provenance.audit import Checkpoint, Leaf, Node, Place, TreeError
from service.audit.tables import AuditCheckpoint, AuditLeaf, AuditNode
from service.platform.database import now

_CHUNK = 500  # places in one query; well under the limits on bound parameters


class SqlAuditStore:
    """The tree through a session. Reading needs no lock: what is stored never changes."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def size(self) -> int:
        """Return the number of leaves."""
        last = self._session.scalar(select(func.max(AuditLeaf.position)))
        return 0 if last is None else last + 1

    def hashes(self, places: Sequence[Place]) -> list[bytes]:
        """Return the hash at each place; raise TreeError where the database lacks one."""
        found: dict[Place, bytes] = {}
        for start in range(0, len(places), _CHUNK):
            chunk = places[start : start + _CHUNK]
            found |= self._leaf_hashes([place for place in chunk if place.level == 0])
            found |= self._node_hashes([place for place in chunk if place.level > 0])
        try:
            return [found[place] for place in places]
        except KeyError as error:
            raise TreeError(f"the database lacks the tree's node {error}") from error

    def append(self, first: int, leaves: Sequence[Leaf], nodes: Sequence[Node]) -> None:
        """Insert leaves and the nodes that they completed."""
        at = self._sequencing_time()
        rows = [
            {"position": first + offset, "event_id": leaf.name, "hash": leaf.hash, "sequenced_at": at}
            for offset, leaf in enumerate(leaves)
        ]
        if rows:
            self._session.execute(insert(AuditLeaf), rows)
        if nodes:
            self._session.execute(insert(AuditNode), [node._asdict() for node in nodes])

    def last_checkpoint(self) -> str | None:
        """Return the newest checkpoint's note, None before the first."""
        newest = select(AuditCheckpoint.note).order_by(AuditCheckpoint.id.desc()).limit(1)
        return self._session.scalar(newest)

    def add_checkpoint(self, checkpoint: Checkpoint, note: str) -> None:
        """Insert a signed checkpoint."""
        self._session.add(AuditCheckpoint(size=checkpoint.size, root=checkpoint.root, note=note, signed_at=now()))

    def _leaf_hashes(self, places: Sequence[Place]) -> dict[Place, bytes]:
        positions = [place.position for place in places]
        query = select(AuditLeaf.position, AuditLeaf.hash).where(AuditLeaf.position.in_(positions))
        rows = self._session.execute(query) if places else ()
        return {Place(0, position): digest for position, digest in rows}

    def _node_hashes(self, places: Sequence[Place]) -> dict[Place, bytes]:
        by_level: dict[int, list[int]] = defaultdict(list)
        for place in places:
            by_level[place.level].append(place.position)
        # One lookup in the primary key for each level; SQLite would scan the table for `(level, position) IN …`.
        wanted = [
            and_(AuditNode.level == level, AuditNode.position.in_(positions)) for level, positions in by_level.items()
        ]
        query = select(AuditNode.level, AuditNode.position, AuditNode.hash).where(or_(false(), *wanted))
        rows = self._session.execute(query) if wanted else ()
        return {Place(level, position): digest for level, position, digest in rows}

    def _sequencing_time(self) -> datetime:
        """Return the time for new leaves, never before the last leaf's, even if the clock was set back."""
        last = select(AuditLeaf.sequenced_at).order_by(AuditLeaf.position.desc()).limit(1)
        before = self._session.scalar(last)
        return max(now(), before) if before else now()
