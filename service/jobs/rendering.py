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
from service.jobs.ledger import State, move
from service.jobs.screening import consent_of, refuse_for_consent, store_judgement, told_reasons
from service.jobs.sealing import Material, seal_output
from service.jobs.tables import Job, Judgement
from service.platform.problems import Problem
from service.reviews.approvals import approved_stages


def render_and_seal(server: Assent, worker: str, job_id: str) -> None:
    """Render the job, judge the output, and seal it. Raises `LostRace` where somebody else ended the job meanwhile."""
    material = _gather(server, worker, job_id)
    if material is None:
        return
    with server.vision.busy:
        face, rendering = _render(server, material)
        inspection = server.vision.desk.check_output(
            rendering.pixels, template=material.template, target=material.target.pixels, replaced=face
        )
    if _accept(server, worker, job_id, inspection, rendering):
        seal_output(server, worker, job_id, material, rendering.pixels)


def _gather(server: Assent, worker: str, job_id: str) -> Material | None:
    """Load what is needed, or end the job where its consent no longer stands."""
    with server.database.read() as session:
        job = session.get_one(Job, job_id)
        code, template = consent_of(server, session, job)
        if code is None:
            permit = _permit(session, job)
            sources = [load_picture(server, session, asset) for asset in job.source_asset_ids]
            target_bytes, target = load_picture(server, session, job.target_asset_id)
            return Material(job, permit, sources, target_bytes, target, template)
    with server.database.write() as session:
        refuse_for_consent(server, session, job_id, State.RENDERING, code, worker=worker)
    return None


def _permit(session: Session, job: Job) -> RenderPermit:
    """The permit of a job: its newest input verdict allows it, or a person approved it."""
    newest = select(Judgement).where(Judgement.job_id == job.id, Judgement.stage == "input")
    judgement = session.scalars(newest.order_by(Judgement.id.desc()).limit(1)).one_or_none()
    outcome = judgement.verdict["outcome"] if judgement is not None else None
    allowed = outcome == Outcome.ALLOW
    approved = outcome == Outcome.REVIEW and "input" in approved_stages(session, job.id)
    if judgement is None or not (allowed or approved):
        raise Problem(409, "not_allowed", "The job has no verdict that allows it to be rendered.")
    return RenderPermit(job.id, judgement.id)


def _render(server: Assent, material: Material) -> tuple[Face, Rendering]:
    vision = server.vision
    face = _face_of(vision.engine.look(material.target.pixels), material.job.target_face)
    photos: list[tuple[Pixels, Face]] = []
    for _, picture in material.sources:
        photos.append((picture.pixels, _face_of(vision.engine.look(picture.pixels), None)))
    rendering = render(
        material.permit, material.target.pixels, face, photos, swapper=vision.swapper, enhancer=vision.enhancer
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
        outcome = inspection.verdict.outcome
        reviewed = outcome == Outcome.REVIEW and "output" in approved_stages(session, job.id)
        if outcome == Outcome.ALLOW or reviewed:
            after = State.SEALING
        else:
            after = State.IN_REVIEW if outcome == Outcome.REVIEW else State.REFUSED
        reasons = [] if after == State.SEALING else told_reasons(inspection.verdict)
        move(session, job.id, State.RENDERING, after, worker=worker, reasons=reasons)
        return after == State.SEALING
