"""What events may refer to: identifiers and codes, never anything about a person."""

from __future__ import annotations

from typing import Any

import pytest

from service.audit.events import FIELDS, SCHEMAS, EventKind, RefsError, check_actor, check_refs
from service.platform.ids import new_id


def test_every_kind_has_a_schema_over_known_references() -> None:
    assert set(SCHEMAS) == set(EventKind)
    for schema in SCHEMAS.values():
        assert schema.required | schema.optional <= set(FIELDS)
        assert not schema.required & schema.optional


def test_well_formed_references_pass() -> None:
    job = {"job": new_id("job"), "target_asset": new_id("ast"), "purpose": "film_dubbing"}
    check_refs(EventKind.JOB_SUBMITTED, job | {f"source_asset_{n}": new_id("ast") for n in range(3)})
    judged = {
        "stage": "output",
        "outcome": "refuse",
        "reasons": ["consent.no_match", "nsfw.unsafe"],
        "policy_version": "2026-05-01.3",
        "policy_digest": "ab" * 32,
        "automated": True,
        "milliseconds": 12,
    }
    check_refs(EventKind.JOB_JUDGED, {"job": new_id("job")} | judged)
    check_refs(EventKind.ASSET_ADDED, {"asset": new_id("ast"), "media_type": "image/jpeg"})
    given = {"grant": new_id("grt"), "subject": new_id("sub"), "expires_at": "2027-01-01T00:00:00Z"}
    check_refs(EventKind.GRANT_GIVEN, given)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("job", "jane.doe@example.com"),
        ("job", "Jane Doe"),
        ("job", "job_janedoe"),
        ("job", "+4915112345678"),
        ("stage", "jane@example.com"),
        ("stage", "Jane Doe"),
        ("stage", "a4915112345678"),
        ("stage", "input\n"),
        ("stage", "x" * 101),
        ("policy_version", "192.168.0.17"),
        ("policy_version", "0049-151-1234567"),
        ("policy_digest", "abc"),
        ("reasons", "consent.no_match"),
        ("reasons", ["Jane Doe"]),
        ("reasons", ["ok"] * 65),
        ("automated", 1),
        ("milliseconds", -1),
        ("milliseconds", True),
        ("milliseconds", 1.5),
        ("milliseconds", 1 << 53),
    ],
)
def test_what_looks_like_personal_data_is_refused_without_repeating_it(name: str, value: Any) -> None:
    refs = {"job": new_id("job"), "stage": "input", "outcome": "allow", name: value}
    with pytest.raises(RefsError) as refused:
        check_refs(EventKind.JOB_JUDGED, refs)
    assert str(value) not in str(refused.value) or value in (True, 1)


def test_a_missing_reference_is_refused() -> None:
    with pytest.raises(RefsError, match="lacks the reference subject"):
        check_refs(EventKind.GRANT_GIVEN, {"grant": new_id("grt")})


def test_a_reference_outside_the_schema_is_refused() -> None:
    with pytest.raises(RefsError, match="cannot refer to email"):
        check_refs(EventKind.SUBJECT_REGISTERED, {"subject": new_id("sub"), "email": "x"})


@pytest.mark.parametrize("actor", ["system", "operator", "wrk_0123456789ab", "key_0123456789abcdefghjk"])
def test_actors_are_identifiers_or_codes(actor: str) -> None:
    assert check_actor(actor) == actor


@pytest.mark.parametrize("actor", ["", "Jane", "jane@example.com", "10.0.0.1", "key_"])
def test_an_actor_is_never_a_name_or_an_address(actor: str) -> None:
    with pytest.raises(RefsError):
        check_actor(actor)
