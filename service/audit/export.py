"""Exports: a range of the log as a bundle that anybody can verify offline."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from provenance.audit import Checkpoint, LogKeys, Tree, parse_note
from provenance.audit.bundle import CHECKPOINTS, EVENTS, PROOF, BundleHead, BundleWriter, HashingFile
from service.audit.payloads import ERASED, OpenPayload, open_payload
from service.audit.queries import latest_checkpoint
from service.audit.store import SqlAuditStore
from service.audit.tables import AuditCheckpoint, AuditEvent, AuditLeaf
from service.platform.database import Database, now
from service.platform.vault import Vault

_PAGE = 1000
WITHHELD = "withheld"

MayRead = Callable[[AuditEvent], bool]
Row = tuple[int, bytes, AuditEvent]


class ExportError(Exception):
    """There is nothing to export, or the wanted range is not in the log."""


@dataclass(frozen=True)
class Export:
    """A finished export: leaves `first` to `end` (exclusive), proven in the tree of `anchor` leaves."""

    path: Path
    first: int
    end: int
    anchor: int
    checkpoint: str


def export_bundle(
    database: Database,
    vault: Vault,
    keys: LogKeys,
    out: Path,
    *,
    first: int = 0,
    end: int | None = None,
    tenant_id: str | None = None,
    may_read: MayRead | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Export:
    """Write the leaves `first` to `end` (exclusive; the latest checkpoint's size by default) to `out`.

    `out` becomes a folder, or a zip file if its name ends so. With `tenant_id`, events of others are only
    hashes. Payloads for which `may_read` is false are withheld. `progress` is called with the number of
    leaves done and their total. Memory stays constant. Sign a checkpoint beforehand: what it does not cover
    cannot be exported. Raises ExportError, and VaultError where a stored payload was tampered with.
    """
    with database.read() as session:
        note = latest_checkpoint(session)
        anchor = Checkpoint.parse(parse_note(note).text).size if note else 0
        last = anchor if end is None else end
        if note is None or not 0 <= first < last <= anchor:
            raise ExportError(f"no leaves {first} to {last} in the {anchor} leaves that are signed")
        writer = _Writer(session, vault, tenant_id, may_read or (lambda _: True))
        with BundleWriter(out) as bundle:
            with bundle.file(EVENTS) as file:
                writer.events(file, first, last, progress)
            with bundle.file(CHECKPOINTS) as file:
                earlier = writer.checkpoints(file, first, last, note)
            bundle.write(PROOF, _proof(session, first, last, anchor, earlier))
            head = BundleHead(keys.origin, first, last, anchor, now())
            bundle.finish(head, [verifier.vkey() for verifier in keys.verifiers], keys.signers[0])
    return Export(out, first, last, anchor, note)


def _proof(session: Session, first: int, end: int, anchor: int, earlier: int | None) -> str:
    """Return the hashes around the range, and the consistency proof from the checkpoint before it."""
    tree = Tree(SqlAuditStore(session))
    proof = {
        "left": _hex(tree.frontier(first).peaks),
        "right": _hex(tree.rest(end, anchor)),
        "consistency": {} if earlier is None else {str(earlier): _hex(tree.consistency(earlier, anchor))},
    }
    return json.dumps(proof, indent=1) + "\n"


def _hex(hashes: Sequence[bytes]) -> list[str]:
    return [digest.hex() for digest in hashes]


class _Writer:
    """Writes the two long files, page by page."""

    def __init__(self, session: Session, vault: Vault, tenant_id: str | None, may_read: MayRead) -> None:
        self._session = session
        self._vault = vault
        self._tenant_id = tenant_id
        self._may_read = may_read

    def events(self, file: HashingFile, first: int, end: int, progress: Callable[[int, int], None] | None) -> None:
        """Write one line for each leaf of the range."""
        for start in range(first, end, _PAGE):
            page = list(self._page(start, min(start + _PAGE, end)))
            file.write("".join(json.dumps(self._line(*row), ensure_ascii=False) + "\n" for row in page))
            self._session.expunge_all()
            if progress is not None:
                progress(start + len(page) - first, end - first)

    def checkpoints(self, file: HashingFile, first: int, end: int, anchor: str) -> int | None:
        """Write the last checkpoint before the range, those within, and the anchor; return the first one's size."""
        before = (
            select(AuditCheckpoint.size, AuditCheckpoint.note)
            .where(AuditCheckpoint.size < first, AuditCheckpoint.size > 0)
            .order_by(AuditCheckpoint.size.desc())
            .limit(1)
        )
        earlier = self._session.execute(before).one_or_none()
        within = (
            select(AuditCheckpoint.size, AuditCheckpoint.note)
            .where(AuditCheckpoint.size >= first, AuditCheckpoint.size <= end)
            .order_by(AuditCheckpoint.size, AuditCheckpoint.id)
            .execution_options(yield_per=_PAGE)
        )
        written = None
        for size, note in [earlier] if earlier else []:
            file.write(_checkpoint_line(size, note))
        for size, note in self._session.execute(within):
            file.write(_checkpoint_line(size, note))
            written = note
        if written != anchor:
            file.write(_checkpoint_line(Checkpoint.parse(parse_note(anchor).text).size, anchor))
        return earlier.size if earlier else None

    def _page(self, start: int, end: int) -> Iterator[Row]:
        query = (
            select(AuditLeaf.position, AuditLeaf.hash, AuditEvent)
            .join(AuditEvent, AuditEvent.id == AuditLeaf.event_id)
            .where(AuditLeaf.position >= start, AuditLeaf.position < end)
            .order_by(AuditLeaf.position)
        )
        yield from self._session.execute(query)

    def _line(self, position: int, digest: bytes, event: AuditEvent) -> dict[str, str | int]:
        line: dict[str, str | int] = {"index": position, "hash": digest.hex()}
        if self._tenant_id is not None and event.tenant_id != self._tenant_id:
            return line
        line["leaf"] = event.leaf
        if event.payload is not None and not self._may_read(event):
            return line | {"payload": WITHHELD}
        stated = json.loads(event.leaf)["commitment"]
        commitment = None if stated is None else bytes.fromhex(stated)
        opened = open_payload(self._session, self._vault, event, commitment)
        if opened is None:
            return line
        if isinstance(opened, OpenPayload):
            return line | {"payload": opened.text, "opening": opened.opening.hex()}
        return line | {"payload": ERASED}


def _checkpoint_line(size: int, note: str) -> str:
    return json.dumps({"size": size, "note": note}, ensure_ascii=False) + "\n"
