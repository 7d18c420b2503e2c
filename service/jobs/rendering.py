"""Rendering: on an allow verdict or a person's approval only; then the output itself is looked at, judged and sealed.

The rendered pixels live in this process's memory until they are sealed: nothing unsealed is ever written.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from pipeline.faces import Face, Pixels
from pipeline.render import Rendering, RenderPermit, render
from safety.desk import Inspection
from safety.verdict import Outcome
from service.assembly import Assent
from service.assets.library import load_picture
from service.audit.events import EventKind, Ref
from service.audit.recorder import record
from service.jobs.ledger import State
from service.jobs.screening import circumstances_of, consent_of, consent_stands, store_judgement, told_reasons
from service.jobs.sealing import Material, seal_output
from service.jobs.stages import StagesIn, chosen_enhancer, chosen_swapper
from service.jobs.tables import Job, Judgement
from service.jobs.transitions import step
from service.platform.problems import Problem
from service.reviews.approvals import is_approved

_NEEDS_REVIEW = {
    "code": "output_needs_review",
    "message": "A person would have to look at the result, and results are not kept for that. It is refused instead.",
    "subject": "output",
}


def render_and_seal(server: Assent, worker: str, job_id: str) -> None:
    """Render the job, judge the output, and seal it. Raises `LostRace` where somebody else ended the job meanwhile."""
    material = _gather(server, worker, job_id)
    if material is None:
        return
    with server.vision.turn():
        # Another picture may have had its turn for a while, and consent counts at the time of use.
        if not consent_stands(server, worker, job_id, State.RENDERING):
            return
        face, rendering = _render(server, material)
        inspection = server.vision.desk.check_output(
            rendering.pixels,
            template=material.template,
            target=material.target.pixels,
            replaced=face,
            circumstances=circumstances_of(material.job),
        )
    accepted = _accept(server, worker, job_id, inspection, rendering)
    if accepted and consent_stands(server, worker, job_id, State.SEALING):
        seal_output(server, worker, job_id, material, rendering.pixels)


def _gather(server: Assent, worker: str, job_id: str) -> Material | None:
    """Load what is needed; None where the job's consent no longer stands or its verdict is of another policy."""
    if not consent_stands(server, worker, job_id, State.RENDERING):
        return None
    with server.database.read() as session:
        job = session.get_one(Job, job_id)
        judgement = _allowing_judgement(session, job)
        if judgement.verdict["policy_digest"] == server.vision.policy.digest:
            sources = [load_picture(server, session, asset) for asset in job.source_asset_ids]
            target_bytes, target = load_picture(server, session, job.target_asset_id)
            _, template = consent_of(server, session, job)
            return Material(job, _permit(job, judgement), sources, target_bytes, target, template)
    with server.database.write() as session:
        step(session, job_id, State.RENDERING, State.SCREENING, worker=worker)
    return None


def _permit(job: Job, judgement: Judgement) -> RenderPermit:
    return RenderPermit(job.id, judgement.id)


def _allowing_judgement(session: Session, job: Job) -> Judgement:
    """The newest judgement of what was submitted, if it allows the job or a person approved this very judgement."""
    newest = select(Judgement).where(Judgement.job_id == job.id, Judgement.stage == "input")
    judgement = session.scalars(newest.order_by(Judgement.id.desc()).limit(1)).one_or_none()
    outcome = judgement.verdict["outcome"] if judgement is not None else None
    allowed = judgement is not None and (
        outcome == Outcome.ALLOW or (outcome == Outcome.REVIEW and is_approved(session, judgement.id))
    )
    if judgement is None or not allowed:
        raise Problem(409, "not_allowed", "The job has no verdict that allows it to be rendered.")
    return judgement


def _render(server: Assent, material: Material) -> tuple[Face, Rendering]:
    vision = server.vision
    face = _face_of(vision.engine.look(material.target.pixels), material.job.target_face)
    photos: list[tuple[Pixels, Face]] = []
    for _, picture in material.sources:
        photos.append((picture.pixels, _face_of(vision.engine.look(picture.pixels), None)))
    stages = StagesIn.model_validate(material.job.stages)
    rendering = render(
        material.permit,
        material.target.pixels,
        face,
        photos,
        swapper=chosen_swapper(vision, stages),
        enhancer=chosen_enhancer(vision, stages),
    )
    return face, rendering


def _face_of(faces: list[Face], chosen: int | None) -> Face:
    """The face that screening judged: the chosen one, counted from the largest, or the only one."""
    index = chosen if chosen is not None else (0 if len(faces) == 1 else -1)
    if not 0 <= index < len(faces):
        raise Problem(422, "face_not_found", "The face that was screened is not in the picture any more.")
    return faces[index]


def _accept(server: Assent, worker: str, job_id: str, inspection: Inspection, rendering: Rendering) -> bool:
    """Keep the output's verdict; returns whether the job goes on to be sealed."""
    with server.database.write() as session:
        job = session.get_one(Job, job_id)
        refs: dict[str, Ref] = {
            "job": job.id,
            "milliseconds": round(sum(rendering.milliseconds.values())),
            "attempt": job.attempts,
        }
        record(session, EventKind.JOB_RENDERED, tenant_id=job.tenant_id, actor=worker, refs=refs)
        store_judgement(session, job, "output", inspection)
        # A person could not say yes to an output without seeing it, and nothing unsealed is kept to be seen.
        allowed = inspection.verdict.outcome == Outcome.ALLOW
        after = State.SEALING if allowed else State.REFUSED
        reasons = [] if allowed else told_reasons(inspection.verdict)
        if inspection.verdict.outcome == Outcome.REVIEW:
            reasons = [_NEEDS_REVIEW, *reasons]
            refused: dict[str, Ref] = {"job": job.id, "stage": "output", "code": _NEEDS_REVIEW["code"]}
            refused["state_before"] = State.RENDERING.value
            record(session, EventKind.JOB_REFUSED, tenant_id=job.tenant_id, actor=worker, refs=refused)
        step(session, job.id, State.RENDERING, after, worker=worker, reasons=reasons)
        return allowed
