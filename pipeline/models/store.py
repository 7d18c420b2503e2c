"""Makes every model of the catalogue available as an ONNX file whose digest is the pinned one."""

from __future__ import annotations

import hashlib
import importlib.metadata
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.errors import ModelUnavailable
from pipeline.models.catalogue import Catalogue, ModelEntry, full_catalogue
from pipeline.models.convert import convert
from pipeline.models.files import sha256_of, write_atomically
from pipeline.models.licences import LicencePolicy, Terms
from pipeline.models.records import InstalledModel, read_record

Progress = Callable[[str, int, int], None]
"""Called with the model's name, how many are done, and how many there are."""


class ModelStore:
    """The models in the folder `root`, checked by licence and SHA-256 before first use in a process.

    Models that their package ships as ONNX are used where they lie. The others are converted from the
    package's file into `root/<name>-<start of digest>.onnx`; conversion is deterministic, so that the result
    is pinned as well. Models that the operator installed lie in `root/operator`, each beside a record that pins
    it. Thread-safe; several processes may share one root.

    `root/catalogue.toml`, where there is one, and then `extension` add models to the catalogue.
    """

    def __init__(
        self,
        root: Path,
        catalogue: Catalogue | None = None,
        *,
        extension: Path | None = None,
        licences: LicencePolicy | None = None,
    ) -> None:
        self._root = Path(root)
        self._catalogue = _catalogue(self._root, extension) if catalogue is None else catalogue
        self.licences = licences or LicencePolicy()
        self._checked: dict[str, Path] = {}
        self._lock = threading.Lock()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the models that ship inside packages, in the catalogue's order."""
        return tuple(name for name, entry in self._catalogue.items() if entry.origin == "package")

    @property
    def catalogue(self) -> Catalogue:
        """Every known model by name, installed or not."""
        return self._catalogue

    @property
    def operator_folder(self) -> Path:
        """Where the models lie that an operator installed, with their records."""
        return self._root / "operator"

    def entry(self, name: str) -> ModelEntry:
        """Return the catalogue's entry; raises ModelUnavailable for an unknown name."""
        try:
            return self._catalogue[name]
        except KeyError:
            raise ModelUnavailable(
                "model_unknown",
                f"There is no model named {name!r}.",
                "List the models with `assent models list`, or describe yours in a catalogue file.",
            ) from None

    def installed(self, name: str) -> InstalledModel | None:
        """Return the record of an operator-supplied model, None where it is not installed."""
        return read_record(self.record_path(name), name)

    def record_path(self, name: str) -> Path:
        """Return where the record of an operator-supplied model lies, whether it exists or not."""
        return self.operator_folder / f"{self.entry(name).name}.json"

    def has(self, name: str) -> bool:
        """Whether the model is there to be used: packaged or installed, with a licence that the settings accept."""
        entry = self.entry(name)
        return (entry.origin == "package" or self.installed(name) is not None) and self.licences.accepts(
            self.terms(name)
        )

    def terms(self, name: str) -> Terms:
        """Return the licence in force: the one accepted when the model was installed, or the catalogue's."""
        entry = self.entry(name)
        record = self.installed(name) if entry.origin == "operator" else None
        return record.terms if record else entry.terms

    def digest(self, name: str) -> str:
        """Return the SHA-256 (hex) of the ONNX file that runs under this name.

        Raises:
            ModelUnavailable: the name is unknown, or the model is not installed.

        """
        entry = self.entry(name)
        return entry.sha256 if entry.origin == "package" else self._record(entry).sha256

    def prepare(self, progress: Progress | None = None) -> None:
        """Convert and check every packaged model. A damaged converted file is made anew from its checked source.

        Raises:
            ModelUnavailable: a package is missing, or a file is not the one that the catalogue pins.

        """
        for done, name in enumerate(self.names):
            if progress is not None:
                progress(name, done, len(self.names))
            self._provide(self.entry(name), repair=True)
        if progress is not None:
            progress("", len(self.names), len(self.names))

    def path(self, name: str) -> Path:
        """Return the model's ONNX file, converting it where that has not happened yet.

        Raises:
            ModelUnavailable: the name is unknown, the settings do not accept the licence, the package is missing or
                the model not installed, or a file has the wrong digest.

        """
        return self._provide(self.entry(name), repair=False)

    def verify(self) -> Iterator[tuple[str, ModelUnavailable | None]]:
        """Read and check every packaged and installed model anew; yield each name with what is wrong with it."""
        for name, entry in self._catalogue.items():
            try:
                if entry.origin == "operator" and self.installed(name) is None:
                    continue
                self.forget(name)
                self.path(name)
            except ModelUnavailable as error:
                yield name, error
            else:
                yield name, None

    def forget(self, name: str) -> None:
        """Check the model anew when it is next asked for."""
        with self._lock:
            self._checked.pop(name, None)

    def _provide(self, entry: ModelEntry, *, repair: bool) -> Path:
        with self._lock:
            if entry.name not in self._checked:
                if entry.origin == "operator":
                    self._checked[entry.name] = self._supplied(entry)
                else:
                    self._checked[entry.name] = self._packaged(entry, repair=repair)
            return self._checked[entry.name]

    def _packaged(self, entry: ModelEntry, *, repair: bool) -> Path:
        self.licences.require(entry.name, entry.terms)
        if entry.converter == "none":
            return _checked_source(entry)
        target = self._root / f"{entry.name}-{entry.sha256[:12]}.onnx"
        if target.is_file():
            if sha256_of(target) == entry.sha256:
                return target
            if not repair:
                raise ModelUnavailable(
                    "model_changed",
                    f"The converted model {entry.name} at {target} is not the one that the catalogue pins.",
                    "Prepare the models again; if it returns, look for who writes to that folder.",
                )
        write_atomically(target, converted(entry, _checked_source(entry).read_bytes()))
        return target

    def _supplied(self, entry: ModelEntry) -> Path:
        record = self._record(entry)
        self.licences.require(entry.name, record.terms)
        path = self.operator_folder / record.file
        pinned = entry.sha256 or record.sha256
        if record.sha256 != pinned or not path.is_file() or sha256_of(path) != pinned:
            raise ModelUnavailable(
                "model_changed",
                f"The installed model {entry.name} at {path} is missing or is not the one that was pinned.",
                f"Install {entry.name} again; if it returns, look for who writes to that folder.",
            )
        return path

    def _record(self, entry: ModelEntry) -> InstalledModel:
        record = self.installed(entry.name)
        if record is None:
            raise ModelUnavailable(
                "model_missing",
                f"The model {entry.name} ({entry.role}) is not installed; its weights ship nowhere.",
                f"Get {entry.file} from {entry.project or 'its author'} under its licence, then: "
                f"assent models add {entry.file} --as {entry.name}",
            )
        return record


