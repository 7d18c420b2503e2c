"""Checking any file, by anybody: credentials with two verifiers, the watermark, and one plain verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar

from provenance.credentials import CredentialReport, SecondReport, read, verify_second
from provenance.credentials.rules import BENIGN_FAILURES, assertions
from provenance.deadline import Pending
from provenance.release import Decode, MarkReader, ReadCredentials, VerifySecond
from provenance.watermark import ALGORITHM, Reading

T = TypeVar("T")
VERIFY_LIMIT_S = 30.0
# These say that there was nothing to look at, not that somebody changed it.
_OUT_OF_REACH = {"assent.unreadable", "manifest.inaccessible"}
# Digital source types that tell a viewer that software made or replaced part of the picture.
_DISCLOSING = ("Algorithmic", "algorithmic", "compositeSynthetic", "Synthetic")


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """What a file shows.

    `verdict`: "authentic" (both verifiers trust it and nothing contradicts), "altered" (it has credentials that say
    so), "marked_without_credentials" (our watermark, no credentials of a trusted signer), "unknown".
    `notes` say in words what could not be checked.
    """

    verdict: str
    media_type: str | None
    credentials: CredentialReport | None = None
    second: SecondReport | None = None
    reading: Reading | None = None
    watermark_checked: bool = False
    notes: tuple[str, ...] = field(default=())

    @property
    def agreement(self) -> bool | None:
        """Whether the two verifiers say the same; None where one of them gave no answer."""
        if self.credentials is None or self.second is None:
            return None
        return self.credentials.state == self.second.state

    @property
    def soft_binding_match(self) -> bool | None:
        """Whether manifest and watermark name the same id; None where one of them names none."""
        return _soft_binding_match(self.credentials, self.reading)

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data for JSON."""
        return {
            "verdict": self.verdict,
            "media_type": self.media_type,
            "credentials": _credentials_json(self.credentials),
            "second_verifier": _second_json(self.second),
            "agreement": self.agreement,
            "watermark": {
                "checked": self.watermark_checked,
                "algorithm": ALGORITHM if self.reading else None,
                "id": f"{self.reading.ident:012x}" if self.reading else None,
                "confidence": self.reading.confidence if self.reading else None,
            },
            "soft_binding_match": self.soft_binding_match,
            "ai_disclosure": _disclosure(self.credentials),
            "notes": list(self.notes),
        }


def verify_file(
    data: bytes,
    media_type: str | None,
    trust_pem: str | None,
    marks: MarkReader | None,
    decode: Decode | None,
    *,
    read_credentials: ReadCredentials = read,
    second: VerifySecond = verify_second,
    limit_s: float = VERIFY_LIMIT_S,
) -> VerificationReport:
    """Return what a file shows; never raises, whatever the bytes are.

    `media_type` None lets the first bytes decide. `marks` and `decode` (bytes to BGR uint8 (h, w, 3); it may raise) are
    needed to look for the watermark.
    """
    notes: list[str] = []
    kind = media_type or sniff_media_type(data)
    if kind is None:
        return VerificationReport("unknown", None, notes=("the file is of no kind that can be verified",))
    first = Pending(lambda: read_credentials(data, kind, trust_pem))
    opinion = Pending(lambda: second(data, kind, trust_pem))
    reading: Reading | None = None
    checked = False
    if marks is not None and decode is not None:
        outcome = _result("watermark", Pending(lambda: (marks.read(decode(data)),)), limit_s, notes)
        checked = outcome is not None
        reading = outcome[0] if outcome else None
    report = _result("c2pa", first, limit_s, notes)
    other = _result("second verifier", opinion, limit_s, notes)
    return VerificationReport(_verdict(report, other, reading), kind, report, other, reading, checked, tuple(notes))


def sniff_media_type(data: bytes) -> str | None:
    """Return the media type that the first bytes tell, of the kinds that can be verified."""
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return None


def _result(name: str, pending: Pending[T], limit_s: float, notes: list[str]) -> T | None:
    try:
        return pending.result(limit_s)
    except Exception as error:
        notes.append(f"{name}: {type(error).__name__}: {error}")
        return None


def _verdict(report: CredentialReport | None, other: SecondReport | None, reading: Reading | None) -> str:
    """Return the verdict; only two agreeing, sound reports and no contradicting mark make a file authentic."""
    if report is not None and other is not None and report.sound and other.valid:
        return "altered" if _soft_binding_match(report, reading) is False else "authentic"
    codes = {*(report.changes if report else ()), *(other.codes if other else ())}
    if codes - BENIGN_FAILURES - _OUT_OF_REACH:
        return "altered"
    return "marked_without_credentials" if reading is not None else "unknown"


def _soft_binding_match(report: CredentialReport | None, reading: Reading | None) -> bool | None:
    bound = [item.ident for item in report.soft_bindings if item.algorithm == ALGORITHM] if report else []
    if not bound or reading is None:
        return None
    return bound == [reading.ident]


def _credentials_json(report: CredentialReport | None) -> dict[str, Any] | None:
    if report is None:
        return None
    return {
        "state": report.state,
        "codes": list(report.codes),
        "problems": list(report.problems),
        "signer": dict((report.manifest or {}).get("signature_info") or {}),
        "manifest_label": (report.manifest or {}).get("label"),
        "soft_bindings": [{"alg": item.algorithm, "id": f"{item.ident:012x}"} for item in report.soft_bindings],
        "face_swap": report.face_swap,
        "ingredients": [
            {
                "label": item.label,
                "relationship": item.relationship,
                "has_credentials": item.has_credentials,
                "failures": list(item.failures),
            }
            for item in report.ingredients
        ],
        "note": report.note,
    }


def _second_json(report: SecondReport | None) -> dict[str, Any] | None:
    return None if report is None else {"state": report.state, "codes": list(report.codes), "note": report.note}


def _disclosure(report: CredentialReport | None) -> dict[str, Any]:
    """Return whether the manifest tells viewers that software made part of the picture, and in which terms."""
    manifest = (report.manifest if report else None) or {}
    types = [
        str(action["digitalSourceType"])
        for data in assertions(manifest, "c2pa.actions")
        for action in (data or {}).get("actions") or ()
        if action.get("digitalSourceType")
    ]
    text = ((report.face_swap if report else None) or {}).get("disclosure")
    disclosed = bool(text) or any(word in kind for kind in types for word in _DISCLOSING)
    return {"disclosed": disclosed, "digital_source_types": types, "text": text}
