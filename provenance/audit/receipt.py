"""Receipts (c2sp.org/tlog-proof): one text that proves offline that a leaf is in the log."""

from collections.abc import Sequence
from dataclasses import dataclass

from provenance.audit.checkpoint import Checkpoint
from provenance.audit.encoding import from_base64, from_decimal, to_base64
from provenance.audit.errors import ProofError
from provenance.audit.log import open_checkpoint
from provenance.audit.merkle import HASH_SIZE, check_inclusion, leaf_hash
from provenance.audit.signers import LogVerifier

HEADER = "c2sp.org/tlog-proof@v1"
MEDIA_TYPE = "text/plain; charset=utf-8"
SUFFIX = ".tlog-proof"
_MAX_STEPS = 63  # the height of a tree of 2**63 leaves


@dataclass(frozen=True)
class Receipt:
    """A leaf's index, proof and signed checkpoint, and the leaf's own bytes as the format's extra data."""

    index: int
    proof: tuple[bytes, ...]
    checkpoint: str
    leaf: bytes | None = None

    def __str__(self) -> str:
        extra = [] if self.leaf is None else [f"extra {to_base64(self.leaf)}"]
        steps = [to_base64(step) for step in self.proof]
        return "\n".join([HEADER, *extra, f"index {self.index}", *steps, "", self.checkpoint])

    @classmethod
    def parse(cls, text: str) -> "Receipt":
        """Read a receipt; raise ProofError where it is malformed. Nothing is proven yet."""
        head, blank, checkpoint = text.partition("\n\n")
        lines = head.split("\n")
        if lines[0] != HEADER or not blank:
            raise ProofError(f"a receipt begins with {HEADER} and ends with a checkpoint")
        try:
            leaf = None
            if lines[1:] and lines[1].startswith("extra "):
                leaf = from_base64(lines.pop(1).removeprefix("extra "))
            if not lines[1:] or not lines[1].startswith("index "):
                raise ProofError("a receipt needs an index line")
            index = from_decimal(lines[1].removeprefix("index "))
            proof = tuple(from_base64(line) for line in lines[2:])
        except ValueError as error:
            raise ProofError(f"a line of the receipt is {error}") from error
        if len(proof) > _MAX_STEPS or any(len(step) != HASH_SIZE for step in proof):
            raise ProofError("a step of the receipt's proof is not a SHA-256 hash")
        return cls(index, proof, checkpoint, leaf)


def verify_receipt(
    text: str, origin: str, verifiers: Sequence[LogVerifier], leaf: bytes | None = None
) -> tuple[Receipt, Checkpoint]:
    """Check a receipt offline against the log's known keys; return it with the checkpoint that it leads to.

    `leaf` are the leaf's bytes if the caller has them; otherwise those in the receipt are used, which the
    proof then authenticates. Raises ProofError or NoteError where anything is wrong.
    """
    receipt = Receipt.parse(text)
    data = receipt.leaf if leaf is None else leaf
    if data is None:
        raise ProofError("the receipt does not carry the leaf, and none was given")
    if receipt.leaf not in (None, data):
        raise ProofError("the receipt is for another leaf")
    checkpoint = open_checkpoint(receipt.checkpoint, origin, verifiers).checkpoint
    check_inclusion(receipt.index, checkpoint.size, leaf_hash(data), receipt.proof, checkpoint.root)
    return receipt, checkpoint
