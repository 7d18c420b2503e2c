"""What a manifest says about a face-swap still: facts as plain data, and the ingredients it was made of."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

_IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"


class DigitalSourceType(StrEnum):
    """How the pixels came to be, in IPTC's terms; say what is true of the engine that was used."""

    # Parts put together by a program, none of them made by a trained model.
    COMPOSITE_SYNTHETIC = _IPTC + "compositeSynthetic"
    # Parts put together, some of them made by a trained model.
    COMPOSITE_WITH_TRAINED_MODEL = _IPTC + "compositeWithTrainedAlgorithmicMedia"


class Relationship(StrEnum):
    """What an ingredient is to the output: the picture that was changed, or a part that was put in."""

    PARENT = "parentOf"
    COMPONENT = "componentOf"


@dataclass(frozen=True, slots=True)
class SoftBinding:
    """The watermark that leads back to the manifest: its registered `algorithm` name and 48-bit `ident`."""

    algorithm: str
    ident: int

    def value(self) -> bytes:
        """Return the six bytes, most significant first, that the manifest stores."""
        return self.ident.to_bytes(6, "big")


@dataclass(frozen=True, slots=True)
class Ingredient:
    """A picture that went into the output: its undecoded bytes, which are hashed and, for a source, not kept.

    `label` names it in the manifest ("target", "source"); never put a file name or a person's name there.
    """

    data: bytes = field(repr=False)
    media_type: str
    relationship: Relationship
    label: str

    @classmethod
    def target(cls, data: bytes, media_type: str) -> Ingredient:
        """Return the picture on which the face was put."""
        return cls(data, media_type, Relationship.PARENT, "target")

    @classmethod
    def source(cls, data: bytes, media_type: str, number: int = 0) -> Ingredient:
        """Return a photo of the face that was put on; `number` tells several apart."""
        return cls(data, media_type, Relationship.COMPONENT, f"source {number}" if number else "source")

    def sha256(self) -> str:
        """Return the SHA-256 of the bytes in hexadecimal."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True)
class ManifestFacts:
    """Everything that the manifest of one output states, beside what the ingredients say themselves.

    Hashes and digests are SHA-256 in lower-case hexadecimal. `models` maps the name of each model that took
    part to its digest. Nothing here may name or describe a person: a manifest travels with the picture.
    """

    title: str
    engine: str
    source_type: DigitalSourceType
    consent_receipts: tuple[str, ...]
    policy_version: str
    policy_sha256: str
    verdict_id: str
    models: Mapping[str, str]
    generator_version: str
    generator_name: str = "Assent"
    soft_binding: SoftBinding | None = None
