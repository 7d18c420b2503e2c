"""A Merkle tree over stored nodes: roots and proofs of any size that the log has had.

Only complete subtrees are stored. Whatever else a proof needs (the ragged right edge) is folded from them.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from provenance.audit.errors import ProofError
from provenance.audit.merkle import EMPTY_ROOT, Frontier, fold


class Place(NamedTuple):
    """The position of a complete subtree; (0, n) is leaf n."""

    level: int
    position: int


class NodeSource(Protocol):
    """Where the hashes of complete subtrees are kept."""

    def hashes(self, places: Sequence[Place]) -> list[bytes]:
        """Return the hash at each place, in order; raise TreeError where one is missing."""


class Span(NamedTuple):
    """The leaves from `start` to `end`, exclusive."""

    start: int
    end: int


def complete_subtrees(start: int, end: int) -> list[Place]:
    """Return the largest complete subtrees that together cover the leaves from `start` to `end`."""
    places = []
    while start < end:
        fits = (end - start).bit_length() - 1
        level = min(fits, (start & -start).bit_length() - 1) if start else fits
        places.append(Place(level, start >> level))
        start += 1 << level
    return places


def inclusion_spans(index: int, size: int) -> list[Span]:
    """Return what each step of the inclusion proof covers, from the leaf's sibling up (RFC 9162, 2.1.3.1)."""
    spans, start, end = [], 0, size
    while end - start > 1:
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        if index < middle:
            spans.append(Span(middle, end))
            end = middle
        else:
            spans.append(Span(start, middle))
            start = middle
    return spans[::-1]


def consistency_spans(old: int, new: int) -> list[Span]:
    """Return what each step of the consistency proof covers, in its order (RFC 9162, 2.1.4.1)."""
    if old in (0, new):
        return []
    spans, start, end = [], 0, new
    while old != end:
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        if old <= middle:
            spans.append(Span(middle, end))
            end = middle
        else:
            spans.append(Span(start, middle))
            start = middle
    if start:  # otherwise this subtree is the whole old tree, whose root the verifier has
        spans.append(Span(start, end))
    return spans[::-1]


class Tree:
    """Roots and proofs out of stored nodes. `size` arguments may be any size the log has reached."""

    def __init__(self, nodes: NodeSource) -> None:
        self._nodes = nodes

    def frontier(self, size: int) -> Frontier:
        """Return the right edge of the tree of `size` leaves."""
        return Frontier(size, self._nodes.hashes(complete_subtrees(0, size)))

    def root(self, size: int) -> bytes:
        """Return the root of the tree of `size` leaves."""
        return self.frontier(size).root() if size else EMPTY_ROOT

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Return the proof that leaf `index` is in the tree of `size` leaves."""
        if not 0 <= index < size:
            raise ProofError(f"leaf {index} is not in a tree of {size} leaves")
        return self._fold_spans(inclusion_spans(index, size))

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Return the proof that the tree of `new` leaves begins with the tree of `old` leaves."""
        if not 0 <= old <= new:
            raise ProofError(f"a tree of {new} leaves cannot extend one of {old}")
        return self._fold_spans(consistency_spans(old, new))

    def rest(self, start: int, end: int) -> list[bytes]:
        """Return the hashes of `complete_subtrees(start, end)`, which grow a tree from `start` to `end`."""
        return self._nodes.hashes(complete_subtrees(start, end))

    def _fold_spans(self, spans: Sequence[Span]) -> list[bytes]:
        parts = [complete_subtrees(*span) for span in spans]
        found = iter(self._nodes.hashes([place for part in parts for place in part]))
        return [fold([next(found) for _ in part]) for part in parts]
