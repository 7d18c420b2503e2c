"""Reads catalogue.toml, the list of models that Assent knows, each pinned by SHA-256."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

CONVERTERS = ("none", "tflite", "dlib")


@dataclass(frozen=True)
class ModelEntry:
    """One model: where it comes from, what it may be used for, and how it is fed.

    `distribution` and `version` name the installed package, `file` the path inside site-packages.
    `source_sha256` is the digest of that file, `sha256` that of the ONNX file that runs (the same where
    `converter` is "none"). `inputs` and `outputs` map tensor names to shapes; a dimension that varies is a
    string. `constants` are the numbers that a caller needs to feed the model (means, scales).
    """

    name: str
    role: str
    distribution: str
    version: str
    file: str
    source_sha256: str
    converter: str
    sha256: str
    licence: str
    commercial_use: bool
    inputs: Mapping[str, tuple[int | str, ...]]
    outputs: Mapping[str, tuple[int | str, ...]]
    constants: Mapping[str, Any]


@cache
def load_catalogue() -> Mapping[str, ModelEntry]:
    """Return the shipped catalogue by model name; raises ValueError where the file contradicts itself."""
    table = tomllib.loads(files("pipeline.models").joinpath("catalogue.toml").read_text(encoding="utf-8"))
    return MappingProxyType({name: _entry(name, row) for name, row in table.items()})


def _entry(name: str, row: dict[str, Any]) -> ModelEntry:
    converter = row["converter"]
    if converter not in CONVERTERS:
        raise ValueError(f"model {name}: unknown converter {converter!r}")
    if converter == "none" and row["sha256"] != row["source_sha256"]:
        raise ValueError(f"model {name}: a model that is not converted has one digest only")
    return ModelEntry(
        name=name,
        role=row["role"],
        distribution=row["distribution"],
        version=row["version"],
        file=row["file"],
        source_sha256=row["source_sha256"],
        converter=converter,
        sha256=row["sha256"],
        licence=row["licence"],
        commercial_use=bool(row["commercial_use"]),
        inputs=_shapes(row["inputs"]),
        outputs=_shapes(row["outputs"]),
        constants=MappingProxyType(dict(row.get("constants", {}))),
    )


def _shapes(table: dict[str, list[int | str]]) -> Mapping[str, tuple[int | str, ...]]:
    return MappingProxyType({name: tuple(shape) for name, shape in table.items()})
