"""The keys of a log: Ed25519 and, to outlive quantum attacks, ML-DSA-44, in the forms that C2SP gives them.

Ed25519 signs a note's text (signature type 0x01). ML-DSA-44 (type 0x06, c2sp.org/tlog-cosignature) signs a
structure of the checkpoint's values together with the time, so it can sign checkpoints only.
"""

import hashlib
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from provenance.audit.checkpoint import Checkpoint
from provenance.audit.encoding import from_base64, to_base64
from provenance.audit.errors import NoteError, ProofError
from provenance.audit.note import KEY_ID_SIZE, NoteVerifier, check_name

ED25519 = 0x01
ML_DSA_44 = 0x06
_COSIGNATURE_LABEL = b"subtree/v1\n\0"
_TIME_SIZE = 8
_MAX_TIME = (1 << 63) - 1


def key_id(name: str, kind: int, public: bytes) -> bytes:
    """Return the 4-byte id of a key: SHA-256(name, newline, signature type, public key)[:4]."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:KEY_ID_SIZE]


def cosigned_message(name: str, timestamp: int, checkpoint: Checkpoint) -> bytes:
    """Return what ML-DSA-44 signs: the cosigner, its time (seconds), the log's origin, size and root."""
    signer, origin = name.encode(), checkpoint.origin.encode()
    if not (0 < len(signer) < 256 and 0 < len(origin) < 256 and 0 <= timestamp <= _MAX_TIME):
        raise NoteError("a cosigner's name and origin take 1 to 255 bytes, its time less than 2**63")
    return b"".join(
        (
            _COSIGNATURE_LABEL,
            bytes([len(signer)]) + signer,
            struct.pack(">Q", timestamp),
            bytes([len(origin)]) + origin,
            struct.pack(">QQ", 0, checkpoint.size),
            checkpoint.root,
        )
    )


@dataclass(frozen=True)
class Ed25519Verifier:
    """An Ed25519 public key (32 bytes) under a name."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        """The key's 4-byte id."""
        return key_id(self.name, ED25519, self.public)

    def verify(self, text: str, signature: bytes) -> bool:
        """Say whether `signature` is this key's over the text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True

    def vkey(self) -> str:
        """Return the key as text: name, id, type and public key."""
        return _vkey(self.name, self.key_id, ED25519, self.public)


@dataclass(frozen=True)
class MlDsa44Verifier:
    """An ML-DSA-44 public key (1312 bytes) under a name."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        """The key's 4-byte id."""
        return key_id(self.name, ML_DSA_44, self.public)

    def verify(self, text: str, signature: bytes) -> bool:
        """Say whether `signature` (time and ML-DSA signature) is this key's over the checkpoint `text`."""
        if len(signature) <= _TIME_SIZE:
            return False
        timestamp = int.from_bytes(signature[:_TIME_SIZE], "big")
        try:
            message = cosigned_message(self.name, timestamp, Checkpoint.parse(text))
            MLDSA44PublicKey.from_public_bytes(self.public).verify(signature[_TIME_SIZE:], message)
        except (InvalidSignature, ProofError, NoteError):
            return False
        return True

    def vkey(self) -> str:
        """Return the key as text: name, id, type and public key."""
        return _vkey(self.name, self.key_id, ML_DSA_44, self.public)


LogVerifier = Ed25519Verifier | MlDsa44Verifier


@dataclass(frozen=True)
class Ed25519Signer:
    """Signs notes with an Ed25519 key."""

    name: str
    private: Ed25519PrivateKey

    @property
    def verifier(self) -> Ed25519Verifier:
        """The public half."""
        return Ed25519Verifier(self.name, self.private.public_key().public_bytes_raw())

    @property
    def key_id(self) -> bytes:
        """The key's 4-byte id."""
        return self.verifier.key_id

    def sign(self, text: str) -> bytes:
        """Return the 64-byte signature over the text."""
        return self.private.sign(text.encode())


@dataclass(frozen=True)
class MlDsa44Signer:
    """Signs checkpoints with an ML-DSA-44 key at the time that `clock` tells (seconds since 1970)."""

    name: str
    private: MLDSA44PrivateKey
    clock: Callable[[], float] = time.time

    @property
    def verifier(self) -> MlDsa44Verifier:
        """The public half."""
        return MlDsa44Verifier(self.name, self.private.public_key().public_bytes_raw())

    @property
    def key_id(self) -> bytes:
        """The key's 4-byte id."""
        return self.verifier.key_id

    def sign(self, text: str) -> bytes:
        """Return 8 bytes of time and the signature; raise ProofError where the text is no checkpoint."""
        now = int(self.clock())
        message = cosigned_message(self.name, now, Checkpoint.parse(text))
        return struct.pack(">Q", now) + self.private.sign(message)


LogSigner = Ed25519Signer | MlDsa44Signer


def parse_vkey(text: str) -> LogVerifier:
    """Read a key written by `vkey()`; raise NoteError where it is malformed or of an unknown type."""
    name, _, rest = text.partition("+")
    identity, _, encoded = rest.partition("+")
    try:
        material = from_base64(encoded)
    except ValueError as error:
        raise NoteError(f"a verifier key is {error}") from error
    lengths = {ED25519: 32, ML_DSA_44: 1312}
    if not material or lengths.get(material[0]) != len(material) - 1:
        raise NoteError("a verifier key is of an unknown type or length")
    kind = Ed25519Verifier if material[0] == ED25519 else MlDsa44Verifier
    verifier = kind(check_name(name), material[1:])
    if verifier.key_id.hex() != identity:
        raise NoteError("a verifier key does not have the id that it states")
    return verifier


def trusted_time(verifier: NoteVerifier, signature: bytes) -> int | None:
    """Return the seconds since 1970 that a verified ML-DSA-44 signature states, None for other keys."""
    return int.from_bytes(signature[:_TIME_SIZE], "big") if isinstance(verifier, MlDsa44Verifier) else None


def _vkey(name: str, identity: bytes, kind: int, public: bytes) -> str:
    return f"{name}+{identity.hex()}+{to_base64(bytes([kind]) + public)}"
