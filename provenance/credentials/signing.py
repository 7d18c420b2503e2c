"""Signing a finished file with the reference engine and a key that only a callback can use."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import c2pa

from provenance.credentials.engine_settings import engine_settings
from provenance.credentials.errors import CredentialError
from provenance.credentials.facts import Ingredient, ManifestFacts, Relationship
from provenance.credentials.manifest import IngredientUse, ingredient_definition, manifest_definition
from provenance.credentials.reading import read
from provenance.pki import SigningIdentity

# Every embedded manifest store is a JUMBF box of this type and label; a file without it spares the engine a look.
_MANIFEST_TYPE = b"c2pa"
MEDIA_TYPES = ("image/jpeg", "image/png", "image/webp")


@dataclass(frozen=True, slots=True)
class SignedPicture:
    """A signed file, `data`, and its manifest store on its own, to be kept for copies that lost theirs."""

    data: bytes
    manifest_bytes: bytes


def sign(
    data: bytes,
    media_type: str,
    facts: ManifestFacts,
    ingredients: Sequence[Ingredient],
    identity: SigningIdentity,
) -> SignedPicture:
    """Return the file with Content Credentials embedded.

    Raises `CredentialError`: `media_type_unsupported`, `ingredients_wrong`, `ingredient_tampered`,
    `signing_failed` (the signing callback's own exception is its cause).
    """
    if media_type not in MEDIA_TYPES:
        raise CredentialError("media_type_unsupported", f"{media_type} cannot be signed", f"Use {MEDIA_TYPES}.")
    _check(ingredients)
    uses = [_prepare(ingredient, identity) for ingredient in ingredients]
    callback = _Callback(identity)
    output = io.BytesIO()
    try:
        signer = c2pa.Signer.from_callback(callback, c2pa.C2paSigningAlg.ES256, identity.chain_pem, None)
        with c2pa.Context.from_dict(engine_settings(identity.trust_pem), signer) as context:
            builder = c2pa.Builder(manifest_definition(facts, uses, media_type), context)
            for use in uses:
                if use.kept:
                    stream = io.BytesIO(use.ingredient.data)
                    builder.add_ingredient(ingredient_definition(use.ingredient), use.ingredient.media_type, stream)
            manifest = builder.sign(media_type, io.BytesIO(data), output)
    except c2pa.C2paError as error:
        # The engine reports a failed callback as a bad signature; what really happened is in the callback.
        cause = callback.error or error
        raise CredentialError("signing_failed", f"the file could not be signed: {cause}") from cause
    return SignedPicture(output.getvalue(), manifest)


class _Callback:
    """Passes bytes to the identity's callback and keeps the exception that the engine would swallow."""

    def __init__(self, identity: SigningIdentity) -> None:
        self._identity = identity
        self.error: Exception | None = None

    def __call__(self, data: bytes) -> bytes:
        try:
            return self._identity.sign(data)
        except Exception as error:
            self.error = error
            raise


def _check(ingredients: Sequence[Ingredient]) -> None:
    parents = sum(item.relationship is Relationship.PARENT for item in ingredients)
    labels = {item.label for item in ingredients}
    if parents != 1 or len(labels) != len(ingredients):
        raise CredentialError(
            "ingredients_wrong", "a face swap has one target, and ingredients with labels of their own"
        )


def _prepare(ingredient: Ingredient, identity: SigningIdentity) -> IngredientUse:
    """Return what becomes of an ingredient's own credentials.

    A target keeps them, so that its history goes on. A source never does, and neither does a target whose
    manifests hold thumbnails: those would carry the faces that this output must not show.
    """
    if _MANIFEST_TYPE not in ingredient.data:
        return IngredientUse(ingredient, "none", kept=False)
    report = read(ingredient.data, ingredient.media_type, identity.trust_pem)
    if report.state in {"none", "unreadable"}:
        return IngredientUse(ingredient, report.state, kept=False)
    if report.changes:
        raise CredentialError(
            "ingredient_tampered",
            f"the {ingredient.label} picture was changed after it was signed: {', '.join(report.changes)}",
            "Use the picture as it was signed, or a copy without Content Credentials.",
        )
    kept = ingredient.relationship is Relationship.PARENT and not report.holds_thumbnail
    return IngredientUse(ingredient, report.state, kept)
