"""The log's private keys in a folder, and the memory of what they signed last."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from provenance.audit.encoding import from_base64, to_base64
from provenance.audit.errors import KeyFileError
from provenance.audit.files import replace, write_new
from provenance.audit.signers import Ed25519Signer, LogSigner, LogVerifier, MlDsa44Signer

_FORMAT = "assent-log-keys/1"
_KEYS = "log-keys.json"
_LAST = "last-checkpoint"


@dataclass(frozen=True)
class LogKeys:
    """The key pair of the log `origin`, kept in `folder`."""

    origin: str
    folder: Path
    ed25519: Ed25519PrivateKey = field(repr=False)
    ml_dsa_44: MLDSA44PrivateKey = field(repr=False)

    @classmethod
    def open(cls, folder: Path, origin: str) -> "LogKeys":
        """Load the keys in `folder`, or make them. Processes that start together end with the same keys.

        Raises KeyFileError where the file is damaged or other users can read it.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / _KEYS
        if not path.exists():
            write_new(path, _fresh_keys())
        if path.stat().st_mode & 0o077:
            raise KeyFileError(f"other users can read {path}: chmod 600 it")
        try:
            stored = json.loads(path.read_bytes())
            if stored["format"] != _FORMAT:
                raise KeyFileError(f"{path} is not of the format {_FORMAT}")
            ed25519 = Ed25519PrivateKey.from_private_bytes(from_base64(stored["ed25519"]))
            ml_dsa_44 = MLDSA44PrivateKey.from_seed_bytes(from_base64(stored["ml_dsa_44"]))
        except (ValueError, KeyError, TypeError) as error:
            raise KeyFileError(f"{path} is damaged") from error
        return cls(origin, folder, ed25519, ml_dsa_44)

    @property
    def signers(self) -> tuple[LogSigner, ...]:
        """Both keys, to sign with."""
        return Ed25519Signer(self.origin, self.ed25519), MlDsa44Signer(self.origin, self.ml_dsa_44)

    @property
    def verifiers(self) -> tuple[LogVerifier, ...]:
        """Both public keys."""
        return tuple(signer.verifier for signer in self.signers)

    @property
    def memory(self) -> "CheckpointFile":
        """The file beside the keys that holds the last checkpoint they signed."""
        return CheckpointFile(self.folder / _LAST)


@dataclass(frozen=True)
class CheckpointFile:
    """Remembers the last signed checkpoint outside the database, so that a restored backup is noticed."""

    path: Path

    def recall(self) -> str | None:
        """Return the last checkpoint's note, None before the first."""
        return self.path.read_text(encoding="utf-8") if self.path.exists() else None

    def remember(self, note: str) -> None:
        """Keep `note`; it is on disk when this returns."""
        replace(self.path, note.encode())


def _fresh_keys() -> bytes:
    keys = {
        "format": _FORMAT,
        "ed25519": to_base64(Ed25519PrivateKey.generate().private_bytes_raw()),
        "ml_dsa_44": to_base64(MLDSA44PrivateKey.generate().private_bytes_raw()),
    }
    return (json.dumps(keys, indent=2) + "\n").encode()
