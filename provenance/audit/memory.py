"""A log in memory, for tests and for trying things out."""

from collections.abc import Sequence

from provenance.audit.checkpoint import Checkpoint
from provenance.audit.errors import TreeError
from provenance.audit.log import Leaf
from provenance.audit.merkle import Node
from provenance.audit.tree import Place


class MemoryStore:
    """Implements AuditStore with dictionaries."""

    def __init__(self) -> None:
        self.leaves: list[Leaf] = []
        self.nodes: dict[Place, bytes] = {}
        self.checkpoints: list[str] = []

    def size(self) -> int:
        """Return the number of leaves."""
        return len(self.leaves)

    def hashes(self, places: Sequence[Place]) -> list[bytes]:
        """Return the hash at each place."""
        try:
            return [self.nodes[place] for place in places]
        except KeyError as error:
            raise TreeError(f"the tree lacks the node {error}") from error

    def append(self, first: int, leaves: Sequence[Leaf], nodes: Sequence[Node]) -> None:
        """Keep leaves and the nodes that they completed."""
        if first != len(self.leaves):
            raise TreeError(f"leaf {first} does not follow the {len(self.leaves)} there are")
        self.leaves.extend(leaves)
        self.nodes |= {Place(0, first + offset): leaf.hash for offset, leaf in enumerate(leaves)}
        self.nodes |= {Place(node.level, node.position): node.hash for node in nodes}

    def last_checkpoint(self) -> str | None:
        """Return the newest checkpoint's note."""
        return self.checkpoints[-1] if self.checkpoints else None

    def add_checkpoint(self, checkpoint: Checkpoint, note: str) -> None:
        """Keep a signed checkpoint."""
        self.checkpoints.append(note)
