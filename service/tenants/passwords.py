"""Passwords: what is accepted, how they are kept, and a check that costs the same for accounts that do not exist."""

from __future__ import annotations

import secrets
import threading
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from service.platform.problems import Problem

MIN_LENGTH = 12
MAX_LENGTH = 256  # far above any passphrase; argon2 would take any length, and so would a flood of requests

# argon2-cffi's defaults are the second choice of RFC 9106, section 4: Argon2id, 3 passes, 64 MiB, 4 lanes.
_HASHER = PasswordHasher()
# Each check takes 64 MiB for its time: a burst of log-ins waits in line instead of filling the memory.
_IN_LINE = threading.BoundedSemaphore(2)


def hash_password(password: str) -> str:
    """The Argon2id hash of a password that is long enough; raises `Problem` 422 for one that is not."""
    text = _normal(password)
    if not MIN_LENGTH <= len(text) <= MAX_LENGTH:
        detail = f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters."
        raise Problem(422, "weak_password", detail, hint="Four or five random words are easy to remember.")
    if len(set(text)) < 5:
        raise Problem(422, "weak_password", "This password repeats too few characters.")
    with _IN_LINE:
        return _HASHER.hash(text)


def password_matches(stored: str | None, password: str) -> bool:
    """Whether the password belongs to the stored hash. Without one it works as long and says no."""
    text = _normal(password)
    if len(text) > MAX_LENGTH:
        return False
    with _IN_LINE:
        decoy = _decoy()  # made at the first check of all, whoever that is about
        try:
            return _HASHER.verify(stored or decoy, text) and stored is not None
        except VerificationError:
            return False


def needs_rehash(stored: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(stored)


def _normal(password: str) -> str:
    # NIST SP 800-63B, 3.1.1.2: the same characters typed on two keyboards are the same password.
    return unicodedata.normalize("NFKC", password)


@cache
def _decoy() -> str:
    return _HASHER.hash(secrets.token_urlsafe(32))
