"""What a signed still says, that both verifiers accept it, and that they reject it after the smallest change."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from provenance.credentials import (
    MEDIA_TYPES,
    CredentialError,
    CredentialReport,
    DigitalSourceType,
    Ingredient,
    SoftBinding,
    read,
    sign,
    verify_second,
)
from provenance.pki import SigningIdentity
from tests.provenance.credentials.crafted import signed
from tests.provenance.damage import DAMAGES, with_one_changed_pixel
from tests.provenance.pictures import FACTS, IDENT, Pixels, decode, encode

BOUND = replace(FACTS, soft_binding=SoftBinding("org.assent.watermark.v1", IDENT))
Ingredients = tuple[Ingredient, Ingredient]


@pytest.fixture(scope="module")
def files(picture: Pixels, ingredients: Ingredients, identity: SigningIdentity) -> dict[str, bytes]:
    """One signed file of each kind."""
    return {kind: sign(encode(picture, kind), kind, BOUND, ingredients, identity).data for kind in MEDIA_TYPES}


@pytest.fixture(scope="module")
def report(files: dict[str, bytes], identity: SigningIdentity) -> CredentialReport:
    return read(files["image/jpeg"], "image/jpeg", identity.trust_pem)


def _actions(report: CredentialReport) -> list[dict[str, object]]:
    assert report.manifest is not None
    data = next(item["data"] for item in report.manifest["assertions"] if item["label"] == "c2pa.actions.v2")
    assert data["allActionsIncluded"] is True
    return list(data["actions"])


@pytest.mark.parametrize("kind", MEDIA_TYPES)
def test_both_verifiers_accept_every_kind_of_still(
    files: dict[str, bytes], kind: str, identity: SigningIdentity
) -> None:
    report = read(files[kind], kind, identity.trust_pem)
    assert (report.state, report.codes, report.problems) == ("Trusted", (), ())
    assert verify_second(files[kind], kind, identity.trust_pem).valid


@pytest.mark.parametrize("kind", MEDIA_TYPES)
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_both_verifiers_reject_one_flipped_bit(
    files: dict[str, bytes],
    kind: str,
    damage: Callable[[bytes, SigningIdentity], bytes],
    identity: SigningIdentity,
) -> None:
    changed = damage(files[kind], identity)
    first, second = read(changed, kind, identity.trust_pem), verify_second(changed, kind, identity.trust_pem)
    assert (first.sound, second.valid) == (False, False)
    assert first.codes
    assert second.codes


def test_both_verifiers_reject_one_changed_pixel(files: dict[str, bytes], identity: SigningIdentity) -> None:
    changed = with_one_changed_pixel(files["image/png"])
    assert (decode(changed) != decode(files["image/png"])).sum() == 1
    first = read(changed, "image/png", identity.trust_pem)
    assert first.codes == ("assertion.dataHash.mismatch",)
    assert verify_second(changed, "image/png", identity.trust_pem).codes == ("assertion.dataHash.mismatch",)


def test_a_signer_whose_root_is_not_ours_is_not_trusted(
    picture: Pixels, ingredients: Ingredients, identity: SigningIdentity, stranger: SigningIdentity
) -> None:
    data = sign(encode(picture), "image/jpeg", BOUND, ingredients, stranger).data
    first = read(data, "image/jpeg", identity.trust_pem)
    second = verify_second(data, "image/jpeg", identity.trust_pem)
    assert (first.state, first.codes) == ("Valid", ("signingCredential.untrusted",))
    assert (second.state, second.valid) == ("Valid", False)
    assert not read(data, "image/jpeg", None).sound
    assert not verify_second(data, "image/jpeg", None).valid


def test_the_actions_tell_what_was_done_in_order(report: CredentialReport) -> None:
    names = [action["action"] for action in _actions(report)]
    assert names == ["c2pa.opened", "c2pa.placed", "c2pa.edited", "c2pa.watermarked.bound"]


def test_the_source_type_is_that_of_the_engine(
    picture: Pixels, ingredients: Ingredients, identity: SigningIdentity, report: CredentialReport
) -> None:
    assert _actions(report)[2]["digitalSourceType"] == DigitalSourceType.COMPOSITE_SYNTHETIC
    facts = replace(FACTS, source_type=DigitalSourceType.COMPOSITE_WITH_TRAINED_MODEL)
    data = sign(encode(picture), "image/jpeg", facts, ingredients, identity).data
    other = _actions(read(data, "image/jpeg", identity.trust_pem))
    assert str(other[2]["digitalSourceType"]).endswith("compositeWithTrainedAlgorithmicMedia")


def test_without_a_watermark_the_manifest_claims_none(
    picture: Pixels, ingredients: Ingredients, identity: SigningIdentity
) -> None:
    report = read(
        sign(encode(picture), "image/jpeg", FACTS, ingredients, identity).data, "image/jpeg", identity.trust_pem
    )
    assert report.soft_bindings == ()
    assert "c2pa.watermarked.bound" not in [action["action"] for action in _actions(report)]


def test_the_soft_binding_names_the_watermark(report: CredentialReport) -> None:
    assert report.soft_bindings == (BOUND.soft_binding,)


def test_our_assertion_holds_consent_policy_verdict_models_and_digests(
    report: CredentialReport, ingredients: Ingredients
) -> None:
    said = report.face_swap
    assert said is not None
    assert said["consentReceipts"] == [{"alg": "sha256", "hash": "ab" * 32}]
    assert said["policy"] == {"version": "standard-1", "alg": "sha256", "hash": "cd" * 32}
    assert (said["verdict"], said["engine"]) == ("verdict-17", "mesh")
    assert said["models"] == [{"name": "face_mesh", "alg": "sha256", "hash": "ef" * 32}]
    assert [item["hash"] for item in said["ingredients"]] == [item.sha256() for item in ingredients]


def test_training_on_the_picture_is_not_allowed(report: CredentialReport) -> None:
    assert report.manifest is not None
    entries = next(i["data"]["entries"] for i in report.manifest["assertions"] if "training" in i["label"])
    assert len(entries) == 4
    assert {entry["use"] for entry in entries.values()} == {"notAllowed"}


def test_the_claim_generator_names_the_specification(report: CredentialReport) -> None:
    assert report.manifest is not None
    generator = report.manifest["claim_generator_info"][0]
    assert (generator["name"], generator["version"], generator["specVersion"]) == ("Assent", "0.1.0", "2.4.0")


def test_target_and_source_are_ingredients_without_thumbnails(report: CredentialReport) -> None:
    assert {(item.label, item.relationship) for item in report.ingredients} == {
        ("target", "parentOf"),
        ("source", "componentOf"),
    }
    assert not report.holds_thumbnail


def test_nothing_of_the_source_gets_into_the_output(
    picture: Pixels, ingredients: Ingredients, identity: SigningIdentity
) -> None:
    private = signed(ingredients[0].data, identity, thumbnails=True)
    source = Ingredient.source(private, "image/jpeg")
    assert read(private, "image/jpeg", identity.trust_pem).holds_thumbnail
    done = sign(encode(picture), "image/jpeg", BOUND, (ingredients[0], source), identity)
    report = read(done.data, "image/jpeg", identity.trust_pem)
    assert not report.holds_thumbnail
    assert len(done.manifest_bytes) < 20_000
    assert report.face_swap is not None
    assert report.face_swap["ingredients"][1]["credentials"] == "Trusted"
    assert report.face_swap["ingredients"][1]["credentialsKept"] is False


def test_a_target_keeps_its_own_credentials(
    picture: Pixels, ingredients: Ingredients, identity: SigningIdentity, stranger: SigningIdentity
) -> None:
    target = Ingredient.target(signed(ingredients[0].data, stranger), "image/jpeg")
    data = sign(encode(picture), "image/jpeg", BOUND, (target, ingredients[1]), identity).data
    report = read(data, "image/jpeg", identity.trust_pem)
    assert report.sound
    assert verify_second(data, "image/jpeg", identity.trust_pem).valid
    parent = next(item for item in report.ingredients if item.relationship == "parentOf")
    assert (parent.has_credentials, parent.failures) == (True, ())


def test_a_target_whose_credentials_hold_a_thumbnail_does_not_bring_it_along(
    picture: Pixels, ingredients: Ingredients, identity: SigningIdentity
) -> None:
    target = Ingredient.target(signed(ingredients[0].data, identity, thumbnails=True), "image/jpeg")
    data = sign(encode(picture), "image/jpeg", BOUND, (target, ingredients[1]), identity).data
    assert not read(data, "image/jpeg", identity.trust_pem).holds_thumbnail


def test_a_target_changed_after_signing_is_refused(
    picture: Pixels, ingredients: Ingredients, identity: SigningIdentity
) -> None:
    bad = DAMAGES["pixels"](signed(ingredients[0].data, identity), identity)
    with pytest.raises(CredentialError, match=r"dataHash\.mismatch") as refused:
        sign(encode(picture), "image/jpeg", BOUND, (Ingredient.target(bad, "image/jpeg"), ingredients[1]), identity)
    assert refused.value.code == "ingredient_tampered"


def test_the_manifest_bytes_are_the_ones_in_the_file(
    picture: Pixels, ingredients: Ingredients, identity: SigningIdentity
) -> None:
    done = sign(encode(picture, "image/png"), "image/png", BOUND, ingredients, identity)
    assert done.manifest_bytes in done.data


def test_the_reason_of_a_failed_callback_is_told(
    picture: Pixels, ingredients: Ingredients, identity: SigningIdentity
) -> None:
    def unplugged(data: bytes) -> bytes:
        raise ConnectionError("the HSM is unplugged")

    with pytest.raises(CredentialError, match="unplugged") as refused:
        sign(encode(picture), "image/jpeg", BOUND, ingredients, replace(identity, sign=unplugged))
    assert refused.value.code == "signing_failed"
    assert isinstance(refused.value.__cause__, ConnectionError)


def test_a_signature_by_another_key_is_caught_by_both_verifiers(
    picture: Pixels, ingredients: Ingredients, identity: SigningIdentity, stranger: SigningIdentity
) -> None:
    try:
        data = sign(encode(picture), "image/jpeg", BOUND, ingredients, replace(identity, sign=stranger.sign)).data
    except CredentialError as error:
        assert error.code == "signing_failed"
    else:
        assert not read(data, "image/jpeg", identity.trust_pem).sound
        assert not verify_second(data, "image/jpeg", identity.trust_pem).valid


def test_der_signatures_are_taken_too(picture: Pixels, ingredients: Ingredients, identity: SigningIdentity) -> None:
    def der(data: bytes) -> bytes:
        raw = identity.sign(data)
        return encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))

    data = sign(encode(picture), "image/jpeg", BOUND, ingredients, replace(identity, sign=der)).data
    assert read(data, "image/jpeg", identity.trust_pem).sound


@pytest.mark.parametrize("chosen", [(), (0,), (0, 0), (1,)])
def test_a_swap_has_one_target_and_distinct_labels(
    picture: Pixels, ingredients: Ingredients, identity: SigningIdentity, chosen: tuple[int, ...]
) -> None:
    picked = [ingredients[index] for index in chosen]
    if chosen == (0,):
        assert sign(encode(picture), "image/jpeg", BOUND, picked, identity).data
        return
    with pytest.raises(CredentialError) as refused:
        sign(encode(picture), "image/jpeg", BOUND, picked, identity)
    assert refused.value.code == "ingredients_wrong"


def test_other_formats_are_refused(ingredients: Ingredients, identity: SigningIdentity) -> None:
    with pytest.raises(CredentialError) as refused:
        sign(b"GIF89a", "image/gif", BOUND, ingredients, identity)
    assert refused.value.code == "media_type_unsupported"


def test_a_file_that_is_not_what_it_says_is_not_signed(ingredients: Ingredients, identity: SigningIdentity) -> None:
    with pytest.raises(CredentialError) as refused:
        sign(b"not a picture at all", "image/jpeg", BOUND, ingredients, identity)
    assert refused.value.code == "signing_failed"


def test_many_threads_sign_at_once(picture: Pixels, ingredients: Ingredients, identity: SigningIdentity) -> None:
    data = encode(picture)
    with ThreadPoolExecutor(4) as pool:
        done = list(
            pool.map(
                lambda ident: (
                    sign(
                        data,
                        "image/jpeg",
                        replace(FACTS, soft_binding=SoftBinding("org.assent.watermark.v1", ident)),
                        ingredients,
                        identity,
                    ).data
                ),
                range(8),
            )
        )
    bound = [read(item, "image/jpeg", identity.trust_pem).soft_bindings[0].ident for item in done]
    assert bound == list(range(8))
