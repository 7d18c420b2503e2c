"""What was read out of a file's Content Credentials, as plain data."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from provenance.credentials.facts import SoftBinding
from provenance.credentials.manifest import FACE_SWAP_LABEL, SOFT_BINDING_LABEL
from provenance.credentials.rules import BENIGN_FAILURES, assertions, failures, ingredient_failures, problems


@dataclass(frozen=True, slots=True)
class IngredientReport:
    """One ingredient of the active manifest and what was found wrong with its own credentials."""

    label: str
    relationship: str
    has_credentials: bool
    failures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CredentialReport:
    """What the reference engine and our own rules say about a file.

    `state` is "Trusted" (intact, signer trusted), "Valid" (intact, signer unknown), "Invalid" (changed or
    broken), "unreadable" or "none" (no credentials). `codes` are C2PA failure codes, `problems` rules that
    the engine leaves to us. `manifest` is the active manifest, `face_swap` our own assertion in it.
    """

    state: str
    codes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    manifest: Mapping[str, Any] | None = None
    soft_bindings: tuple[SoftBinding, ...] = ()
    face_swap: Mapping[str, Any] | None = None
    ingredients: tuple[IngredientReport, ...] = ()
    holds_thumbnail: bool = False
    note: str = ""

    @property
    def sound(self) -> bool:
        """Whether the file is intact, its signer trusted, and no rule broken."""
        return self.state == "Trusted" and not self.codes and not self.problems

    @property
    def changes(self) -> tuple[str, ...]:
        """The findings that say the file or its history was changed, not merely that a signer is unknown."""
        return tuple(sorted((set(self.codes) - BENIGN_FAILURES) | set(self.problems)))


def report_from_engine(answer: Mapping[str, Any]) -> CredentialReport:
    """Return the report for the reference engine's answer; raises `KeyError` and the like where it is malformed."""
    if answer["state"] is None:
        return CredentialReport(state="none")
    store = answer["store"]
    manifest = store["manifests"][store["active_manifest"]]
    return CredentialReport(
        state=str(answer["state"]),
        codes=tuple(sorted(failures(answer["results"]))),
        problems=problems(manifest),
        manifest=manifest,
        soft_bindings=_soft_bindings(manifest),
        face_swap=next((data for data in assertions(manifest, FACE_SWAP_LABEL) if isinstance(data, dict)), None),
        ingredients=tuple(_ingredient(item) for item in manifest.get("ingredients") or ()),
        holds_thumbnail=_mentions_thumbnail(store),
    )


def _ingredient(item: Mapping[str, Any]) -> IngredientReport:
    return IngredientReport(
        label=str(item.get("title", "")),
        relationship=str(item.get("relationship", "")),
        has_credentials="active_manifest" in item,
        failures=tuple(sorted(ingredient_failures(item))),
    )


def _soft_bindings(manifest: Mapping[str, Any]) -> tuple[SoftBinding, ...]:
    """Return every six-byte soft binding; values of other schemes are not ours to interpret."""
    found = []
    for data in assertions(manifest, SOFT_BINDING_LABEL):
        for block in data["blocks"]:
            value = _bytes(block["value"])
            if len(value) == 6:
                found.append(SoftBinding(str(data["alg"]), int.from_bytes(value, "big")))
    return tuple(found)


def _bytes(value: Any) -> bytes:
    """Return a value that JSON shows as base64 text or as a list of integers; empty for anything else."""
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else bytes(value)
    except (binascii.Error, TypeError, ValueError):
        return b""


def _mentions_thumbnail(store: Any) -> bool:
    """Return whether any manifest or ingredient in the store carries a thumbnail."""
    if isinstance(store, dict):
        label = str(store.get("label", ""))
        return "thumbnail" in store or "thumbnail" in label or any(map(_mentions_thumbnail, store.values()))
    if isinstance(store, list):
        return any(map(_mentions_thumbnail, store))
    return False
