"""What anybody is told about a file: authentic, altered, marked without credentials, or unknown."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provenance.credentials import MEDIA_TYPES, Ingredient, SecondReport, SoftBinding, read, sign
from provenance.pki import SigningIdentity
from provenance.seal import Sealer
from provenance.verify import VerificationReport, sniff_media_type, verify_file
from provenance.watermark import ALGORITHM, Reading, Watermarker
from tests.provenance.credentials.crafted import signed
from tests.provenance.damage import DAMAGES, with_one_changed_pixel
from tests.provenance.pictures import FACTS, IDENT, Pixels, cropped, decode, encode, encoder, scaled

Ingredients = tuple[Ingredient, Ingredient]
Verify = Callable[..., VerificationReport]


@pytest.fixture(scope="module")
def files(
    picture: Pixels, watermarker: Watermarker, identity: SigningIdentity, ingredients: Ingredients
) -> dict[str, bytes]:
    sealer = Sealer(watermarker, identity)
    return {
        kind: sealer.seal(
            picture,
            ident=IDENT,
            media_type=kind,
            encode=encoder(kind),
            decode=decode,
            facts=FACTS,
            ingredients=ingredients,
        ).data
        for kind in MEDIA_TYPES
    }


@pytest.fixture(scope="module")
def verify(watermarker: Watermarker, identity: SigningIdentity) -> Verify:
    def call(data: bytes, kind: str | None = None, **options: Any) -> VerificationReport:
        return verify_file(data, kind, identity.trust_pem, watermarker, decode, **options)

    return call


@pytest.mark.parametrize("kind", MEDIA_TYPES)
def test_our_output_is_authentic(files: dict[str, bytes], verify: Verify, kind: str) -> None:
    report = verify(files[kind])
    assert (report.verdict, report.media_type, report.notes) == ("authentic", kind, ())
    assert (report.agreement, report.soft_binding_match) == (True, True)
    assert report.reading is not None
    assert report.reading.ident == IDENT


def test_the_report_is_json_and_holds_what_a_viewer_needs(files: dict[str, bytes], verify: Verify) -> None:
    said = json.loads(json.dumps(verify(files["image/png"]).to_json()))
    assert said["verdict"] == "authentic"
    assert said["credentials"]["state"] == said["second_verifier"]["state"] == "Trusted"
    assert said["credentials"]["face_swap"]["policy"]["version"] == FACTS.policy_version
    assert said["credentials"]["signer"]["common_name"] == "Assent development claim signer"
    assert said["watermark"]["id"] == f"{IDENT:012x}"
    assert said["ai_disclosure"]["disclosed"] is True
    assert {item["label"] for item in said["credentials"]["ingredients"]} == {"target", "source"}


@pytest.mark.parametrize("kind", MEDIA_TYPES)
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_one_flipped_bit_is_altered(
    files: dict[str, bytes],
    verify: Verify,
    kind: str,
    damage: Callable[[bytes, SigningIdentity], bytes],
    identity: SigningIdentity,
) -> None:
    assert verify(damage(files[kind], identity), kind).verdict == "altered"


def test_one_changed_pixel_is_altered_and_the_watermark_still_names_the_original(
    files: dict[str, bytes], verify: Verify
) -> None:
    report = verify(with_one_changed_pixel(files["image/png"]))
    assert (report.verdict, report.agreement) == ("altered", True)
    assert report.reading is not None
    assert report.reading.ident == IDENT


@pytest.mark.parametrize(
    "copy",
    [
        lambda pixels: encode(pixels, "image/jpeg", 60),
        lambda pixels: encode(pixels, "image/webp", 70),
        lambda pixels: encode(scaled(pixels, 0.6), "image/png"),
        lambda pixels: encode(cropped(pixels, 0.1), "image/jpeg", 85),
    ],
    ids=["JPEG 60", "WebP 70", "smaller", "cropped"],
)
def test_a_reencoded_copy_is_recognised_by_its_watermark(
    files: dict[str, bytes], verify: Verify, copy: Callable[[Pixels], bytes]
) -> None:
    report = verify(copy(decode(files["image/jpeg"])))
    assert report.verdict == "marked_without_credentials"
    assert report.reading is not None
    assert (report.reading.ident, report.soft_binding_match) == (IDENT, None)


def test_a_picture_that_is_not_ours_is_unknown(picture: Pixels, verify: Verify) -> None:
    report = verify(encode(picture))
    assert (report.verdict, report.watermark_checked) == ("unknown", True)
    assert report.to_json()["ai_disclosure"] == {"disclosed": False, "digital_source_types": [], "text": None}


def test_somebody_elses_credentials_are_unknown_to_us(
    picture: Pixels, verify: Verify, stranger: SigningIdentity
) -> None:
    report = verify(signed(encode(picture), stranger))
    assert report.credentials is not None
    assert (report.verdict, report.credentials.state, report.agreement) == ("unknown", "Valid", True)


def test_our_mark_under_somebody_elses_credentials_is_not_authentic(
    files: dict[str, bytes], verify: Verify, stranger: SigningIdentity
) -> None:
    report = verify(signed(encode(decode(files["image/png"])), stranger))
    assert report.verdict == "marked_without_credentials"


def test_a_trusted_manifest_over_a_picture_with_another_mark_is_altered(
    picture: Pixels, verify: Verify, watermarker: Watermarker, identity: SigningIdentity, ingredients: Ingredients
) -> None:
    marked = encode(watermarker.embed(picture, 5).pixels)
    facts = replace(FACTS, soft_binding=SoftBinding(ALGORITHM, 6))
    report = verify(sign(marked, "image/jpeg", facts, ingredients, identity).data)
    assert (report.verdict, report.soft_binding_match) == ("altered", False)


def test_without_a_watermark_reader_the_credentials_decide(files: dict[str, bytes], identity: SigningIdentity) -> None:
    report = verify_file(files["image/jpeg"], None, identity.trust_pem, None, None)
    assert (report.verdict, report.watermark_checked, report.soft_binding_match) == ("authentic", False, None)


def test_without_trust_anchors_nothing_is_authentic(files: dict[str, bytes], watermarker: Watermarker) -> None:
    assert verify_file(files["image/jpeg"], None, None, watermarker, decode).verdict == "marked_without_credentials"


def test_credentials_kept_elsewhere_make_nothing_altered(
    picture: Pixels, verify: Verify, identity: SigningIdentity
) -> None:
    data = signed(encode(picture), identity, remote_url="http://127.0.0.1:9/manifest.c2pa")
    assert verify(data).verdict == "unknown"


def _broken(*_: Any) -> Any:
    raise RuntimeError("broken")


@pytest.mark.parametrize("options", [{"read_credentials": _broken}, {"second": _broken}])
def test_one_verifier_alone_is_not_enough(files: dict[str, bytes], verify: Verify, options: dict[str, Any]) -> None:
    report = verify(files["image/jpeg"], **options)
    assert report.verdict == "marked_without_credentials"
    assert "broken" in report.notes[0]
    assert report.agreement is None
    json.dumps(report.to_json())


def test_verifiers_that_disagree_make_a_file_altered(files: dict[str, bytes], verify: Verify) -> None:
    invalid = SecondReport("Invalid", ("claimSignature.mismatch",))
    report = verify(files["image/jpeg"], second=lambda *_: invalid)
    assert (report.verdict, report.agreement) == ("altered", False)
    other = verify(
        files["image/jpeg"],
        read_credentials=lambda *a: replace(read(*a), state="Invalid", codes=("claimSignature.mismatch",)),
    )
    assert other.verdict == "altered"


def test_a_decoder_that_fails_is_noted(files: dict[str, bytes], identity: SigningIdentity) -> None:
    class Marks:
        def read(self, pixels: Pixels, *, search: bool = True) -> Reading | None:
            return None

    report = verify_file(files["image/jpeg"], None, identity.trust_pem, Marks(), _broken)
    assert (report.verdict, report.watermark_checked) == ("authentic", False)
    assert "watermark" in report.notes[0]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    head=st.sampled_from([b"", b"\xff\xd8\xff\xeb", b"\x89PNG\r\n\x1a\n", b"RIFF\x10\0\0\0WEBP", b"hello"]),
    tail=st.binary(max_size=80),
    kind=st.sampled_from([None, "image/jpeg", "application/x-nonsense", "image/png"]),
)
def test_hostile_bytes_never_raise(verify: Verify, head: bytes, tail: bytes, kind: str | None) -> None:
    report = verify(head + tail, kind)
    assert report.verdict == "unknown"
    json.dumps(report.to_json())


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_random_damage_to_a_signed_file_never_raises_and_is_never_authentic(
    files: dict[str, bytes], verify: Verify, data: st.DataObject
) -> None:
    original = files["image/webp"]
    # The signature's zero padding is outside of everything that C2PA signs; all other bytes matter.
    padding = max(re.finditer(rb"\0{64,}", original), key=lambda run: len(run.group()))
    positions = st.integers(20, len(original) - 2).filter(lambda at: not padding.start() - 8 <= at < padding.end())
    damaged = bytearray(original)
    for position in data.draw(st.lists(positions, min_size=1, max_size=4, unique=True)):
        damaged[position] ^= data.draw(st.integers(1, 255))
    report = verify(bytes(damaged), "image/webp")
    assert report.verdict != "authentic"
    json.dumps(report.to_json())


def test_the_first_bytes_tell_the_kind(files: dict[str, bytes]) -> None:
    assert {kind: sniff_media_type(data) for kind, data in files.items()} == {kind: kind for kind in MEDIA_TYPES}
    assert sniff_media_type(b"GIF89a") is None
