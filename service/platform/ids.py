"""Identifiers: a prefix that says what it is, and 100 random bits that say nothing."""

import secrets

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u
_LENGTH = 20


def new_id(prefix: str) -> str:
    """A fresh identifier such as `job_7k2m…`."""
    return f"{prefix}_" + "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def new_watermark_id() -> int:
    """A fresh 48-bit watermark id, never 0."""
    return 1 + secrets.randbelow((1 << 48) - 1)
