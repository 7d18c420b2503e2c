"""Content Credentials (C2PA) for face-swap stills: what is stated, signing it, and two independent readers."""

from provenance.credentials.errors import CredentialError
from provenance.credentials.facts import DigitalSourceType, Ingredient, ManifestFacts, Relationship, SoftBinding
from provenance.credentials.isolation import EngineUnavailable
from provenance.credentials.reading import read
from provenance.credentials.report import CredentialReport, IngredientReport
from provenance.credentials.second import SecondReport, verify_second
from provenance.credentials.signing import MEDIA_TYPES, SignedPicture, sign

__all__ = [
    "MEDIA_TYPES",
    "CredentialError",
    "CredentialReport",
    "DigitalSourceType",
    "EngineUnavailable",
    "Ingredient",
    "IngredientReport",
    "ManifestFacts",
    "Relationship",
    "SecondReport",
    "SignedPicture",
    "SoftBinding",
    "read",
    "sign",
    "verify_second",
]
