"""What the model folder remembers about a model that an operator installed: its digest, origin and licence."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.errors import ModelUnavailable
from pipeline.models.files import write_atomically
from pipeline.models.licences import Terms

_FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class InstalledModel:
    """The pin of one installed model: everything that must be the same whenever the model is used.

    `sha256` is the digest of the ONNX file that runs, `source_sha256` that of the file it was made from, `origin`
    where that came from, without credentials. `licence`, `licence_ids` and `commercial_use` are the terms that were
    accepted at `installed_at` (UTC, ISO 8601).
    """

    name: str
    sha256: str
    source_sha256: str
    bytes: int
    origin: str
    licence: str
    licence_ids: tuple[str, ...]
    commercial_use: bool | None
    installed_at: str

    @property
    def terms(self) -> Terms:
        """The terms that were accepted."""
        return Terms(self.licence, self.licence_ids, self.commercial_use)

    @property
    def file(self) -> str:
        """The name of the model's file beside the record."""
        return f"{self.name}-{self.sha256[:12]}.onnx"


def write_record(path: Path, record: InstalledModel) -> None:
    """Write the record as indented JSON, whole or not at all."""
    text = json.dumps({"format": _FORMAT, **asdict(record)}, indent=2, ensure_ascii=False)
    write_atomically(path, (text + "\n").encode())


def read_record(path: Path, name: str) -> InstalledModel | None:
    """Return the record of the model, None where it is not installed; raises ModelUnavailable where it is damaged."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _damaged(path, name) from error
    try:
        if table.pop("format") != _FORMAT or table["name"] != name or len(table["sha256"]) != 64:
            raise _damaged(path, name)
        return InstalledModel(**{**table, "licence_ids": tuple(table["licence_ids"])})
    except (KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, name) from error


def _damaged(path: Path, name: str) -> ModelUnavailable:
    return ModelUnavailable(
        "model_changed", f"The record {path} of the model {name} is damaged.", f"Remove it and install {name} again."
    )
