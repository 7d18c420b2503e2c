"""Everything that the case page shows, gathered in one read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from safety.desk import Record
from service.assets.tables import Asset
from service.consents.grants import obstacle
from service.consents.tables import Grant
from service.platform.vault import KeyOwner, VaultError
from service.reviews.cases import Case
from service.reviews.desk import Desk
from service.reviews.pictures import picture_ids, sharp_pictures
from service.reviews.thresholds import Row, policy_of, rows_of
from service.reviews.wording import subject_label
from service.subjects.register import display_name
from service.subjects.tables import Subject


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture of the case. `sharp_until` is set while the reviewer may see it sharp."""

    asset: Asset
    label: str
    sharp_until: datetime | None


@dataclass(frozen=True, slots=True)
class Consent:
    """The grant behind a case, opened for the reviewer. `against` is why it does not stand, as a reason code."""

    grant: Grant | None
    against: str | None
    name: str = ""
    statement: str = ""
    signed_name: str = ""


@dataclass(frozen=True, slots=True)
class Dossier:
    """A case with its pictures, its consent and its findings."""

    case: Case
    pictures: list[Shown]
    consent: Consent
    rows: list[Row]
    policy_known: bool


def gather(session: Session, desk: Desk, case: Case) -> Dossier:
    """Read what belongs to the case."""
    policy = policy_of(desk.server.settings.policy, case.verdict["policy_digest"])
    return Dossier(
        case=case,
        pictures=_pictures(session, desk, case),
        consent=_consent(session, desk, case),
        rows=rows_of(Record.from_json(case.judgement.record).findings, policy),
        policy_known=policy is not None,
    )


def _pictures(session: Session, desk: Desk, case: Case) -> list[Shown]:
    sharp = sharp_pictures(session, desk, case.job.id)
    ids = picture_ids(case.job)
    labels = [subject_label(f"source:{i}") for i in range(len(ids) - 1)] + [subject_label("target")]
    assets = [session.get_one(Asset, asset_id) for asset_id in ids]
    return [Shown(asset, label, sharp.get(asset.id)) for asset, label in zip(assets, labels, strict=True)]


def _consent(session: Session, desk: Desk, case: Case) -> Consent:
    job = case.job
    against = obstacle(session, job.tenant_id, job.grant_id, job.purpose)
    grant = session.get(Grant, job.grant_id) if job.grant_id else None
    if grant is None or grant.tenant_id != desk.tenant_id:
        return Consent(None, against)
    try:
        name = display_name(desk.server, session, session.get_one(Subject, grant.subject_id))
        signed = _statement(session, desk, grant)
    except VaultError:  # erased, or not readable any more: the reviewer sees that there is nothing to read
        return Consent(grant, against)
    return Consent(grant, against, name, signed["statement"], signed["signed_name"])


def _statement(session: Session, desk: Desk, grant: Grant) -> dict[str, Any]:
    owner = KeyOwner("subject", grant.subject_id)
    signed: dict[str, Any] = json.loads(desk.server.vault.decrypt(session, owner, grant.statement, b"grant_statement"))
    return signed
