"""The manifest definition of a face-swap still, after C2PA 2.4 and CAWG 1.3."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from provenance.credentials.facts import Ingredient, ManifestFacts, Relationship

SPEC_VERSION = "2.4.0"
FACE_SWAP_LABEL = "org.assent.face-swap"
SOFT_BINDING_LABEL = "c2pa.soft-binding"
ACTIONS_LABEL = "c2pa.actions.v2"
TRAINING_MINING_LABEL = "cawg.training-mining"
DISCLOSURE = "A face in this picture was replaced by software, with the recorded consent of the person shown."
# Every use that CAWG training and data mining 1.1 names; a consented likeness is not training data.
_MINING_USES = ("cawg.ai_inference", "cawg.ai_generative_training", "cawg.ai_training", "cawg.data_mining")


@dataclass(frozen=True, slots=True)
class IngredientUse:
    """An ingredient and what becomes of its own credentials: `kept` in the output's manifest store or not.

    `state` is what the engine said of them ("Trusted", "Valid"), or "none" where it has none.
    """

    ingredient: Ingredient
    state: str
    kept: bool


def manifest_definition(facts: ManifestFacts, uses: Sequence[IngredientUse], media_type: str) -> dict[str, Any]:
    """Return the JSON definition that the engine signs; ingredients that keep their credentials are added later."""
    return {
        "claim_version": 2,
        "claim_generator_info": [
            {"name": facts.generator_name, "version": facts.generator_version, "specVersion": SPEC_VERSION}
        ],
        "title": facts.title,
        "format": media_type,
        # Stated without their bytes: the engine takes no thumbnail, no metadata, no identifiers out of them.
        "ingredients": [ingredient_definition(use.ingredient) for use in uses if not use.kept],
        "assertions": [
            {"label": ACTIONS_LABEL, "data": {"actions": _actions(facts, uses), "allActionsIncluded": True}},
            *_soft_binding(facts),
            {
                "label": TRAINING_MINING_LABEL,
                "data": {"entries": {use: {"use": "notAllowed"} for use in _MINING_USES}},
            },
            {"label": FACE_SWAP_LABEL, "data": _face_swap(facts, uses)},
        ],
    }


def ingredient_definition(ingredient: Ingredient) -> dict[str, Any]:
    """Return an ingredient as the engine wants it: a label to refer to, and nothing personal."""
    return {
        "title": ingredient.label,
        "format": ingredient.media_type,
        "relationship": str(ingredient.relationship),
        "label": ingredient.label,
    }


def _actions(facts: ManifestFacts, uses: Sequence[IngredientUse]) -> list[dict[str, Any]]:
    """Return what was done, in order: target opened, faces placed, picture edited, watermark bound."""
    actions: list[dict[str, Any]] = []
    for relationship, action in ((Relationship.PARENT, "c2pa.opened"), (Relationship.COMPONENT, "c2pa.placed")):
        actions += [
            {"action": action, "parameters": {"ingredientIds": [use.ingredient.label]}}
            for use in uses
            if use.ingredient.relationship is relationship
        ]
    agent = {"name": facts.generator_name, "version": facts.generator_version}
    actions.append(
        {
            "action": "c2pa.edited",
            "digitalSourceType": str(facts.source_type),
            "description": DISCLOSURE,
            "softwareAgent": agent,
        }
    )
    if facts.soft_binding is not None:
        actions.append({"action": "c2pa.watermarked.bound", "softwareAgent": agent})
    return actions


def _soft_binding(facts: ManifestFacts) -> list[dict[str, Any]]:
    if facts.soft_binding is None:
        return []
    block = {"scope": {}, "value": list(facts.soft_binding.value())}
    data = {"alg": facts.soft_binding.algorithm, "blocks": [block]}
    return [{"label": SOFT_BINDING_LABEL, "data": data}]


def _face_swap(facts: ManifestFacts, uses: Sequence[IngredientUse]) -> dict[str, Any]:
    """Return our own assertion: who allowed it, by which policy, with which models, out of what."""
    return {
        "disclosure": DISCLOSURE,
        "engine": facts.engine,
        "consentReceipts": [{"alg": "sha256", "hash": receipt} for receipt in facts.consent_receipts],
        "policy": {"version": facts.policy_version, "alg": "sha256", "hash": facts.policy_sha256},
        "verdict": facts.verdict_id,
        "models": [{"name": name, "alg": "sha256", "hash": digest} for name, digest in sorted(facts.models.items())],
        "ingredients": [
            {
                "label": use.ingredient.label,
                "alg": "sha256",
                "hash": use.ingredient.sha256(),
                "credentials": use.state,
                "credentialsKept": use.kept,
            }
            for use in uses
        ],
    }
