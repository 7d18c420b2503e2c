"""What can go wrong with the audit log and its proofs."""


class AuditError(Exception):
    """Base of everything that this package raises."""


class NoteError(AuditError):
    """A signed note is malformed, or no trusted key signed it, or a trusted key's signature is wrong."""


class ProofError(AuditError):
    """A proof, receipt or checkpoint is malformed or does not prove what it claims."""


class TreeError(AuditError):
    """The store does not hold the nodes that a tree of its size must have."""


class ForkError(AuditError):
    """Signing would contradict a checkpoint that this log signed before: the history was changed."""


class KeyFileError(AuditError):
    """The log's key file is damaged or open to other users."""
