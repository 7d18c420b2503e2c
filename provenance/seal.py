"""Sealing: watermark, encode, sign, and look at the result with every verifier before anybody may have it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from provenance.credentials import CredentialError, Ingredient, ManifestFacts, SignedPicture, SoftBinding, sign
from provenance.deadline import within
from provenance.pki import SigningIdentity
from provenance.release import Check, Decode, Expected, Pixels, ReleaseGate
from provenance.watermark import ALGORITHM, STANDARD, STRONG, MarkedPicture, Strength, Watermarker, WatermarkError

Encode = Callable[[Pixels], bytes]
T = TypeVar("T")
STEP_LIMIT_S = 60.0


class SealRefused(Exception):
    """The picture may not leave. `code` is stable, `message` is for people, `checks` is what the gate found."""

    def __init__(self, code: str, message: str, hint: str = "", checks: tuple[Check, ...] = ()) -> None:
        super().__init__(message)
        self.code, self.message, self.hint, self.checks = code, message, hint, checks


@dataclass(frozen=True, slots=True)
class Sealed:
    """A file that passed the gate.

    `data` the signed file, `manifest` its manifest store, kept for copies that lose theirs, `ident` the watermark,
    `psnr_db` how little the watermark changed, `sha256` of `data` in hexadecimal, `checks` what the gate found.
    """

    data: bytes
    manifest: bytes
    ident: int
    psnr_db: float
    sha256: str
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class _Job:
    """One picture on its way through the steps."""

    pixels: Pixels
    media_type: str
    encode: Encode
    decode: Decode
    facts: ManifestFacts
    expected: Expected


class Sealer:
    """Seals pictures with one watermark key and one signing identity. May be used from many threads."""

    def __init__(
        self,
        watermarker: Watermarker,
        identity: SigningIdentity,
        *,
        gate: ReleaseGate | None = None,
        limit_s: float = STEP_LIMIT_S,
    ) -> None:
        self._watermarker = watermarker
        self._identity = identity
        self._gate = gate or ReleaseGate(watermarker, identity.trust_pem)
        self._limit_s = limit_s

    def seal(
        self,
        pixels: Pixels,
        *,
        ident: int,
        media_type: str,
        encode: Encode,
        decode: Decode,
        facts: ManifestFacts,
        ingredients: Sequence[Ingredient],
    ) -> Sealed:
        """Return the finished file, or raise `SealRefused` and return nothing.

        `pixels` is BGR uint8 (h, w, 3); `encode` makes the file, `decode` gives BGR pixels of the same shape back. The
        soft binding in `facts` is set here. A mark that does not survive the encoder is made stronger once.
        """
        soft_binding = SoftBinding(ALGORITHM, ident)
        job = _Job(
            pixels,
            media_type,
            encode,
            decode,
            replace(facts, soft_binding=soft_binding),
            Expected(soft_binding, tuple(ingredients)),
        )
        sealed = self._attempt(job, STANDARD) or self._attempt(job, STRONG)
        if sealed is None:
            raise SealRefused("watermark_not_readable", "the watermark does not survive the encoding of this picture")
        return sealed

    def _attempt(self, job: _Job, strength: Strength) -> Sealed | None:
        """Return the sealed file, None where only the watermark failed; raise `SealRefused` for anything else."""
        ident = job.expected.soft_binding.ident
        marked = self._mark(job.pixels, ident, strength)
        encoded = self._step("encode_failed", lambda: job.encode(marked.pixels))
        decoded = self._step("decode_failed", lambda: job.decode(encoded))
        if decoded.shape != job.pixels.shape:
            raise SealRefused("decode_failed", f"encoding changed the shape from {job.pixels.shape} to {decoded.shape}")
        reading = self._step("watermark_check_failed", lambda: self._watermarker.read(decoded, search=False))
        if reading is None or reading.ident != ident:
            return None
        signed = self._sign(job, encoded)
        checks = self._gate.check(signed.data, job.media_type, job.decode, job.expected)
        failed = [check for check in checks if check.passed is not True]
        if not failed and len(checks) > 0:
            digest = hashlib.sha256(signed.data).hexdigest()
            return Sealed(signed.data, signed.manifest_bytes, ident, marked.psnr_db, digest, checks)
        if [check.code for check in failed] == ["watermark_not_readable"]:
            return None
        raise SealRefused(failed[0].code, f"the release check failed: {failed[0].detail}", checks=checks)

    def _mark(self, pixels: Pixels, ident: int, strength: Strength) -> MarkedPicture:
        try:
            return within(self._limit_s, lambda: self._watermarker.embed(pixels, ident, strength=strength))
        except WatermarkError as error:
            raise SealRefused(error.code, error.message, error.hint) from error
        except Exception as error:
            raise SealRefused("watermark_failed", f"the picture could not be marked: {error}") from error

    def _sign(self, job: _Job, encoded: bytes) -> SignedPicture:
        try:
            return within(
                self._limit_s,
                lambda: sign(encoded, job.media_type, job.facts, job.expected.ingredients, self._identity),
            )
        except CredentialError as error:
            raise SealRefused(error.code, error.message, error.hint) from error
        except Exception as error:
            raise SealRefused("signing_failed", f"the file could not be signed: {error}") from error

    def _step(self, code: str, call: Callable[[], T]) -> T:
        try:
            return within(self._limit_s, call)
        except Exception as error:
            raise SealRefused(code, f"{type(error).__name__}: {error}") from error
