"""The second, independent verifier: encypher-c2pa, which shares no code with the engine that signs.

It works offline with our trust anchors only, and sends nothing: no telemetry, no look-ups, no update checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from provenance.credentials.isolation import READ_LIMIT_S, EngineUnavailable, FileUnreadable, ask_engine


@dataclass(frozen=True, slots=True)
class SecondReport:
    """The second verifier's finding: `state` as in `CredentialReport`, and the C2PA failure `codes`."""

    state: str
    codes: tuple[str, ...] = ()
    note: str = ""

    @property
    def valid(self) -> bool:
        """Whether the file is intact and its signer trusted, without any failure."""
        return self.state == "Trusted" and not self.codes


def verify_second(
    data: bytes, media_type: str, trust_pem: str | None, *, limit_s: float = READ_LIMIT_S
) -> SecondReport:
    """Return the second opinion on a file; raises `EngineUnavailable` where the verifier hangs or crashes."""
    try:
        answer = ask_engine("encypher", data, media_type, trust_pem, limit_s=limit_s)
    except FileUnreadable as error:
        return SecondReport("unreadable", ("assent.unreadable",), error.message)
    try:
        return _report(answer)
    except (KeyError, TypeError, AttributeError) as error:
        raise EngineUnavailable(
            "verifier_failed", f"encypher gave an answer that is not understood: {error!r}"
        ) from error


def _report(answer: Mapping[str, Any]) -> SecondReport:
    if answer["network"]["requests"]:
        raise EngineUnavailable("verifier_went_online", "encypher made network requests although told not to")
    if not answer["present"]:
        return SecondReport("none")
    codes = tuple(sorted({str(item["code"]) for item in answer["validation_results"]["failure"]}))
    state = str(answer["validation_state"])
    if state == "Trusted" and (answer["integrity"], answer["signature"]) != ("valid", "valid"):
        state = "Invalid"
    return SecondReport(state, codes)
