"""The log itself: it appends leaves and signs checkpoints, and never signs two that disagree."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from provenance.audit.checkpoint import Checkpoint
from provenance.audit.errors import ForkError, NoteError, ProofError, TreeError
from provenance.audit.merkle import Node, check_consistency
from provenance.audit.note import open_note, sign_note
from provenance.audit.signers import LogSigner, LogVerifier
from provenance.audit.tree import NodeSource, Tree


class Leaf(NamedTuple):
    """A leaf to append: the store's own name for it (an event's id) and its 32-byte leaf hash."""

    name: str
    hash: bytes


class AuditStore(NodeSource, Protocol):
    """Where a log lives. The caller holds whatever lock keeps others from appending meanwhile."""

    def size(self) -> int:
        """Return the number of leaves."""

    def append(self, first: int, leaves: Sequence[Leaf], nodes: Sequence[Node]) -> None:
        """Keep leaves at the indexes from `first` on, and the nodes above level 0 that they completed."""

    def last_checkpoint(self) -> str | None:
        """Return the note of the newest checkpoint, None before the first."""

    def add_checkpoint(self, checkpoint: Checkpoint, note: str) -> None:
        """Keep a signed checkpoint."""


class CheckpointMemory(Protocol):
    """A second place, outside the store, that remembers the last signed checkpoint."""

    def recall(self) -> str | None:
        """Return the last note, None before the first."""

    def remember(self, note: str) -> None:
        """Keep a note durably."""


@dataclass(frozen=True)
class SignedCheckpoint:
    """A checkpoint and the signed note that states it."""

    checkpoint: Checkpoint
    note: str


def open_checkpoint(note: str, origin: str, verifiers: Sequence[LogVerifier]) -> SignedCheckpoint:
    """Return the checkpoint in `note`.

    Raises NoteError unless each given kind of key (Ed25519, ML-DSA-44) signed it, ProofError where it is
    not a checkpoint of the log `origin`.
    """
    opened, signed = open_note(note, verifiers)
    missing = {type(verifier) for verifier in verifiers} - {type(verifier) for verifier in signed}
    if missing:
        raise NoteError(f"the checkpoint lacks a signature of {min(kind.__name__ for kind in missing)}")
    checkpoint = Checkpoint.parse(opened.text)
    if checkpoint.origin != origin:
        raise ProofError(f"the checkpoint is of the log {checkpoint.origin}, not {origin}")
    return SignedCheckpoint(checkpoint, str(opened))


def append_leaves(store: AuditStore, leaves: Sequence[Leaf]) -> int:
    """Append leaves in this order and the nodes above them; return the index of the first."""
    first = store.size()
    edge = Tree(store).frontier(first)
    store.append(first, leaves, [node for leaf in leaves for node in edge.push(leaf.hash)])
    return first


class AuditLog:
    """One append-only log called `origin`, over a store, signing with `signers`.

    `earlier` are public keys that signed before a change of keys; `memory` guards against a store that was
    set back, for instance from a backup.
    """

    def __init__(
        self,
        store: AuditStore,
        origin: str,
        signers: Sequence[LogSigner],
        *,
        memory: CheckpointMemory | None = None,
        earlier: Sequence[LogVerifier] = (),
    ) -> None:
        self.origin = origin
        self.tree = Tree(store)
        self._store = store
        self._signers = signers
        self._memory = memory
        self._verifiers = [*(signer.verifier for signer in signers), *earlier]

    def append(self, leaves: Sequence[Leaf]) -> int:
        """Append leaves in this order; return the index of the first."""
        return append_leaves(self._store, leaves)

    def checkpoint(self) -> SignedCheckpoint:
        """Return a signed checkpoint of all leaves, the stored one if nothing was appended since.

        Raises ForkError if the tree no longer contains an earlier signed checkpoint. Call it only when the
        leaves are committed: once signed they must never vanish.
        """
        size = self._store.size()
        current = Checkpoint(self.origin, size, self.tree.root(size))
        stored = self._store.last_checkpoint()
        for note in (stored, self._memory.recall() if self._memory else None):
            if note is not None:
                self._check_extends(note, current)
        if stored is not None and Checkpoint.parse(open_note(stored, self._verifiers)[0].text) == current:
            return SignedCheckpoint(current, stored)
        note = str(sign_note(current.text(), self._signers))
        if self._memory:
            self._memory.remember(note)
        self._store.add_checkpoint(current, note)
        return SignedCheckpoint(current, note)

    def _check_extends(self, note: str, current: Checkpoint) -> None:
        try:
            earlier = Checkpoint.parse(open_note(note, self._verifiers)[0].text)
            if earlier.origin != self.origin:
                raise ForkError(f"the last checkpoint is of the log {earlier.origin}, not {self.origin}")
            if earlier.size > current.size:
                raise ForkError(f"the log shrank from {earlier.size} to {current.size} leaves; restore the rest")
            proof = self.tree.consistency(earlier.size, current.size)
            check_consistency(earlier.size, current.size, earlier.root, current.root, proof)
        except (NoteError, ProofError, TreeError) as error:
            raise ForkError(f"the log contradicts its last checkpoint: {error}") from error
