"""One way to write a JSON value as bytes (RFC 8785, JCS), so that its hash is the same everywhere."""

from typing import Any

import rfc8785

from provenance.audit.errors import AuditError


def canonical_json(value: Any) -> bytes:
    """Return the UTF-8 bytes of `value` in JCS form.

    Raises AuditError for what JCS cannot write: NaN, infinities, integers beyond 2**53, non-JSON types.
    """
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, RecursionError) as error:
        raise AuditError(f"not canonical JSON: {error}") from error
