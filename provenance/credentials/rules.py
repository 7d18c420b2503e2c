"""Rules of C2PA that the reference engine leaves unchecked, applied to what it read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# C2PA 2.4, "Actions": every action that the specification defines under its own name.
KNOWN_ACTIONS = frozenset(
    "c2pa." + name
    for name in [
        "addedText",
        "adjustedColor",
        "changedSpeed",
        "color_adjustments",
        "converted",
        "created",
        "cropped",
        "deleted",
        "drawing",
        "dubbed",
        "edited",
        "edited.metadata",
        "enhanced",
        "filtered",
        "opened",
        "orientation",
        "placed",
        "printed",
        "published",
        "redacted",
        "removed",
        "repackaged",
        "resized",
        "resized.proportional",
        "transcoded",
        "transcribed",
        "translated",
        "trimmed",
        "unknown",
        "watermarked",
        "watermarked.bound",
        "watermarked.unbound",
    ]
)
# These say that we do not know its signer or that it is past its day, not that it was changed.
BENIGN_FAILURES = frozenset(
    {"signingCredential.untrusted", "signingCredential.expired", "claimSignature.outsideValidity"}
)

Json = Mapping[str, Any]


def assertions(manifest: Json, label: str) -> Iterator[Any]:
    """Yield the data of every assertion of this label, whatever its instance number or version."""
    for assertion in manifest.get("assertions") or ():
        name = str(assertion.get("label", "")).split("__")[0]
        if name == label or name.startswith(label + ".v"):
            yield assertion.get("data")


def problems(manifest: Json) -> tuple[str, ...]:
    """Return the codes of the rules that the active manifest breaks, sorted, without repeats."""
    return tuple(sorted({*_parent_problems(manifest), *_action_problems(manifest), *_ingredient_problems(manifest)}))


def failures(results: Json | None) -> set[str]:
    """Return all failure codes in an engine's validation results: the manifest's own and its ingredients'."""
    if not results:
        return set()
    codes = {str(item.get("code")) for item in (results.get("activeManifest") or {}).get("failure") or ()}
    for delta in results.get("ingredientDeltas") or ():
        codes |= {str(item.get("code")) for item in (delta.get("validationDeltas") or {}).get("failure") or ()}
    return codes


def ingredient_failures(ingredient: Json) -> set[str]:
    """Return what was wrong with an ingredient's own credentials when it was taken in, benign findings left out."""
    found = failures(ingredient.get("validation_results"))
    # Manifests of specification 1.x keep a flat list, failures only.
    found |= {str(item.get("code")) for item in ingredient.get("validation_status") or ()}
    return found - BENIGN_FAILURES


def _parent_problems(manifest: Json) -> Iterator[str]:
    parents = [i for i in manifest.get("ingredients") or () if i.get("relationship") == "parentOf"]
    if len(parents) > 1:
        yield "assent.multipleParents"


def _action_problems(manifest: Json) -> Iterator[str]:
    for data in assertions(manifest, "c2pa.actions"):
        for action in (data or {}).get("actions") or ():
            name = str(action.get("action", ""))
            if name.startswith("c2pa.") and name not in KNOWN_ACTIONS:
                yield "assent.unknownAction"


def _ingredient_problems(manifest: Json) -> Iterator[str]:
    for ingredient in manifest.get("ingredients") or ():
        if ingredient_failures(ingredient):
            yield "assent.ingredientTampered"
