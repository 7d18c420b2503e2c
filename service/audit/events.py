"""What can happen: the kinds of audit events, and what each may refer to.

References stay in the tree for ever, also after an erasure. So they are identifiers, codes, versions,
digests and counts only, and a check refuses what looks like personal data. Whatever describes a person goes
into the payload.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

Ref = str | int | bool | Sequence[str]
Refs = Mapping[str, Ref]


class EventKind(StrEnum):
    """Every kind of event. The value is what the log carries."""

    SUBJECT_REGISTERED = "subject.registered"
    SUBJECT_ERASED = "subject.erased"
    LIVENESS_STARTED = "liveness.started"
    LIVENESS_JUDGED = "liveness.judged"
    GRANT_GIVEN = "grant.given"
    GRANT_WITHDRAWN = "grant.withdrawn"
    ASSET_ADDED = "asset.added"
    ASSET_VIEWED = "asset.viewed"
    ASSET_REVEALED = "asset.revealed"
    ASSET_ERASED = "asset.erased"
    JOB_SUBMITTED = "job.submitted"
    JOB_MOVED = "job.moved"
    JOB_JUDGED = "job.judged"
    JOB_SENT_TO_REVIEW = "job.sent_to_review"
    JOB_RENDERED = "job.rendered"
    JOB_SEALED = "job.sealed"
    JOB_RELEASED = "job.released"
    JOB_REFUSED = "job.refused"
    JOB_FAILED = "job.failed"
    JOB_CANCELLED = "job.cancelled"
    JOB_WITHDRAWN = "job.withdrawn"
    REVIEW_CLAIMED = "review.claimed"
    REVIEW_VIEWED = "review.viewed"
    REVIEW_DECIDED = "review.decided"
    RESULT_DOWNLOADED = "result.downloaded"
    FILE_VERIFIED = "file.verified"
    POLICY_DRAFTED = "policy.drafted"
    POLICY_SHADOWED = "policy.shadowed"
    POLICY_ACTIVATED = "policy.activated"
    POLICY_RETIRED = "policy.retired"
    PROTECTED_ADDED = "protected.added"
    PROTECTED_REMOVED = "protected.removed"
    OPTED_OUT = "protected.opted_out"
    PICTURE_LISTED = "picture.listed"
    PICTURE_UNLISTED = "picture.unlisted"
    TENANT_CREATED = "tenant.created"
    KEY_CREATED = "key.created"
    KEY_REVOKED = "key.revoked"
    REVIEWER_ADDED = "reviewer.added"
    REVIEWER_REMOVED = "reviewer.removed"
    LOGIN_SUCCEEDED = "login.succeeded"
    LOGIN_FAILED = "login.failed"
    LOGGED_OUT = "login.ended"
    EXPORT_MADE = "export.made"
    TAKEDOWN_RECEIVED = "takedown.received"
    TAKEDOWN_DECIDED = "takedown.decided"
    SERVER_STARTED = "server.started"


class Form(StrEnum):
    """What a reference's value looks like; `_FORMS` holds the patterns."""

    ID = "id"  # as service.platform.ids makes them, or a prefix and hexadecimal digits
    CODE = "code"  # an enumerated word: `job_withdrawn`, `image/jpeg`, `consent.withdrawn`
    CODES = "codes"  # a list of codes
    VERSION = "version"  # `1.4.0`, `2026-05-01`, `standard-3`
    DIGEST = "digest"  # SHA-256 in hexadecimal
    COUNT = "count"  # an unsigned integer
    FLAG = "flag"  # true or false
    TIME = "time"  # RFC 3339, UTC


_FORMS = {
    Form.ID: re.compile(r"[a-z]{2,8}_(?:[0-9a-hjkmnp-tv-z]{20}|[0-9a-f]{12,64})"),
    Form.CODE: re.compile(r"[a-z][a-z0-9]*(?:[_./+-][a-z0-9]+)*"),
    Form.VERSION: re.compile(r"[a-z0-9]+(?:[._+-][a-z0-9]+)*"),
    Form.DIGEST: re.compile(r"(?:sha256:)?[0-9a-f]{64}"),
    Form.TIME: re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?Z"),
}
_MAX_LENGTH = 100
_MAX_CODES = 64
_PHONE = re.compile(r"(?:[0-9][._+-]?){7,}")  # seven digits or more with at most one separator between
_ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_DATE = re.compile(r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}(?:[._+-][0-9]{1,3})*")

