"""Makes every model of the catalogue available as an ONNX file whose digest is the pinned one."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from pipeline.errors import ModelUnavailable
from pipeline.models.catalogue import ModelEntry, load_catalogue

Progress = Callable[[str, int, int], None]
"""Called with the model's name, how many are done, and how many there are."""


class ModelStore:
    """The models, converted once into the folder `root`, checked by SHA-256 before first use in a process.

    Models that their package ships as ONNX are used where they lie. The others are converted from the
    package's file into `root/<name>-<start of digest>.onnx`; conversion is deterministic, so that the result
    is pinned as well. Thread-safe; several processes may share one root.
    """

    def __init__(self, root: Path, catalogue: Mapping[str, ModelEntry] | None = None) -> None:
        self._root = Path(root)
        self._catalogue = load_catalogue() if catalogue is None else catalogue
        self._checked: dict[str, Path] = {}
        self._lock = threading.Lock()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all models, in the catalogue's order."""
        return tuple(self._catalogue)

    def entry(self, name: str) -> ModelEntry:
        """Return the catalogue's entry; raises ModelUnavailable for an unknown name."""
        try:
            return self._catalogue[name]
        except KeyError:
            raise ModelUnavailable("model_unknown", f"There is no model named {name!r}.") from None

    def digest(self, name: str) -> str:
        """Return the SHA-256 (hex) of the ONNX file that runs under this name."""
        return self.entry(name).sha256

    def prepare(self, progress: Progress | None = None) -> None:
        """Convert and check every model. A damaged converted file is made anew from its checked source.

        Raises:
            ModelUnavailable: a package is missing, or a file is not the one that the catalogue pins.

        """
        for done, name in enumerate(self._catalogue):
            if progress is not None:
                progress(name, done, len(self._catalogue))
            self._provide(self.entry(name), repair=True)
        if progress is not None:
            progress("", len(self._catalogue), len(self._catalogue))

    def path(self, name: str) -> Path:
        """Return the model's ONNX file, converting it where that has not happened yet.

        Raises:
            ModelUnavailable: the name is unknown, the package is missing, or a file has the wrong digest.

        """
        return self._provide(self.entry(name), repair=False)

    def _provide(self, entry: ModelEntry, *, repair: bool) -> Path:
        with self._lock:
            if entry.name not in self._checked:
                if entry.converter == "none":
                    self._checked[entry.name] = _checked_source(entry)
                else:
                    self._checked[entry.name] = self._converted(entry, repair=repair)
            return self._checked[entry.name]

    def _converted(self, entry: ModelEntry, *, repair: bool) -> Path:
        target = self._root / f"{entry.name}-{entry.sha256[:12]}.onnx"
        if target.is_file():
            if _sha256(target) == entry.sha256:
                return target
            if not repair:
                raise ModelUnavailable(
                    "model_changed",
                    f"The converted model {entry.name} at {target} is not the one that the catalogue pins.",
                    "Prepare the models again; if it returns, look for who writes to that folder.",
                )
        content = _convert(entry, _checked_source(entry).read_bytes())
        digest = hashlib.sha256(content).hexdigest()
        if digest != entry.sha256:
            raise ModelUnavailable(
                "conversion_differs",
                f"Converting {entry.name} gave {digest}, the catalogue pins {entry.sha256}.",
                "Install the locked versions of onnx, protobuf, numpy and tflite2onnx.",
            )
        _write_atomically(target, content)
        return target


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
    if _sha256(path) != entry.source_sha256:
        raise ModelUnavailable(
            "model_changed",
            f"The file {entry.file} of {entry.distribution} (model {entry.name}) has the wrong SHA-256.",
            f"Reinstall {entry.distribution}=={entry.version}.",
        )
    return path


def _convert(entry: ModelEntry, source: bytes) -> bytes:
    # The converters bring onnx and tflite2onnx with them; a process whose models are ready needs neither.
    try:
        if entry.converter == "tflite":
            from pipeline.models.tflite import convert_tflite  # noqa: PLC0415

            return convert_tflite(source)
        from pipeline.models.dlib_onnx import convert_dlib_resnet  # noqa: PLC0415

        return convert_dlib_resnet(source)
    except ImportError as error:
        raise ModelUnavailable("converter_missing", f"Converting {entry.name} needs {error.name}.") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_atomically(target: Path, content: bytes) -> None:
    """Write so that a reader sees the whole file or none, and a crash leaves no half-written model."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=target.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
