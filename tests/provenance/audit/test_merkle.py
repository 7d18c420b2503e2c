"""The tree: against the vectors of RFC 6962's reference implementation, and as properties."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.audit import MemoryStore, Place, ProofError, Tree, TreeError
from provenance.audit.log import Leaf, append_leaves
from provenance.audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    check_consistency,
    check_inclusion,
    leaf_hash,
    node_hash,
    root_of,
)
from provenance.audit.tree import complete_subtrees

LARGEST = 70
SIZES = st.integers(0, LARGEST)

# From the tests of google/certificate-transparency, the implementation that RFC 6962 came with.
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def _hashes(size: int) -> list[bytes]:
    return [leaf_hash(str(number).encode()) for number in range(size)]


@pytest.fixture(scope="module")
def tree() -> Tree:
    store = MemoryStore()
    append_leaves(store, [Leaf(str(number), digest) for number, digest in enumerate(_hashes(LARGEST))])
    return Tree(store)


@pytest.fixture(scope="module")
def roots() -> list[bytes]:
    """The root of every size, by the recursive definition of RFC 6962, 2.1."""

    def root(hashes: list[bytes]) -> bytes:
        if len(hashes) <= 1:
            return hashes[0] if hashes else hashlib.sha256(b"").digest()
        half = 1
        while half * 2 < len(hashes):
            half *= 2
        return node_hash(root(hashes[:half]), root(hashes[half:]))

    return [root(_hashes(size)) for size in range(LARGEST + 1)]


@pytest.mark.parametrize("size", range(9))
def test_the_roots_are_those_of_the_reference_implementation(size: int) -> None:
    assert root_of(leaf_hash(leaf) for leaf in LEAVES[:size]).hex() == ROOTS[size]


def test_the_proofs_are_those_of_the_reference_implementation() -> None:
    store = MemoryStore()
    append_leaves(store, [Leaf("", leaf_hash(leaf)) for leaf in LEAVES])
    path = [step.hex() for step in Tree(store).inclusion(0, 8)]
    assert path == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]
    assert [step.hex() for step in Tree(store).consistency(1, 8)] == path


def test_stored_nodes_give_the_root_of_every_earlier_size(tree: Tree, roots: list[bytes]) -> None:
    assert [tree.root(size) for size in range(LARGEST + 1)] == roots


def test_every_leaf_of_every_size_has_a_proof_that_verifies(tree: Tree, roots: list[bytes]) -> None:
    for size in range(1, LARGEST + 1):
        for index, leaf in enumerate(_hashes(size)):
            check_inclusion(index, size, leaf, tree.inclusion(index, size), roots[size])


def test_every_two_sizes_have_a_consistency_proof_that_verifies(tree: Tree, roots: list[bytes]) -> None:
    for new in range(LARGEST + 1):
        for old in range(new + 1):
            check_consistency(old, new, roots[old], roots[new], tree.consistency(old, new))


def _broken(proof: list[bytes], data: st.DataObject) -> list[bytes]:
    """A proof that differs from the given one: a bit flipped, a step lost, doubled, added or moved."""
    how = data.draw(st.sampled_from(["flip", "lose", "double", "swap", "add"] if proof else ["add"]))
    at = data.draw(st.integers(0, max(0, len(proof) - 1)))
    broken = list(proof)
    if how == "flip":
        byte, bit = data.draw(st.integers(0, 31)), data.draw(st.integers(0, 7))
        broken[at] = bytes(b ^ (1 << bit if i == byte else 0) for i, b in enumerate(broken[at]))
    elif how == "lose":
        del broken[at]
    elif how == "double":
        broken.insert(at, broken[at])
    elif how == "swap":
        broken[at], broken[0] = broken[0], broken[at]
    else:
        broken.insert(data.draw(st.integers(0, len(broken))), data.draw(st.binary(min_size=32, max_size=32)))
    return broken


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_changed_inclusion_proof_never_verifies(tree: Tree, roots: list[bytes], data: st.DataObject) -> None:
    size = data.draw(st.integers(1, LARGEST))
    index = data.draw(st.integers(0, size - 1))
    proof, leaf = tree.inclusion(index, size), _hashes(size)[index]
    broken = _broken(proof, data)
    if broken != proof:
        with pytest.raises(ProofError):
            check_inclusion(index, size, leaf, broken, roots[size])
    other = data.draw(SIZES)
    if other != index:
        with pytest.raises(ProofError):
            check_inclusion(other, size, leaf, proof, roots[size])
    with pytest.raises(ProofError):
        check_inclusion(index, size, leaf_hash(b"another leaf"), proof, roots[size])


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_changed_consistency_proof_never_verifies(tree: Tree, roots: list[bytes], data: st.DataObject) -> None:
    new = data.draw(SIZES)
    old = data.draw(st.integers(0, new))
    proof = tree.consistency(old, new)
    broken = _broken(proof, data)
    if broken != proof:
        with pytest.raises(ProofError):
            check_consistency(old, new, roots[old], roots[new], broken)
    wrong = hashlib.sha256(b"another root").digest()
    with pytest.raises(ProofError):
        check_consistency(old, new, wrong, roots[new], proof)
    if old:
        with pytest.raises(ProofError):
            check_consistency(old, new, roots[old], wrong, proof)


@given(start=SIZES, length=SIZES)
def test_complete_subtrees_grow_a_tree_exactly_to_its_end(start: int, length: int) -> None:
    leaves = _hashes(start + length)
    edge = Frontier()
    for leaf in leaves[:start]:
        edge.push(leaf)
    for level, position in complete_subtrees(start, start + length):
        covered = leaves[position << level : (position + 1) << level]
        edge.push_subtree(level, root_of(covered))
    assert (edge.size, edge.root()) == (start + length, root_of(leaves))


@given(st.lists(st.integers(0, 9), max_size=12))
def test_batches_of_any_size_give_the_same_tree(batches: list[int]) -> None:
    store, leaves = MemoryStore(), _hashes(sum(batches))
    for batch in batches:
        first = store.size()
        append_leaves(store, [Leaf("", leaf) for leaf in leaves[first : first + batch]])
    assert Tree(store).root(len(leaves)) == root_of(leaves)
    interior = len(leaves) - len(leaves).bit_count()
    assert len(store.nodes) == len(leaves) + interior


def test_a_subtree_may_only_follow_where_it_is_aligned() -> None:
    with pytest.raises(ProofError):
        Frontier(1, [leaf_hash(b"")]).push_subtree(1, EMPTY_ROOT)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3)])
def test_a_leaf_outside_the_tree_has_no_proof(tree: Tree, index: int, size: int) -> None:
    with pytest.raises(ProofError):
        tree.inclusion(index, size)
    with pytest.raises(ProofError):
        check_inclusion(index, size, EMPTY_ROOT, [], EMPTY_ROOT)


def test_a_tree_does_not_shrink(tree: Tree) -> None:
    with pytest.raises(ProofError):
        tree.consistency(5, 4)
    with pytest.raises(ProofError):
        check_consistency(5, 4, EMPTY_ROOT, EMPTY_ROOT, [])


def test_a_missing_node_is_named(tree: Tree) -> None:
    with pytest.raises(TreeError, match="level=0, position=70"):
        tree.root(LARGEST + 1)
    assert Place(0, LARGEST) == (0, LARGEST)
