"""Keyed random numbers that stay the same for ever: SHAKE-256 over the key, a label and nothing else.

NumPy does not promise that its generators draw the same numbers in every version; a mark must still be read
in ten years, so each draw is fixed here by the hash alone.
"""

from __future__ import annotations

import hashlib
import hmac

import numpy as np
from numpy.typing import NDArray


class KeyedDraws:
    """Draws that depend on a secret key and a label; the same label gives the same numbers again."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def _words(self, label: str, count: int) -> NDArray[np.uint64]:
        seed = hmac.new(self._key, b"assent watermark v1/" + label.encode(), hashlib.sha256).digest()
        return np.frombuffer(hashlib.shake_256(seed).digest(8 * count), ">u8").astype(np.uint64)

    def permutation(self, label: str, count: int) -> NDArray[np.intp]:
        """Return 0..count-1 in a random order (the order of `count` random 64-bit words)."""
        return np.argsort(self._words(label, count), kind="stable")

    def below(self, label: str, bound: int) -> int:
        """Return an integer in 0..bound-1; the bias is negligible for bounds far below 2**64."""
        return int(self._words(label, 1)[0]) % bound

    def signs(self, label: str, count: int) -> NDArray[np.float64]:
        """Return `count` values of +1 or -1."""
        return 1.0 - 2.0 * (self._words(label, count) >> np.uint64(63)).astype(np.float64)

    def phases(self, label: str, count: int) -> NDArray[np.complex128]:
        """Return `count` unit complex numbers with uniform phase."""
        turns = (self._words(label, count) >> np.uint64(11)).astype(np.float64) / 2.0**53
        phases: NDArray[np.complex128] = np.exp(2j * np.pi * turns)
        return phases
