"""The life of a policy version: draft, shadow, live, retired. Versions never change; each step is an audit event."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import rfc8785
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from safety.policy import Policy, PolicyDocument, PolicyError
from service.audit.events import EventKind, Ref
from service.audit.recorder import record
from service.platform.database import now
from service.platform.ids import new_id
from service.platform.problems import Problem, not_found
from service.policies.tables import PolicyVersion

DRAFT: Final = "draft"
SHADOW: Final = "shadow"
LIVE: Final = "live"
RETIRED: Final = "retired"


def add_version(session: Session, policy: Policy, *, actor: str) -> PolicyVersion:
    """Keep a version as a draft; the same one again gives the row that is there, another of its number is a 409."""
    document = policy.document
    there = select(PolicyVersion).where(PolicyVersion.name == document.name, PolicyVersion.version == document.version)
    row = session.scalar(there)
    if row is not None:
        if row.digest != policy.digest:
            detail = f"{policy.version} is here with another content, and versions are never edited."
            raise Problem(409, "policy_version_taken", detail, hint="Give the changed policy the next version number.")
        return row
    row = PolicyVersion(
        id=new_id("pol"),
        name=document.name,
        version=document.version,
        digest=policy.digest,
        document=document.model_dump(mode="json", exclude_none=True),
        state=DRAFT,
        created_at=now(),
    )
    session.add(row)
    session.flush()
    _log(session, EventKind.POLICY_DRAFTED, row, actor)
    return row


def find_version(session: Session, version: str) -> PolicyVersion:
    """The version that reads `standard/2`; 404 where it is not here."""
    name, _, number = version.partition("/")
    if number.isdecimal():
        named = select(PolicyVersion).where(PolicyVersion.name == name, PolicyVersion.version == int(number))
        row = session.scalar(named)
        if row is not None:
            return row
    raise not_found("policy version")


def versions(session: Session, *states: str) -> Sequence[PolicyVersion]:
    """All versions in these states, or all; by name and number."""
    query = select(PolicyVersion).order_by(PolicyVersion.name, PolicyVersion.version)
    return session.scalars(query.where(PolicyVersion.state.in_(states)) if states else query).all()


def policy_of(row: PolicyVersion) -> Policy:
    """The policy of a row; raises PolicyError where it is not what was signed into the log as its digest."""
    policy = _parsed(rfc8785.dumps(row.document))
    if policy.digest != row.digest:
        raise PolicyError(f"the stored policy {row.name}/{row.version} was changed")
    return policy


@lru_cache(maxsize=64)
def _parsed(canonical: bytes) -> Policy:
    try:
        return Policy(PolicyDocument.model_validate_json(canonical))
    except ValidationError as error:
        raise PolicyError(str(error)) from error


def live_policy(session: Session) -> Policy | None:
    """The version in force, or None where none was ever activated."""
    rows = versions(session, LIVE)
    if len(rows) > 1:
        raise PolicyError("more than one policy is live")
    return policy_of(rows[0]) if rows else None


def to_shadow(session: Session, row: PolicyVersion, *, actor: str) -> None:
    """Let a version judge beside the live one, without any effect."""
    if row.state == LIVE:
        raise Problem(409, "policy_live", "This version is live; activate another one first.")
    policy_of(row)
    row.state = SHADOW
    _log(session, EventKind.POLICY_SHADOWED, row, actor)


def activate(session: Session, row: PolicyVersion, *, actor: str, method: str = "activate") -> None:
    """Put a version in force; the one before it retires."""
    policy_of(row)
    if row.state == LIVE:
        return
    for former in versions(session, LIVE):
        retire(session, former, actor=actor)
    row.state, row.activated_at, row.retired_at = LIVE, now(), None
    _log(session, EventKind.POLICY_ACTIVATED, row, actor, method=method)


def retire(session: Session, row: PolicyVersion, *, actor: str) -> None:
    """Take a version out of use."""
    if row.state == RETIRED:
        return
    row.state, row.retired_at = RETIRED, now()
    _log(session, EventKind.POLICY_RETIRED, row, actor)


def roll_back(session: Session, *, actor: str) -> PolicyVersion:
    """Put the version in force again that the live one replaced; 409 where there is none."""
    live = versions(session, LIVE)
    former = [row for row in versions(session, RETIRED) if row.activated_at is not None and row.retired_at is not None]
    if not live or not former:
        detail = "No version was live before this one."
        raise Problem(409, "nothing_to_roll_back_to", detail, hint="Activate a version by its name.")
    before = max(former, key=lambda row: (row.retired_at, row.activated_at))
    activate(session, before, actor=actor, method="rollback")
    return before


def _log(session: Session, kind: EventKind, row: PolicyVersion, actor: str, **more: Any) -> None:
    refs: dict[str, Ref] = {
        "policy": row.id,
        "policy_version": f"{row.name}-{row.version}",
        "policy_digest": row.digest,
        **more,
    }
    record(session, kind, tenant_id=None, actor=actor, refs=refs)
