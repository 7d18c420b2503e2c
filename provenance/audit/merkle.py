"""The Merkle tree of RFC 6962 and 9162: hashes, the growing edge, and checking of proofs.

A complete subtree is named by its level and position: level 0 is a leaf, and the node at (level, position)
covers the leaves from position * 2**level to (position + 1) * 2**level, exclusive. Every hash is SHA-256.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from provenance.audit.errors import ProofError

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()  # RFC 6962, 2.1: the hash of an empty list


class Node(NamedTuple):
    """A complete subtree and its hash."""

    level: int
    position: int
    hash: bytes


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf's bytes."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of the node above `left` and `right`."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def fold(hashes: Sequence[bytes]) -> bytes:
    """Join complete subtrees, ordered from left (largest) to right (smallest), into one root."""
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root


class Frontier:
    """The right edge of a tree: all that is needed to grow it and to know its root.

    `size` is the number of leaves; `peaks` are the hashes of the complete subtrees, one for each set bit
    of the size, the largest first.
    """

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        self.size = size
        self.peaks = list(peaks)
        if size < 0 or len(self.peaks) != size.bit_count():
            raise ProofError(f"a tree of {size} leaves does not have {len(self.peaks)} peaks")

    def push(self, leaf: bytes) -> list[Node]:
        """Append a leaf hash; return the nodes above level 0 that this completed, the lowest first."""
        return self.push_subtree(0, leaf)

    def push_subtree(self, level: int, subtree: bytes) -> list[Node]:
        """Append a complete subtree of 2**level leaves; the size must be a multiple of that."""
        index, rest = divmod(self.size, 1 << level)
        if rest:
            raise ProofError(f"a subtree of level {level} cannot follow leaf {self.size}")
        self.size += 1 << level
        completed = []
        while index & 1:
            subtree = node_hash(self.peaks.pop(), subtree)
            index, level = index >> 1, level + 1
            completed.append(Node(level, index, subtree))
        self.peaks.append(subtree)
        return completed

    def root(self) -> bytes:
        """Return the root of the tree as it stands."""
        return fold(self.peaks) if self.peaks else EMPTY_ROOT


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Return the root over leaf hashes."""
    edge = Frontier()
    for leaf in leaves:
        edge.push(leaf)
    return edge.root()


def root_from_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes]) -> bytes:
    """Return the root that an inclusion proof leads to (RFC 9162, 2.1.3.2).

    `leaf` is the leaf's hash, `proof` goes from its sibling up. Raises ProofError where the length is wrong.
    """
    if not 0 <= index < size:
        raise ProofError(f"leaf {index} is not in a tree of {size} leaves")
    position, last, root = index, size - 1, leaf
    for step in proof:
        if last == 0:
            raise ProofError("the inclusion proof is too long")
        if position & 1 or position == last:
            root = node_hash(step, root)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            root = node_hash(root, step)
        position, last = position >> 1, last >> 1
    if last:
        raise ProofError("the inclusion proof is too short")
    return root


def check_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Raise ProofError unless `proof` shows the leaf hash `leaf` at `index` of the tree `size`, `root`."""
    if root_from_inclusion(index, size, leaf, proof) != root:
        raise ProofError(f"the inclusion proof of leaf {index} does not lead to the root")


def check_consistency(old_size: int, new_size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Raise ProofError unless the new tree begins with all leaves of the old one (RFC 9162, 2.1.4.2).

    Every tree extends the empty one; that and a tree against itself take an empty proof.
    """
    if not 0 <= old_size <= new_size:
        raise ProofError(f"a tree of {new_size} leaves cannot extend one of {old_size}")
    if old_size in (0, new_size):
        expected = EMPTY_ROOT if old_size == 0 else new_root
        if proof or old_root != expected:
            raise ProofError(f"the trees of {old_size} and {new_size} leaves are not consistent")
        return
    steps = list(proof)
    if old_size & (old_size - 1) == 0:  # a power of two: the old root itself is the first step
        steps.insert(0, old_root)
    if not steps:
        raise ProofError("the consistency proof is too short")
    if _roots_from_consistency(old_size, new_size, steps) != (old_root, new_root):
        raise ProofError(f"the trees of {old_size} and {new_size} leaves are not consistent")


def _roots_from_consistency(old_size: int, new_size: int, steps: Sequence[bytes]) -> tuple[bytes, bytes]:
    position, last = old_size - 1, new_size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            raise ProofError("the consistency proof is too long")
        if position & 1 or position == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new = node_hash(new, step)
        position, last = position >> 1, last >> 1
    if last:
        raise ProofError("the consistency proof is too short")
    return old, new
