"""Sealing: watermark, encode, sign, and the release gate; only what passed all of it is stored, and encrypted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from pipeline.decode import decode_picture
from pipeline.encode import encode_picture
from pipeline.faces import Pixels
from pipeline.picture import Picture
from pipeline.render import RenderPermit
from provenance.credentials import Ingredient, ManifestFacts
from provenance.seal import Sealed, SealRefused
from service.assembly import Assent
from service.audit.events import EventKind, Ref
from service.audit.recorder import record
from service.consents.tables import Grant
from service.jobs.ledger import LostRace, State
from service.jobs.stages import StagesIn, engine_name, source_type, stage_digests
from service.jobs.tables import Job, Judgement, Mark
from service.platform.database import now
from service.platform.problems import Problem
from service.platform.vault import KeyOwner
from service.version import VERSION


@dataclass(frozen=True)
class Material:
    """What a render needs, loaded from the vault: the pictures as uploaded and as decoded, and the grant's template."""

    job: Job
    permit: RenderPermit
    sources: list[tuple[bytes, Picture]]
    target_bytes: bytes
    target: Picture
    template: Any


def seal_output(server: Assent, worker: str, job_id: str, material: Material, pixels: Pixels) -> None:
    """Seal rendered pixels and store them. Raises `Problem` where the release gate refuses them."""
    job = material.job
    with server.database.read() as session:
        facts = _facts(server, session, material)
    try:
        sealed = server.sealer.seal(
            pixels,
            ident=job.watermark_id,
            media_type=job.output_type,
            encode=_encoder(job, material.target),
            decode=lambda data: decode_picture(data).pixels,
            facts=facts,
            ingredients=_ingredients(material),
        )
    except SealRefused as refusal:
        raise Problem(422, refusal.code, str(refusal), hint="Use a larger or less uniform target picture.") from refusal
    store_sealed(server, worker, job_id, sealed, facts)


def _facts(server: Assent, session: Session, material: Material) -> ManifestFacts:
    job = material.job
    grant = session.get_one(Grant, job.grant_id)
    stages = StagesIn.model_validate(job.stages)
    verdict = session.get_one(Judgement, material.permit.verdict_id).verdict
    return ManifestFacts(
        title=job.id,
        engine=engine_name(server.vision, stages),
        source_type=source_type(server.vision, stages),
        consent_receipts=(grant.receipt_sha256,),
        policy_version=verdict["policy_version"],
        policy_sha256=verdict["policy_digest"],
        verdict_id=f"{job.id}/{material.permit.verdict_id}",
        models=server.vision.digests() | stage_digests(server.vision, stages),
        generator_version=VERSION,
    )


def _ingredients(material: Material) -> list[Ingredient]:
    sources = [
        Ingredient.source(data, picture.media_type, number) for number, (data, picture) in enumerate(material.sources)
    ]
    return [Ingredient.target(material.target_bytes, material.target.media_type), *sources]


def _encoder(job: Job, target: Picture) -> Callable[[Pixels], bytes]:
    """What turns marked pixels into the bytes of the output; transparency is kept where the format has it."""
    alpha = target.alpha if job.output_type != "image/jpeg" else None
    return lambda pixels: encode_picture(pixels, alpha=alpha, media_type=job.output_type)


def store_sealed(server: Assent, worker: str, job_id: str, sealed: Sealed, facts: ManifestFacts) -> None:
    """Store the sealed bytes, the registry's entry and the audit event in one transaction. Nothing is readable yet."""
    with server.database.write() as session:
        job = session.get_one(Job, job_id, with_for_update=True)
        if job.state != State.SEALING or job.lease_owner != worker:
            raise LostRace(f"job {job_id} was changed by somebody else")
        server.blobs.put(session, KeyOwner("job", job_id), job_id, sealed.data)
        refs: dict[str, Ref] = {
            "job": job_id,
            "output_digest": sealed.sha256,
            "manifest_digest": hashlib.sha256(sealed.manifest).hexdigest(),
            "receipt_digest": facts.consent_receipts[0],
            "policy_version": facts.policy_version.replace("/", "-"),
            "media_type": job.output_type,
            "size": len(sealed.data),
        }
        event_id = record(session, EventKind.JOB_SEALED, tenant_id=job.tenant_id, actor=worker, refs=refs)
        session.merge(
            Mark(
                watermark_id=job.watermark_id,
                job_id=job_id,
                status="sealed",
                media_type=job.output_type,
                sha256=sealed.sha256,
                size=len(sealed.data),
                manifest=sealed.manifest,
                sealed_event_id=event_id,
                sealed_at=now(),
            )
        )
