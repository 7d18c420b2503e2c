"""Sealing: what passes comes out whole; whatever goes wrong, nothing comes out."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from provenance.credentials import (
    MEDIA_TYPES,
    CredentialReport,
    Ingredient,
    IngredientReport,
    SecondReport,
    SoftBinding,
    read,
    verify_second,
)
from provenance.pki import SigningIdentity
from provenance.release import Expected, ReleaseGate
from provenance.seal import Sealed, Sealer, SealRefused
from provenance.watermark import ALGORITHM, Reading, Watermarker
from tests.provenance.damage import DAMAGES
from tests.provenance.pictures import FACTS, IDENT, Pixels, decode, encode, encoder

Ingredients = tuple[Ingredient, Ingredient]
Seal = Callable[..., Sealed]


@pytest.fixture(scope="module")
def sealed(picture: Pixels, watermarker: Watermarker, identity: SigningIdentity, ingredients: Ingredients) -> Seal:
    """Return a function that seals the picture, with any part of the work replaced."""

    def seal(**changes: Any) -> Sealed:
        limit_s = changes.pop("limit_s", 20.0)
        marks = changes.pop("marks", watermarker)
        engines = {name: changes.pop(name) for name in ("read_credentials", "verify_second") if name in changes}
        who = changes.pop("identity", identity)
        gate = ReleaseGate(marks, who.trust_pem, limit_s=limit_s, **engines)
        arguments: dict[str, Any] = {
            "pixels": picture,
            "ident": IDENT,
            "media_type": "image/jpeg",
            "encode": encoder("image/jpeg"),
            "decode": decode,
            "facts": FACTS,
            "ingredients": ingredients,
        }
        return Sealer(watermarker, who, gate=gate, limit_s=limit_s).seal(**{**arguments, **changes})

    return seal


@pytest.mark.parametrize("kind", MEDIA_TYPES)
def test_a_sealed_picture_has_passed_every_check(sealed: Seal, kind: str, identity: SigningIdentity) -> None:
    done = sealed(media_type=kind, encode=encoder(kind))
    assert [(check.name, check.passed) for check in done.checks] == [
        ("credentials", True),
        ("second_verifier", True),
        ("watermark", True),
        ("soft_binding", True),
        ("ingredients", True),
    ]
    assert done.sha256 == hashlib.sha256(done.data).hexdigest()
    assert (done.ident, done.psnr_db > 36) == (IDENT, True)
    assert read(done.data, kind, identity.trust_pem).soft_bindings == (SoftBinding(ALGORITHM, IDENT),)


def test_checks_are_plain_data(sealed: Seal) -> None:
    assert sealed().checks[0].to_json() == {"name": "credentials", "passed": True, "code": "", "detail": "Trusted"}


def _raises(*_: Any) -> Any:
    raise RuntimeError("broken")


def _hangs(*_: Any) -> Any:
    threading.Event().wait(5)


def _answers(value: Any) -> Callable[..., Any]:
    return lambda *_: value


class _Marks:
    """A mark reader that does as it is told."""

    def __init__(self, behaviour: Callable[..., Any]) -> None:
        self._behaviour = behaviour

    def read(self, pixels: Pixels, *, search: bool = True) -> Any:
        return self._behaviour(pixels)


def _altered(change: Callable[[CredentialReport], CredentialReport]) -> Callable[..., CredentialReport]:
    return lambda data, kind, trust: change(read(data, kind, trust))


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "the engine raises": ({"read_credentials": _raises}, "credentials_check_failed"),
    "the engine hangs": ({"read_credentials": _hangs, "limit_s": 2.0}, "credentials_check_failed"),
    "the engine gives nothing": ({"read_credentials": _answers(None)}, "credentials_check_failed"),
    "the engine says invalid": (
        {"read_credentials": _altered(lambda r: replace(r, state="Invalid", codes=("assertion.dataHash.mismatch",)))},
        "credentials_not_trusted",
    ),
    "the signer is not trusted": (
        {"read_credentials": _altered(lambda r: replace(r, state="Valid"))},
        "credentials_not_trusted",
    ),
    "a rule is broken": (
        {"read_credentials": _altered(lambda r: replace(r, problems=("assent.unknownAction",)))},
        "credentials_not_trusted",
    ),
    "the second verifier raises": ({"verify_second": _raises}, "second_verifier_check_failed"),
    "the second verifier hangs": ({"verify_second": _hangs, "limit_s": 2.0}, "second_verifier_check_failed"),
    "the second verifier gives nothing": ({"verify_second": _answers(None)}, "second_verifier_check_failed"),
    "the second verifier disagrees": (
        {"verify_second": _answers(SecondReport("Invalid", ("claimSignature.mismatch",)))},
        "second_verifier_disagrees",
    ),
    "the second verifier says yes and names a failure": (
        {"verify_second": _answers(SecondReport("Trusted", ("claimSignature.mismatch",)))},
        "second_verifier_disagrees",
    ),
    "the mark cannot be read": ({"marks": _Marks(_answers(None))}, "watermark_not_readable"),
    "the mark is another": ({"marks": _Marks(_answers(Reading(1, 1.0)))}, "watermark_not_readable"),
    "the mark reader raises": ({"marks": _Marks(_raises)}, "watermark_check_failed"),
    "the mark reader hangs": ({"marks": _Marks(_hangs), "limit_s": 2.0}, "watermark_check_failed"),
    "the manifest names another id": (
        {"read_credentials": _altered(lambda r: replace(r, soft_bindings=(SoftBinding(ALGORITHM, 1),)))},
        "soft_binding_mismatch",
    ),
    "the manifest names no id": (
        {"read_credentials": _altered(lambda r: replace(r, soft_bindings=()))},
        "soft_binding_mismatch",
    ),
    "an ingredient is missing": (
        {"read_credentials": _altered(lambda r: replace(r, ingredients=r.ingredients[:1]))},
        "ingredients_unsound",
    ),
    "an ingredient was tampered with": (
        {
            "read_credentials": _altered(
                lambda r: replace(r, ingredients=tuple(replace(i, failures=("x.mismatch",)) for i in r.ingredients))
            )
        },
        "ingredients_unsound",
    ),
    "there are two parents": (
        {
            "read_credentials": _altered(
                lambda r: replace(r, ingredients=(*r.ingredients, IngredientReport("more", "parentOf", False, ())))
            )
        },
        "ingredients_unsound",
    ),
    "encoding fails": ({"encode": _raises}, "encode_failed"),
    "encoding hangs": ({"encode": _hangs, "limit_s": 2.0}, "encode_failed"),
    "encoding gives no picture": ({"encode": lambda pixels: b"nothing"}, "decode_failed"),
    "encoding changes the size": ({"encode": lambda pixels: encode(pixels[:-8])}, "decode_failed"),
    "encoding gives another kind": ({"media_type": "image/png"}, "signing_failed"),
    "decoding fails": ({"decode": _raises}, "decode_failed"),
    "the kind cannot be signed": ({"media_type": "image/gif"}, "media_type_unsupported"),
    "there is no target": ({"ingredients": ()}, "ingredients_wrong"),
    "the picture is too small": ({"pixels": np.zeros((50, 50, 3), np.uint8)}, "picture_too_small"),
    "the picture is flat": ({"pixels": np.zeros((500, 500, 3), np.uint8)}, "picture_too_flat"),
    "the picture is no array": ({"pixels": None}, "picture_invalid"),
    "the id has too many bits": ({"ident": 1 << 48}, "watermark_failed"),
}


@pytest.mark.parametrize(("fault", "code"), FAULTS.values(), ids=FAULTS.keys())
def test_nothing_comes_out_when(sealed: Seal, fault: dict[str, Any], code: str) -> None:
    with pytest.raises(SealRefused) as refused:
        sealed(**fault)
    assert refused.value.code == code
    assert refused.value.message


def test_a_refusal_by_the_gate_says_what_each_check_found(sealed: Seal) -> None:
    with pytest.raises(SealRefused) as refused:
        sealed(verify_second=_raises)
    assert [check.passed for check in refused.value.checks] == [True, False, True, True, True]


def test_nothing_comes_out_when_the_signing_callback_fails_or_hangs(sealed: Seal, identity: SigningIdentity) -> None:
    for callback in (_raises, _hangs):
        with pytest.raises(SealRefused) as refused:
            sealed(identity=replace(identity, sign=callback), limit_s=2.0)
        assert refused.value.code == "signing_failed"


def test_nothing_comes_out_when_the_certificate_does_not_lead_to_the_trusted_root(
    sealed: Seal, identity: SigningIdentity, stranger: SigningIdentity
) -> None:
    with pytest.raises(SealRefused) as refused:
        sealed(identity=replace(stranger, trust_pem=identity.trust_pem))
    assert refused.value.code == "credentials_not_trusted"


def test_a_target_changed_after_signing_is_refused(
    sealed: Seal, ingredients: Ingredients, identity: SigningIdentity
) -> None:
    bad = Ingredient.target(DAMAGES["pixels"](sealed().data, identity), "image/jpeg")
    with pytest.raises(SealRefused) as refused:
        sealed(ingredients=(bad, ingredients[1]))
    assert refused.value.code == "ingredient_tampered"


def test_an_output_may_become_the_target_of_the_next(sealed: Seal, ingredients: Ingredients) -> None:
    first = sealed()
    again = sealed(
        pixels=decode(first.data), ident=2, ingredients=(Ingredient.target(first.data, "image/jpeg"), ingredients[1])
    )
    assert again.ident == 2


def test_a_mark_that_the_encoder_destroys_is_made_stronger_once(sealed: Seal) -> None:
    """This encoder is so lossy that only the stronger mark survives it."""
    tried = []

    def lossy(pixels: Pixels) -> bytes:
        tried.append(pixels)
        return encode(cv2.GaussianBlur(pixels, (0, 0), 6) if len(tried) == 1 else pixels)

    done = sealed(encode=lossy)
    assert len(tried) == 2
    assert done.psnr_db < sealed().psnr_db


def test_a_mark_that_no_strength_saves_is_refused(sealed: Seal) -> None:
    with pytest.raises(SealRefused) as refused:
        sealed(encode=lambda pixels: encode(cv2.GaussianBlur(pixels, (0, 0), 20)))
    assert refused.value.code == "watermark_not_readable"


def test_the_gate_looks_at_the_final_bytes_and_not_at_what_went_in(
    watermarker: Watermarker, identity: SigningIdentity, sealed: Seal, ingredients: Ingredients
) -> None:
    gate = ReleaseGate(watermarker, identity.trust_pem)
    expected = Expected(SoftBinding(ALGORITHM, IDENT), ingredients)
    for damage in DAMAGES.values():
        checks = gate.check(damage(sealed().data, identity), "image/jpeg", decode, expected)
        assert not checks[0].passed
        assert not checks[1].passed


def test_the_gate_uses_the_real_verifiers_unless_told_otherwise() -> None:
    gate = ReleaseGate(_Marks(_answers(None)), "")
    assert gate._read_credentials is read
    assert gate._verify_second is verify_second
