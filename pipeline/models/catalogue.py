"""The catalogue: every model that Assent knows, where it comes from, and what it may be used for."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from pipeline.errors import ModelUnavailable
from pipeline.models.licences import Terms

CONVERTERS: Final = ("none", "tflite", "dlib", "minifasnet")

Origin = Literal["package", "operator"]
Shape = tuple[int | str, ...]

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_DEFAULT_MAX_BYTES: Final = 2 << 30

_COMMON: Final = frozenset(
    {"role", "version", "file", "source_sha256", "converter", "sha256", "licence", "licence_ids"}
    | {"commercial_use", "inputs", "outputs", "constants"}
)
_FIELDS: Final[Mapping[Origin, frozenset[str]]] = {
    "package": _COMMON | {"distribution"},
    "operator": _COMMON | {"family", "project", "url", "max_bytes", "notes"},
}


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """One model: where it comes from, what it may be used for, and how it is fed.

    A model whose `origin` is "package" ships inside the installed package `distribution`, as the `file` inside
    site-packages. One whose origin is "operator" is supplied by the operator, who gets it from `project` (or from
    `url`); `file` is how it is named there. `source_sha256` is the digest of that file, `sha256` that of the ONNX
    file that runs (the same where `converter` is "none"); both are empty where the catalogue cannot know them, and
    then the digest is pinned when the model is installed. `licence` is for people, `licence_ids` are what settings
    name; `commercial_use` is None where nobody has settled it. `inputs` and `outputs` map tensor names to shapes; a
    dimension that varies is a string. `constants` are the numbers that a caller needs to feed the model.
    """

    name: str
    role: str
    family: str = ""
    origin: Origin = "package"
    distribution: str = ""
    version: str
    project: str = ""
    url: str = ""
    file: str
    source_sha256: str = ""
    converter: str = "none"
    sha256: str = ""
    max_bytes: int = _DEFAULT_MAX_BYTES
    licence: str
    licence_ids: tuple[str, ...]
    commercial_use: bool | None
    inputs: Mapping[str, Shape]
    outputs: Mapping[str, Shape]
    constants: Mapping[str, Any]
    notes: str = ""

    @property
    def terms(self) -> Terms:
        """What the model may be used for, as the catalogue has it."""
        return Terms(self.licence, self.licence_ids, self.commercial_use)


Catalogue = Mapping[str, ModelEntry]


@cache
def load_catalogue() -> Catalogue:
    """Return the models that ship inside packages, by name; raises ValueError where the file contradicts itself."""
    return _shipped("catalogue.toml", "package")


@cache
def load_operator_catalogue() -> Catalogue:
    """Return the models that Assent can run and an operator supplies, by name."""
    return _shipped("operator.toml", "operator")


def full_catalogue(*extensions: Path) -> Catalogue:
    """Return both shipped catalogues, extended by an operator's own files in the order given.

    An extension may add models and describe an operator-supplied one anew, not a packaged one.

    Raises:
        ModelUnavailable: `catalogue_broken`, a file cannot be read or contradicts itself.

    """
    merged = {**load_catalogue(), **load_operator_catalogue()}
    for path in extensions:
        merged.update(read_catalogue(path))
    return MappingProxyType(merged)


def read_catalogue(path: Path) -> Catalogue:
    """Read an operator's catalogue file; raises ModelUnavailable (`catalogue_broken`) with what is wrong in it."""
    try:
        entries = _entries(path.read_text(encoding="utf-8"), "operator")
        for name in entries.keys() & load_catalogue().keys():
            raise ValueError(f"model {name}: it ships in a package and cannot be described anew")  # noqa: TRY301
    except (OSError, ValueError, TypeError) as error:
        raise ModelUnavailable(
            "catalogue_broken", f"The model catalogue {path} cannot be used: {error}", "Correct or remove the file."
        ) from error
    return entries


def _shipped(file: str, origin: Origin) -> Catalogue:
    return _entries(files("pipeline.models").joinpath(file).read_text(encoding="utf-8"), origin)


def _entries(text: str, origin: Origin) -> Catalogue:
    table = tomllib.loads(text)
    return MappingProxyType({name: _entry(name, row, origin) for name, row in table.items()})


def _entry(name: str, row: Any, origin: Origin) -> ModelEntry:
    def complain(what: str) -> ValueError:
        return ValueError(f"model {name}: {what}")

    if not _NAME.fullmatch(name) or not isinstance(row, dict):
        raise complain("a name has lower-case letters, digits, dots, hyphens and underscores, and heads a table")
    if unknown := row.keys() - _FIELDS[origin]:
        raise complain(f"unknown field {', '.join(sorted(unknown))}")
    if missing := {"role", "version", "file", "licence", "licence_ids", "commercial_use", "inputs"} - row.keys():
        raise complain(f"the field {', '.join(sorted(missing))} is missing")
    converter, digests = row.get("converter", "none"), [row.get(key, "") for key in ("source_sha256", "sha256")]
    if converter not in CONVERTERS:
        raise complain(f"unknown converter {converter!r}")
    if not all(_DIGEST.fullmatch(digest) or (not digest and origin == "operator") for digest in digests):
        raise complain("a digest is 64 hexadecimal digits")
    if converter == "none" and digests[0] != digests[1]:
        raise complain("a model that is not converted has one digest only")
    try:
        return _model_entry(name, row, origin)
    except (TypeError, ValueError, AttributeError) as error:
        raise complain(str(error)) from error


def _model_entry(name: str, row: dict[str, Any], origin: Origin) -> ModelEntry:
    read: dict[str, Any] = dict(row)
    read["inputs"], read["outputs"] = _shapes(row["inputs"]), _shapes(row.get("outputs", {}))
    read["constants"] = MappingProxyType(dict(row.get("constants", {})))
    read["licence_ids"] = tuple(str(identifier) for identifier in row["licence_ids"])
    read["commercial_use"] = _permission(row["commercial_use"])
    if origin == "operator":
        read.setdefault("family", name)
    return ModelEntry(name=name, origin=origin, **read)


def _permission(value: object) -> bool | None:
    if value is True or value is False:
        return value
    if value == "unknown":
        return None
    raise ValueError('commercial_use is true, false or "unknown"')


def _shapes(table: Mapping[str, list[int | str]]) -> Mapping[str, Shape]:
    return MappingProxyType({name: tuple(shape) for name, shape in table.items()})
