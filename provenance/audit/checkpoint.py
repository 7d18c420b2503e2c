"""Checkpoints (c2sp.org/tlog-checkpoint): the size and root of the log, to be signed as a note."""

from dataclasses import dataclass

from provenance.audit.encoding import from_base64, from_decimal, to_base64
from provenance.audit.errors import ProofError
from provenance.audit.merkle import HASH_SIZE

_LINES = 3  # this log writes no extension lines and reads none: nobody could audit them


@dataclass(frozen=True)
class Checkpoint:
    """The state of the log `origin`: `size` leaves under the 32-byte `root`."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """Return the text that gets signed."""
        return f"{self.origin}\n{self.size}\n{to_base64(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Read a note's text as a checkpoint; raise ProofError where it is none."""
        lines = text.removesuffix("\n").split("\n")
        if not text.endswith("\n") or len(lines) != _LINES or not lines[0]:
            raise ProofError("a checkpoint has three lines: origin, size and root")
        try:
            size, root = from_decimal(lines[1]), from_base64(lines[2])
        except ValueError as error:
            raise ProofError(f"the checkpoint's size or root is {error}") from error
        if len(root) != HASH_SIZE:
            raise ProofError("the checkpoint's root is not a SHA-256 hash")
        return cls(lines[0], size, root)
