"""A log with fixed keys, and ways to fill it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from provenance.audit import AuditLog, Ed25519Signer, Leaf, LogSigner, MemoryStore, MlDsa44Signer, leaf_hash

ORIGIN = "log.example/audit"
Fill = Callable[[AuditLog, int], list[bytes]]


@pytest.fixture(scope="session")
def origin() -> str:
    return ORIGIN


@pytest.fixture(scope="session")
def signers() -> tuple[LogSigner, ...]:
    return (
        Ed25519Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(range(32)))),
        MlDsa44Signer(ORIGIN, MLDSA44PrivateKey.from_seed_bytes(bytes(range(32))), lambda: 1_800_000_000),
    )


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def log(store: MemoryStore, signers: tuple[LogSigner, ...]) -> AuditLog:
    return AuditLog(store, ORIGIN, signers)


@pytest.fixture
def fill() -> Fill:
    """Append so many new leaves and return their bytes."""

    def append(log: AuditLog, count: int) -> list[bytes]:
        first = log.append([])
        leaves = [f"event {first + number}".encode() for number in range(count)]
        log.append([Leaf(f"evt_{first + n}", leaf_hash(leaf)) for n, leaf in enumerate(leaves)])
        return leaves

    return append
