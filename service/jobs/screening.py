"""Screening: consent first, then every gate, then the verdict. Nothing is rendered here."""

from __future__ import annotations

import hashlib
from typing import Any

import rfc8785
from sqlalchemy.orm import Session

from safety.circumstances import Circumstances
from safety.desk import Inspection
from safety.verdict import Outcome, Reason, Verdict
from service.assembly import Assent
from service.assets.library import load_picture
from service.audit.events import EventKind
from service.audit.recorder import record
from service.consents.grants import find_grant, load_template, obstacle
from service.jobs.ledger import State
from service.jobs.tables import Job, Judgement
from service.jobs.transitions import step
from service.platform.database import now
from service.policies.shadow import judge_in_shadow

_AFTER = {Outcome.ALLOW: State.RENDERING, Outcome.REVIEW: State.IN_REVIEW, Outcome.REFUSE: State.REFUSED}
_CONSENT = {
    "consent_missing": "There is no consent of the person whose face would be used.",
    "consent_withdrawn": "The consent for this use was withdrawn.",
    "consent_expired": "The consent for this use has expired.",
    "consent_purpose": "The consent does not cover this purpose.",
    "consent_erased": "The person whose face would be used was erased.",
}


def screen(server: Assent, worker: str, job_id: str) -> None:
    """Judge what was submitted and move the job on. Raises `LostRace` where somebody else ended it meanwhile."""
    with server.database.read() as session:
        job = session.get_one(Job, job_id)
        code, template = consent_of(server, session, job)
        if code is None:
            sources = [load_picture(server, session, asset) for asset in job.source_asset_ids]
            target = load_picture(server, session, job.target_asset_id)
            files = {f"source:{number}": data for number, (data, _) in enumerate(sources)} | {"target": target[0]}
    if code is not None:
        with server.database.write() as session:
            refuse_for_consent(server, session, job_id, State.SCREENING, code, worker=worker)
        return
    with server.vision.turn():
        inspection = server.vision.desk.screen(
            [picture.pixels for _, picture in sources],
            target[1].pixels,
            template=template,
            target_face=job.target_face,
            files=files,
            circumstances=circumstances_of(job),
        )
    with server.database.write() as session:
        job = session.get_one(Job, job_id)
        code, _ = consent_of(server, session, job)
        if code is not None:
            refuse_for_consent(server, session, job_id, State.SCREENING, code, worker=worker)
            return
        store_judgement(session, job, "input", inspection)
        outcome = inspection.verdict.outcome
        step(session, job.id, State.SCREENING, _AFTER[outcome], worker=worker, reasons=told_reasons(inspection.verdict))


def circumstances_of(job: Job) -> Circumstances:
    """What a policy may know of a job's circumstances."""
    basis = job.target_basis.get("kind")
    return Circumstances(tenant=job.tenant_id, purpose=job.purpose, basis=basis if isinstance(basis, str) else None)


def consent_of(server: Assent, session: Session, job: Job, *, hold: bool = False) -> tuple[str | None, Any]:
    """What stands against using the grant right now, as a reason code or None; and the template, float32 (128,)."""
    code = obstacle(session, job.tenant_id, job.grant_id, job.purpose, hold=hold)
    if code is not None or job.grant_id is None:
        return code or "consent_missing", None
    template = load_template(server, session, find_grant(session, job.tenant_id, job.grant_id))
    return ("consent_erased", None) if template is None else (None, template)


def consent_stands(server: Assent, worker: str, job_id: str, state: State) -> bool:
    """Whether the grant may be used right now; ends the job where it may not."""
    with server.database.read() as session:
        code, _ = consent_of(server, session, session.get_one(Job, job_id))
    if code is None:
        return True
    with server.database.write() as session:
        refuse_for_consent(server, session, job_id, state, code, worker=worker)
    return False


def refuse_for_consent(
    server: Assent, session: Session, job_id: str, before: State, code: str, *, worker: str | None = None
) -> None:
    """End the job because its consent does not stand; the gates need not look any more."""
    job = session.get_one(Job, job_id)
    policy = server.vision.policy
    reason = Reason(code, _CONSENT[code], "grant", Outcome.REFUSE)
    verdict = Verdict(Outcome.REFUSE, (reason,), policy.version, policy.digest)
    stage = "input" if before == State.SCREENING else "output"
    session.add(Judgement(job_id=job.id, stage=stage, record={}, verdict=verdict.to_json(), created_at=now()))
    _record_verdict(session, job, stage, verdict, {})
    step(session, job.id, before, State.REFUSED, worker=worker, reasons=told_reasons(verdict))


def store_judgement(session: Session, job: Job, stage: str, inspection: Inspection) -> None:
    """Keep what was found and judged, and log it; enough to judge it again under the same policy version."""
    kept = inspection.record.to_json()
    verdict = inspection.verdict
    session.add(Judgement(job_id=job.id, stage=stage, record=kept, verdict=verdict.to_json(), created_at=now()))
    _record_verdict(session, job, stage, verdict, kept)
    judge_in_shadow(session, inspection.record, verdict)


def _record_verdict(session: Session, job: Job, stage: str, verdict: Verdict, kept: dict[str, Any]) -> None:
    refs = {
        "job": job.id,
        "stage": stage,
        "outcome": verdict.outcome.value,
        "policy_version": verdict.policy_version.replace("/", "-"),
        "policy_digest": verdict.policy_digest,
        "reasons": list(dict.fromkeys(reason.code for reason in verdict.deciding)),
        "findings_digest": hashlib.sha256(rfc8785.dumps(kept)).hexdigest(),
    }
    record(session, EventKind.JOB_JUDGED, tenant_id=job.tenant_id, actor="gates", refs=refs)


def told_reasons(verdict: Verdict) -> list[dict[str, str]]:
    """The reasons that the caller is told: code, message and picture, without a score."""
    return [{"code": r.code, "message": r.message, "subject": r.subject} for r in verdict.deciding]
