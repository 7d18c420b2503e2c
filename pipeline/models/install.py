"""Takes models in that an operator supplies: from a file, a file:// mirror or an https address."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx

from pipeline.errors import ModelUnavailable
from pipeline.models.catalogue import ModelEntry
from pipeline.models.fetch import Fetched, Transferred, fetch, inside, is_folder
from pipeline.models.files import move_into_place, sha256_of, temporary_file
from pipeline.models.graphs import check_graph
from pipeline.models.licences import Terms
from pipeline.models.records import InstalledModel, write_record
from pipeline.models.store import ModelStore, converted

Watch = Callable[[str], Transferred | None]
"""Given a model's name, returns what to call while its file comes."""


class Installer:
    """Installs models into a store's folder; nothing is put in place before licence, digest and graph are checked.

    `accept_licence` says that the operator read and accepts the licences; without it a model is taken in only
    where its licence allows commercial use, or the settings name it. `transport` replaces the network in tests.
    """

    def __init__(
        self, store: ModelStore, *, accept_licence: bool = False, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._store = store
        self._accept = accept_licence
        self._transport = transport

    def members(self, name: str) -> list[ModelEntry]:
        """Return the model of that name, or all models of the family of that name; raises where there is neither."""
        catalogue = self._store.catalogue
        if name in catalogue:
            return [catalogue[name]]
        return [entry for entry in catalogue.values() if entry.family == name] or [self._store.entry(name)]

    def add(self, file: Path, name: str, *, terms: Terms | None = None, sha256: str = "") -> InstalledModel:
        """Take in a local file as the model `name`, under the catalogue's terms or the operator's own.

        Raises:
            ModelUnavailable: `licence_not_accepted`, `digest_differs`, `model_broken`, `model_differs`,
                `model_unknown`, or what `fetch` raises. What was installed before stays.

        """
        return self._bring(self._operators(name), file.absolute().as_uri(), terms, sha256, None)

    def install(
        self, name: str, source: str = "", *, sha256: str = "", watch: Watch | None = None
    ) -> list[InstalledModel]:
        """Fetch the model, or every model of the family, from the address or the catalogue's own.

        `source` is the file's address, or that of a folder which holds it under the name that the catalogue gives.
        A model that is installed already and whole is not fetched again.

        Raises:
            ModelUnavailable: as `add`; also `source_missing`, no address is known.

        """
        entries = [self._operators(entry.name) for entry in self.members(name)]
        if sha256 and len(entries) > 1:
            raise ModelUnavailable("digest_differs", f"{name} is {len(entries)} files, one digest cannot fit them all.")
        addresses = [_address(entry, source, several=len(entries) > 1) for entry in entries]
        return [
            self._whole(entry, sha256) or self._bring(entry, address, None, sha256, watch)
            for entry, address in zip(entries, addresses, strict=True)
        ]

    def remove(self, name: str) -> bool:
        """Delete an installed model and its record; False where it was not installed."""
        record_path = self._store.record_path(self._operators(name).name)
        there = record_path.exists()
        record_path.unlink(missing_ok=True)
        self._clear(name, keep="")
        self._store.forget(name)
        return there

    def _operators(self, name: str) -> ModelEntry:
        entry = self._store.entry(name)
        if entry.origin == "package":
            raise ModelUnavailable(
                "model_packaged",
                f"{name} ships in the package {entry.distribution} {entry.version} and is not installed by hand.",
                "Run `assent models prepare`.",
            )
        return entry

    def _whole(self, entry: ModelEntry, sha256: str) -> InstalledModel | None:
        record = self._store.installed(entry.name)
        if record is None or (sha256 and sha256.lower() != record.source_sha256):
            return None
        try:
            self._store.forget(entry.name)
            self._store.path(entry.name)
        except ModelUnavailable as error:
            if error.code == "model_changed":
                return None
            raise
        return record

    def _bring(
        self, entry: ModelEntry, address: str, terms: Terms | None, sha256: str, watch: Watch | None
    ) -> InstalledModel:
        terms = terms or entry.terms
        self._require_licence(entry, terms)
        with temporary_file(self._store.operator_folder, entry.name) as temporary:
            progress = watch(entry.name) if watch else None
            came = fetch(address, temporary, limit=entry.max_bytes, progress=progress, transport=self._transport)
            _require_digest(entry, came, sha256)
            if entry.converter != "none":
                temporary.write_bytes(converted(entry, temporary.read_bytes()))
            check_graph(temporary, entry)
            record = _record(entry, came, terms, sha256_of(temporary))
            move_into_place(temporary, self._store.operator_folder / record.file)
        write_record(self._store.record_path(entry.name), record)
        self._clear(entry.name, keep=record.file)
        self._store.forget(entry.name)
        return record

    def _require_licence(self, entry: ModelEntry, terms: Terms) -> None:
        self._store.licences.require(entry.name, terms)
        if self._accept or terms.commercial_use or self._store.licences.names(terms):
            return
        raise ModelUnavailable(
            "licence_not_accepted",
            f"{entry.name} comes under this licence: {terms.licence}. Commercial use: {terms.commercial}.",
            f"Read the terms at {entry.project or 'its author'}; if you accept them, say so with --accept-licence.",
        )

    def _clear(self, name: str, *, keep: str) -> None:
        """Remove files of the model that no record points to."""
        for path in self._store.operator_folder.glob(f"{name}-????????????.onnx"):
            if path.name != keep:
                path.unlink(missing_ok=True)


def _address(entry: ModelEntry, source: str, *, several: bool) -> str:
    address = source or entry.url
    if not address:
        raise ModelUnavailable(
            "source_missing",
            f"Assent knows no address of {entry.name}; it is to be had from: {entry.project or 'its author'}.",
            f"Name one with --from URL, or fetch {entry.file} and add it: "
            f"assent models add {entry.file} --as {entry.name}",
        )
    if is_folder(address) or (source and several):
        return inside(address, entry.file)
    return address


def _require_digest(entry: ModelEntry, came: Fetched, sha256: str) -> None:
    for wanted, whose in ((sha256.lower(), "you gave"), (entry.source_sha256, "the catalogue pins")):
        if wanted and came.sha256 != wanted:
            raise ModelUnavailable(
                "digest_differs",
                f"The file for {entry.name} from {came.origin} has the SHA-256 {came.sha256}; {whose} {wanted}.",
                "Nothing was installed. Fetch it from another place, or find out who changed it.",
            )


def _record(entry: ModelEntry, came: Fetched, terms: Terms, digest: str) -> InstalledModel:
    return InstalledModel(
        name=entry.name,
        sha256=digest,
        source_sha256=came.sha256,
        bytes=came.size,
        origin=came.origin,
        licence=terms.licence,
        licence_ids=terms.identifiers,
        commercial_use=terms.commercial_use,
        installed_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