# Every reference that any event may make, with its form. `source_asset_0`, `source_asset_1`… count as
# `source_asset`.
FIELDS: dict[str, Form] = {
    **dict.fromkeys(
        (
            "subject", "liveness_session", "grant", "asset", "target_asset", "source_asset", "job", "case",
            "review", "reviewer", "key", "tenant", "policy", "export", "takedown", "sealed_event", "worker",
            "list", "entry",
        ),
        Form.ID,
    ),
    **dict.fromkeys(
        (
            "purpose", "media_type", "state", "state_before", "stage", "outcome", "decision", "code", "basis",
            "role", "capture", "format", "scope", "status", "method", "reason",
        ),
        Form.CODE,
    ),
    **dict.fromkeys(("reasons", "purposes", "codes", "scopes"), Form.CODES),
    **dict.fromkeys(
        ("policy_version", "statement_version", "model_version", "software_version"), Form.VERSION
    ),
    **dict.fromkeys(
        (
            "policy_digest", "models_digest", "model_digest", "manifest_digest", "output_digest",
            "receipt_digest", "findings_digest", "asset_digest", "file_digest", "request_digest",
        ),
        Form.DIGEST,
    ),
    **dict.fromkeys(("attempt", "count", "first", "end", "tries", "size", "milliseconds"), Form.COUNT),
    **dict.fromkeys(("live", "marked", "signed", "automated"), Form.FLAG),
    **dict.fromkeys(("expires_at", "withdrawn_at"), Form.TIME),
}  # fmt: skip


@dataclass(frozen=True)
class Schema:
    """Which references a kind must make and may make. A change that readers must know raises `version`."""

    version: int
    required: frozenset[str]
    optional: frozenset[str]


def _schema(required: str = "", optional: str = "", *, version: int = 1) -> Schema:
    return Schema(version, frozenset(required.split()), frozenset(optional.split()))


_JUDGED = "policy_version policy_digest reasons findings_digest models_digest"
SCHEMAS: dict[EventKind, Schema] = {
    EventKind.SUBJECT_REGISTERED: _schema("subject"),
    EventKind.SUBJECT_ERASED: _schema("subject", "reason count"),
    EventKind.LIVENESS_STARTED: _schema("subject liveness_session", "capture tries"),
    EventKind.LIVENESS_JUDGED: _schema("subject liveness_session outcome", "capture reasons tries live"),
    EventKind.GRANT_GIVEN: _schema(
        "grant subject", "liveness_session purposes scopes expires_at statement_version receipt_digest"
    ),
    EventKind.GRANT_WITHDRAWN: _schema("grant subject", "reason count withdrawn_at"),
    EventKind.ASSET_ADDED: _schema("asset", "media_type asset_digest size role"),
    EventKind.ASSET_VIEWED: _schema("asset", "job case reviewer role method"),
    EventKind.ASSET_REVEALED: _schema("asset", "job case reviewer role"),
    EventKind.ASSET_ERASED: _schema("asset", "reason"),
    EventKind.JOB_SUBMITTED: _schema("job", "target_asset source_asset grant purpose basis request_digest"),
    EventKind.JOB_MOVED: _schema("job state_before state"),
    EventKind.JOB_JUDGED: _schema("job stage outcome", _JUDGED + " automated milliseconds"),
    EventKind.JOB_SENT_TO_REVIEW: _schema("job", "stage " + _JUDGED),
    EventKind.JOB_RENDERED: _schema("job", "models_digest model_version milliseconds attempt"),
    EventKind.JOB_SEALED: _schema(
        "job",
        "output_digest manifest_digest receipt_digest policy_version models_digest media_type size grant subject",
    ),
    EventKind.JOB_RELEASED: _schema("job", "output_digest sealed_event"),
    EventKind.JOB_REFUSED: _schema("job", "stage outcome code review state_before " + _JUDGED),
    EventKind.JOB_FAILED: _schema("job", "state_before code attempt stage"),
    EventKind.JOB_CANCELLED: _schema("job", "state_before reason"),
    EventKind.JOB_WITHDRAWN: _schema("job", "state_before reason grant takedown code"),
    EventKind.REVIEW_CLAIMED: _schema("job", "case review reviewer stage"),
    EventKind.REVIEW_VIEWED: _schema("job", "case review reviewer stage asset role"),
    EventKind.REVIEW_DECIDED: _schema("job decision", "case review reviewer stage reasons code"),
    EventKind.RESULT_DOWNLOADED: _schema("job", "media_type output_digest size"),
    EventKind.FILE_VERIFIED: _schema("outcome", "file_digest job marked signed"),
    EventKind.POLICY_DRAFTED: _schema("policy_version policy_digest", "policy"),
    EventKind.POLICY_SHADOWED: _schema("policy_version policy_digest", "policy"),
    EventKind.POLICY_ACTIVATED: _schema("policy_version policy_digest", "policy method"),
    EventKind.POLICY_RETIRED: _schema("policy_version policy_digest", "policy"),
    EventKind.PROTECTED_ADDED: _schema("list", "entry count method"),
    EventKind.PROTECTED_REMOVED: _schema("list entry", "reason"),
    EventKind.OPTED_OUT: _schema("list entry", "liveness_session"),
    EventKind.PICTURE_LISTED: _schema("list", "entry count method reason job"),
    EventKind.PICTURE_UNLISTED: _schema("list entry", "reason"),
    EventKind.TENANT_CREATED: _schema("tenant"),
    EventKind.KEY_CREATED: _schema("key", "role scopes expires_at tenant"),
    EventKind.KEY_REVOKED: _schema("key", "reason tenant"),
    EventKind.REVIEWER_ADDED: _schema("reviewer", "role"),
    EventKind.REVIEWER_REMOVED: _schema("reviewer", "reason"),
    EventKind.LOGIN_SUCCEEDED: _schema("", "reviewer method"),
    EventKind.LOGIN_FAILED: _schema("", "reviewer method reason code"),
    EventKind.LOGGED_OUT: _schema("", "reviewer method reason"),
    EventKind.EXPORT_MADE: _schema("first end", "export format scope tenant file_digest"),
    EventKind.TAKEDOWN_RECEIVED: _schema("takedown", "code"),
    EventKind.TAKEDOWN_DECIDED: _schema("takedown decision", "job reasons code reviewer"),
    EventKind.SERVER_STARTED: _schema("", "software_version policy_version policy_digest models_digest"),
}


