"""The 80 bits that a mark carries: a 48-bit identifier and the first 32 bits of its HMAC-SHA-256."""

from __future__ import annotations

import hashlib
import hmac

import numpy as np
from numpy.typing import NDArray

IDENT_BITS = 48
MAC_BITS = 32
MESSAGE_BITS = IDENT_BITS + MAC_BITS
MAX_IDENT = (1 << IDENT_BITS) - 1


class PayloadCodec:
    """Turns identifiers into message bits and back, accepting only those made under the same key.

    A random message is accepted with probability 2**-32, which bounds the false accepts per candidate tried.
    """

    def __init__(self, key: bytes) -> None:
        self._key = hmac.new(key, b"assent watermark v1/payload", hashlib.sha256).digest()

    def _mac(self, ident: bytes) -> bytes:
        return hmac.new(self._key, ident, hashlib.sha256).digest()[: MAC_BITS // 8]

    def bits(self, ident: int) -> NDArray[np.uint8]:
        """Return the message uint8 (80,), most significant bit first; `ValueError` outside 0..2**48-1."""
        if not 0 <= ident <= MAX_IDENT:
            raise ValueError(f"a watermark id has {IDENT_BITS} bits, got {ident}")
        encoded = ident.to_bytes(IDENT_BITS // 8, "big")
        return np.unpackbits(np.frombuffer(encoded + self._mac(encoded), np.uint8))

    def ident(self, bits: NDArray[np.uint8]) -> int | None:
        """Return the identifier in a received message, or None where its MAC is not ours."""
        message = np.packbits(bits).tobytes()
        encoded, mac = message[: IDENT_BITS // 8], message[IDENT_BITS // 8 :]
        return int.from_bytes(encoded, "big") if hmac.compare_digest(self._mac(encoded), mac) else None
