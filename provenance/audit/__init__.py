"""A tamper-evident log: a Merkle tree (RFC 6962) with signed checkpoints and receipts that verify offline.

`AuditLog` appends and signs over any `AuditStore`; `verify_receipt` and the standalone `bundle_verify` check.
"""

from provenance.audit.canonical import canonical_json
from provenance.audit.checkpoint import Checkpoint
from provenance.audit.errors import AuditError, ForkError, KeyFileError, NoteError, ProofError, TreeError
from provenance.audit.keys import CheckpointFile, LogKeys
from provenance.audit.log import (
    AuditLog,
    AuditStore,
    CheckpointMemory,
    Leaf,
    SignedCheckpoint,
    append_leaves,
    open_checkpoint,
)
from provenance.audit.memory import MemoryStore
from provenance.audit.merkle import Frontier, Node, check_consistency, check_inclusion, leaf_hash
from provenance.audit.note import Note, open_note, parse_note, sign_note
from provenance.audit.receipt import Receipt, verify_receipt
from provenance.audit.signers import (
    Ed25519Signer,
    Ed25519Verifier,
    LogSigner,
    LogVerifier,
    MlDsa44Signer,
    MlDsa44Verifier,
    parse_vkey,
)
from provenance.audit.tree import Place, Tree

__all__ = [
    "AuditError",
    "AuditLog",
    "AuditStore",
    "Checkpoint",
    "CheckpointFile",
    "CheckpointMemory",
    "Ed25519Signer",
    "Ed25519Verifier",
    "ForkError",
    "Frontier",
    "KeyFileError",
    "Leaf",
    "LogKeys",
    "LogSigner",
    "LogVerifier",
    "MemoryStore",
    "MlDsa44Signer",
    "MlDsa44Verifier",
    "Node",
    "Note",
    "NoteError",
    "Place",
    "ProofError",
    "Receipt",
    "SignedCheckpoint",
    "Tree",
    "TreeError",
    "append_leaves",
    "canonical_json",
    "check_consistency",
    "check_inclusion",
    "leaf_hash",
    "open_checkpoint",
    "open_note",
    "parse_note",
    "parse_vkey",
    "sign_note",
    "verify_receipt",
]