class RefsError(ValueError):
    """The references do not fit the event's schema, or one looks like personal data."""


def check_actor(actor: str) -> str:
    """Return an actor that the log may name: an identifier, or the code of a part of the software."""
    if not _fits(Form.ID, actor) and not _fits(Form.CODE, actor):
        raise RefsError("an actor is an identifier or a code, never a name or an address")
    return actor


def check_code(value: str) -> str:
    """Return a code that the log may name, such as a purpose; raise RefsError otherwise."""
    if not _fits(Form.CODE, value):
        raise RefsError("a code is lower-case words joined by underscores, without long numbers")
    return value


def check_id(value: str) -> str:
    """Return an identifier that the log may name; raise RefsError otherwise."""
    if not _fits(Form.ID, value):
        raise RefsError("an identifier is a prefix and random characters, never a name")
    return value


def check_refs(kind: EventKind, refs: Refs) -> Schema:
    """Return the kind's schema; raise RefsError, without the value, where `refs` do not fit it."""
    schema = SCHEMAS[kind]
    names = {_base(name) for name in refs}
    if missing := schema.required - names:
        raise RefsError(f"{kind} lacks the reference {min(missing)}")
    if unknown := names - schema.required - schema.optional:
        raise RefsError(f"{kind} cannot refer to {min(unknown)}")
    for name, value in refs.items():
        form = FIELDS[_base(name)]
        if not _fits(form, value):
            raise RefsError(f"{kind}: {name} is not a well-formed {form}, or looks like personal data")
    return schema


def _base(name: str) -> str:
    stem, _, number = name.rpartition("_")
    return stem if number.isdecimal() and stem in FIELDS else name


def _fits(form: Form, value: Ref) -> bool:
    if form is Form.FLAG:
        return isinstance(value, bool)
    if form is Form.COUNT:
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53
    if form is Form.CODES:
        codes = isinstance(value, list | tuple) and len(value) <= _MAX_CODES
        return codes and all(_fits(Form.CODE, code) for code in value)  # type: ignore[union-attr]
    if not isinstance(value, str) or len(value) > _MAX_LENGTH or not _FORMS[form].fullmatch(value):
        return False
    return form not in (Form.CODE, Form.VERSION) or not _looks_personal(value)


def _looks_personal(value: str) -> bool:
    """Say whether a code or version might be a telephone number or an internet address (dates are fine)."""
    return bool(_ADDRESS.search(value) or (_PHONE.search(value) and not _DATE.fullmatch(value)))
