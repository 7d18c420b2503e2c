"""Passwords: what is accepted, how they are kept, and a check that costs the same for accounts that do not exist."""

from __future__ import annotations

import secrets
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from service.platform.problems import Problem

MIN_LENGTH = 12
MAX_LENGTH = 256  # far above any passphrase; argon2 would take any length, and so would a flood of requests

# argon2-cffi's defaults are the second choice of RFC 9106, section 4: Argon2id, 3 passes, 64 MiB, 4 lanes.
_HASHER = PasswordHasher()
# Each check takes 64 MiB for its time, so two are made at once. Whoever waits holds one of the 40 threads that serve
# all requests (Starlette's default), so few may wait, and not for long.
_AT_WORK = threading.BoundedSemaphore(2)
_IN_LINE = threading.BoundedSemaphore(8)
_PATIENCE_S = 2.0


@contextmanager
def in_line() -> Iterator[None]:
    """A turn to check a password; raises `Problem` 429 where too many others are waiting for theirs."""
    if not _IN_LINE.acquire(blocking=False):
        raise _busy()
    try:
        if not _AT_WORK.acquire(timeout=_PATIENCE_S):
            raise _busy()
        try:
            yield
        finally:
            _AT_WORK.release()
    finally:
        _IN_LINE.release()


def _busy() -> Problem:
    detail = "Too many people are logging in at this moment."
    return Problem(429, "too_many_log_ins", detail, hint="Try again in a few seconds.", headers={"Retry-After": "5"})


def hash_password(password: str) -> str:
    """The Argon2id hash of a password that is good enough; raises `Problem` 422 for one that is not."""
    check_password(password)
    return _HASHER.hash(_normal(password))


def check_password(password: str) -> None:
    """Raise `Problem` 422 for a password that is too short, too long or too simple."""
    text = _normal(password)
    if not MIN_LENGTH <= len(text) <= MAX_LENGTH:
        detail = f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters."
        raise Problem(422, "weak_password", detail, hint="Four or five random words are easy to remember.")
    if len(set(text)) < 5:
        raise Problem(422, "weak_password", "This password repeats too few characters.")


def too_long(password: str) -> bool:
    """Whether no account can have this password, so that it need not be looked at."""
    # No text shrinks to a quarter by normalisation, which takes its time for a long one.
    return len(password) > 4 * MAX_LENGTH or len(_normal(password)) > MAX_LENGTH


def password_matches(stored: str | None, password: str) -> bool:
    """Whether the password belongs to the stored hash. Without one it works as long and says no."""
    decoy = _decoy()  # made at the first check of all, whoever that is about
    try:
        return _HASHER.verify(stored or decoy, _normal(password)) and stored is not None
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