def converted(entry: ModelEntry, source: bytes) -> bytes:
    """Return the ONNX file made of the source; raises ModelUnavailable where it is not the one that is pinned."""
    content = convert(entry, source)
    digest = hashlib.sha256(content).hexdigest()
    if entry.sha256 and digest != entry.sha256:
        raise ModelUnavailable(
            "conversion_differs",
            f"Converting {entry.name} gave {digest}, the catalogue pins {entry.sha256}.",
            "Install the locked versions of onnx, protobuf, numpy and tflite2onnx.",
        )
    return content


def _catalogue(root: Path, extension: Path | None) -> Catalogue:
    beside = root / "catalogue.toml"
    found = [beside] if beside.is_file() else []
    return full_catalogue(*found, *([extension] if extension else []))


def _checked_source(entry: ModelEntry) -> Path:
    """Find the package's file without importing the package, and compare its digest."""
    try:
        distribution = importlib.metadata.distribution(entry.distribution)
    except importlib.metadata.PackageNotFoundError:
        raise ModelUnavailable(
            "model_missing",
            f"The model {entry.name} ships in the package {entry.distribution}, which is not installed.",
            f"Install {entry.distribution}=={entry.version}.",
        ) from None
    path = Path(str(distribution.locate_file(entry.file)))
    if not path.is_file():
        raise ModelUnavailable(
            "model_missing",
            f"The package {entry.distribution} lies here without its file {entry.file} (model {entry.name}).",
            f"Reinstall {entry.distribution}=={entry.version}.",
        )
    if sha256_of(path) != entry.source_sha256:
        raise ModelUnavailable(
            "model_changed",
            f"The file {entry.file} of {entry.distribution} (model {entry.name}) has the wrong SHA-256.",
            f"Reinstall {entry.distribution}=={entry.version}.",
        )
    return path
