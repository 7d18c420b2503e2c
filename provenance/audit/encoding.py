"""Strict readings of the small text forms that the formats use: nothing has two spellings."""

import base64
import binascii
import re

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")


def to_base64(data: bytes) -> str:
    """Write bytes in standard base64 with padding."""
    return base64.b64encode(data).decode("ascii")


def from_base64(text: str) -> bytes:
    """Read standard base64; raise ValueError for anything that `to_base64` would write differently."""
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from error
    if to_base64(data) != text:
        raise ValueError("not canonical base64")
    return data


def from_decimal(text: str) -> int:
    """Read an unsigned ASCII decimal below 2**63 without leading zeroes; raise ValueError otherwise."""
    if not _DECIMAL.fullmatch(text) or int(text) >= 1 << 63:
        raise ValueError("not an unsigned decimal")
    return int(text)
