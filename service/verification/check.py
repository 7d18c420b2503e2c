"""Checking a file against its credentials, its watermark, and the registry of what was released."""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy.orm import Session

from pipeline.decode import decode_picture
from pipeline.faces import Pixels
from provenance.verify import VerificationReport, verify_file
from service.assembly import Assent
from service.audit.events import EventKind
from service.audit.recorder import record
from service.jobs.tables import Job, Mark
from service.platform.access import Caller


def check_file(server: Assent, caller: Caller, data: bytes) -> dict[str, Any]:
    """What a file shows, as plain data, with the registry's entry where it is one of the caller's own outputs."""

    def decode(given: bytes) -> Pixels:
        return decode_picture(given, server.picture_limits).pixels

    report = verify_file(data, None, server.identity.trust_pem, server.watermarker, decode)
    with server.database.write() as session:
        mark = _find_mark(session, report)
        known = session.get_one(Job, mark.job_id) if mark is not None else None
        refs: dict[str, Any] = {"outcome": report.verdict, "file_digest": hashlib.sha256(data).hexdigest()}
        if known is not None and known.tenant_id == caller.tenant_id:
            refs["job"] = known.id
        record(session, EventKind.FILE_VERIFIED, tenant_id=caller.tenant_id, actor=caller.actor, refs=refs)
    entry = {
        "watermark_id": f"{mark.watermark_id:012x}" if mark is not None else None,
        "status": mark.status if mark is not None else None,
        "exact_copy": mark is not None and hashlib.sha256(data).hexdigest() == mark.sha256,
        # Which job it was is nobody's business but its tenant's.
        "job_id": refs.get("job"),
    }
    return {"verdict": report.verdict} | entry | {"report": report.to_json()}


def _find_mark(session: Session, report: VerificationReport) -> Mark | None:
    """The registry's entry of the watermark, or, where it is not readable, of the credentials' soft binding."""
    if report.reading is not None:
        return session.get(Mark, report.reading.ident)
    sound = report.verdict == "authentic" and report.credentials is not None
    for binding in report.credentials.soft_bindings if sound and report.credentials else ():
        mark = session.get(Mark, binding.ident)
        if mark is not None:
            return mark
    return None
