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
from service.reviews.cases import Case, covered_pictures
from service.reviews.desk import Desk
from service.reviews.looks import picture_ids
from service.reviews.pictures import sharp_pictures
from service.reviews.thresholds import Row, policy_of, rows_of
from service.reviews.wording import subject_label
from service.subjects.register import display_name
from service.subjects.tables import Subject


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture of the case. `sharp_until` is set while the reviewer may see it sharp, `seen` once they have."""

    asset: Asset
    label: str
    seen: bool
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

    @property
    def unseen(self) -> list[str]:
        """What the pictures are called that must be uncovered before an approval."""
        return [shown.label for shown in self.pictures if not shown.seen]

    @property
    def incomplete(self) -> bool:
        """Whether a picture was erased before the reviewer saw it, so that the case cannot be approved any more."""
        return any(shown.asset.erased_at and not shown.seen for shown in self.pictures)


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
    covered = covered_pictures(session, desk.reviewer, case)
    ids = picture_ids(case.job)
    labels = [subject_label(f"source:{i}") for i in range(len(ids) - 1)] + [subject_label("target")]
    assets = [session.get_one(Asset, asset_id) for asset_id in ids]
    # A look before the judgement does not count for it, so that such a picture is shown covered.
    until = {asset_id: at for asset_id, at in sharp.items() if asset_id not in covered}
    named = zip(assets, labels, strict=True)
    return [Shown(asset, label, asset.id not in covered, until.get(asset.id)) for asset, label in named]


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
