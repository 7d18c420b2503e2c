"""Remembering which frames were ever sent, so that a recording cannot pass for a camera twice.

What is remembered of a frame are two digests under the server's secret, of the bytes sent and of the decoded pixels:
equal frames are found again, and nobody without the secret can say what they showed. Only frames with a face count:
one without cannot be part of a passed session, and a covered lens gives every camera the same picture.
"""

from __future__ import annotations

import hashlib
import hmac

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from service.liveness.tables import SeenFrame
from service.platform.database import now


def frame_digests(secret: bytes, data: bytes, pixel_digest: str) -> list[bytes]:
    """What to remember of a frame: its bytes and its pixels (`pixel_digest`, SHA-256 in hexadecimal), keyed."""
    sent = hashlib.sha256(data).digest()
    labelled = (b"liveness frame bytes:" + sent, b"liveness frame pixels:" + bytes.fromhex(pixel_digest))
    return sorted(hmac.digest(secret, value, hashlib.sha256) for value in labelled)


def remember(session: Session, digests: list[bytes]) -> bool:
    """Remember a frame; returns whether it was seen before, in any session of any tenant.

    Of two transactions with the same frame the second waits for the first. `digests` are sorted, as `frame_digests`
    gives them, so that no two wait for each other.
    """
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    at = now()
    new = dialect.insert(SeenFrame).values([{"digest": digest, "seen_at": at} for digest in digests])
    fresh = session.execute(new.on_conflict_do_nothing().returning(SeenFrame.digest)).all()
    return len(fresh) < len(digests)
