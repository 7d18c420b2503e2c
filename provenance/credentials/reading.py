"""Reading Content Credentials with the reference engine, in a child process."""

from __future__ import annotations

from provenance.credentials.isolation import READ_LIMIT_S, EngineUnavailable, FileUnreadable, ask_engine
from provenance.credentials.report import CredentialReport, report_from_engine


def read(data: bytes, media_type: str, trust_pem: str | None, *, limit_s: float = READ_LIMIT_S) -> CredentialReport:
    """Return what a file's credentials say, judged against the trust anchors given and no others.

    Hostile bytes give a report with state "unreadable". Raises `EngineUnavailable` where the engine hangs or
    crashes: then nothing is known, and a caller must not release.
    """
    try:
        answer = ask_engine("c2pa", data, media_type, trust_pem, limit_s=limit_s)
    except FileUnreadable as error:
        return CredentialReport(state="unreadable", codes=("assent.unreadable",), note=error.message)
    try:
        return report_from_engine(answer)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise EngineUnavailable("verifier_failed", f"c2pa gave an answer that is not understood: {error!r}") from error
