"""Reads the marks in what is submitted: its Content Credentials, and whether it was made here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from provenance.credentials import CredentialReport, read
from provenance.credentials.rules import assertions
from provenance.verify import sniff_media_type
from provenance.watermark import WatermarkError
from safety.evidence import Evidence
from safety.gates.base import GateUnavailable
from safety.gates.origin import Origin
from service.jobs.tables import Mark

if TYPE_CHECKING:
    from service.assembly import Assent

# C2PA 2.1 and CAWG 1.1: the assertion with which a maker says what may be done with a picture.
_MINING: Final = ("c2pa.training-mining", "cawg.training-mining")
# Present in every file that carries a manifest, in whatever container: the JUMBF superbox and C2PA's own label.
_TRACES: Final = (b"jumb", b"c2pa")


class MarksInInputs:
    """An `OriginReader` over the credentials' engine, the watermark, and the registry of what was released."""

    def __init__(self, server: Assent) -> None:
        self._server = server

    def read(self, evidence: Evidence) -> Origin:
        """Read both; raises GateUnavailable where credentials are there and cannot be read."""
        report = self._credentials(evidence.data)
        mark = self._mark(evidence)
        return Origin(
            broken=report is not None and report.state != "none" and bool(report.changes),
            no_derivation=report is not None and forbids_derivation(report.manifest or {}),
            own_output=mark is not None,
            withdrawn=mark == "withdrawn",
            note=f"credentials {report.state if report else 'none'}, mark {mark or 'none'}",
        )

    def _credentials(self, data: bytes | None) -> CredentialReport | None:
        """The report; None without any trace of credentials, which spares starting the engine."""
        if data is None or not all(trace in data for trace in _TRACES):
            return None
        kind = sniff_media_type(data)
        if kind is None:
            raise GateUnavailable("credentials in a file of a kind that cannot be verified")
        report = read(data, kind, self._server.identity.trust_pem)
        if report.state == "unreadable":
            raise GateUnavailable("the credentials could not be read")
        return report

    def _mark(self, evidence: Evidence) -> str | None:
        """The registry's status of the picture's watermark: sealed, live, withdrawn; None without a mark of ours."""
        try:
            reading = self._server.watermarker.read(evidence.pixels)
        except WatermarkError:
            return None  # too small or too plain to carry a mark
        if reading is None:
            return None
        with self._server.database.read() as session:
            mark = session.get(Mark, reading.ident)
            return None if mark is None else mark.status


def forbids_derivation(manifest: Mapping[str, Any]) -> bool:
    """Whether a manifest says that nothing may be trained on or derived from its picture."""
    for label in _MINING:
        for data in assertions(manifest, label):
            entries = data.get("entries") if isinstance(data, Mapping) else None
            for entry in entries.values() if isinstance(entries, Mapping) else ():
                if isinstance(entry, Mapping) and entry.get("use") == "notAllowed":
                    return True
    return False
