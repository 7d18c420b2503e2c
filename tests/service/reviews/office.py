"""A small organisation with a reviewer, and cases of every shape, written straight into the database."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import cv2
import numpy as np
import rfc8785
from httpx import Client, Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pipeline.encode import encode_picture
from pipeline.faces import Pixels
from safety.desk import Record
from safety.findings import Finding, measured, unavailable
from safety.policy import Policy
from service.assembly import Assent
from service.assets.library import add_asset, erase_asset, load_bytes
from service.assets.tables import Asset
from service.audit.events import EventKind
from service.audit.recorder import record
from service.audit.tables import AuditEvent
from service.consents.tables import Grant
from service.jobs.ledger import State
from service.jobs.tables import Job, Judgement
from service.liveness.tables import LivenessSession
from service.platform.access import Caller
from service.platform.database import now
from service.platform.ids import new_id, new_watermark_id
from service.platform.vault import KeyOwner
from service.reviews.looks import picture_ids
from service.subjects.register import register_subject
from service.tenants.keys import create_tenant
from service.tenants.reviewers import create_reviewer

SUSPECT = (("target", "nsfw.chest", 0.71), ("source:0", "age.lowest", 22.4))


PASSWORD = "four words and a comma"
POLICY = """
name: house
version: 3
description: What the tests of the review desk judge by.
required:
  source: [age.lowest, face.width, nsfw.class]
  target: [age.lowest, nsfw.class, nsfw.chest]
  output: [nsfw.class]
unmeasured:
  - {code: not_checked, outcome: review, message: A safety check could not be made.}
rules:
  - {code: minor, on: [source, target], findings: [age.lowest], below: 18, outcome: refuse,
     message: A person in the picture may be a minor.}
  - {code: age_unsure, on: [source, target], findings: [age.lowest], below: 25, outcome: review,
     message: The age of a person in the picture is not certain.}
  - {code: suggestive, on: [target], findings: [nsfw.chest], at_least: 0.6, outcome: review,
     message: The picture may be suggestive.}
"""


def picture(seed: int = 0, width: int = 640, height: int = 480) -> Pixels:
    """A colourful picture with sharp edges and nobody in it."""
    rng = np.random.default_rng(seed)
    pixels = np.full((height, width, 3), rng.integers(60, 200, 3), np.uint8)
    for _ in range(60):
        centre = tuple(int(v) for v in rng.integers(0, (width, height)))
        cv2.circle(pixels, centre, int(rng.integers(4, 40)), rng.integers(0, 255, 3).tolist(), -1)
    return pixels


def findings(*changed: tuple[str, str, float | None]) -> list[Finding]:
    """What harmless pictures give under the policy, with the changed findings in their place."""
    quiet = {"age.lowest": 44.0, "face.width": 180.0}
    scores: dict[tuple[str, str], float | None] = {
        (subject, name): quiet.get(name, 0.0)
        for subject in ("source:0", "target")
        for name in Policy.parse(POLICY).document.required[subject.partition(":")[0]]
    }
    scores |= {(subject, name): score for subject, name, score in changed}
    return [
        unavailable(name.split(".")[0], subject, name, "the model took too long")
        if score is None
        else measured(name.split(".")[0], subject, name, score)
        for (subject, name), score in scores.items()
    ]


@dataclass
class Office:
    """One tenant of a server, with one reviewer."""

    server: Assent
    tenant_id: str
    reviewer_id: str
    email: str

    @property
    def caller(self) -> Caller:
        return Caller(self.tenant_id, new_id("key"))

    def case(
        self,
        *,
        purpose: str = "film_post_production",
        person: str = "Dana Fictional",
        statement: str = "I agree that my face may be put onto another person's in pictures for this film.",
        declared_by: str = "Example Film GmbH, legal department",
        rights: str = "The actor's contract of 15 January, clause 7.",
        changed: tuple[tuple[str, str, float | None], ...] = SUSPECT,
        waited: timedelta = timedelta(minutes=12),
        stage: str = "input",
        consented: bool = True,
        pixels: tuple[Pixels, ...] = (),
    ) -> str:
        """Put a case into the queue; returns the job's id."""
        source, target = pixels or (picture(1), picture(2))
        assets = [
            add_asset(self.server, self.caller, encode_picture(p, media_type="image/jpeg")).id for p in (source, target)
        ]
        grant_id = self._grant(purpose, person, statement) if consented else None
        record = Record(("source:0", "target"), tuple(findings(*changed)))
        at = now() - waited
        job = Job(
            id=new_id("job"),
            tenant_id=self.tenant_id,
            state=State.IN_REVIEW,
            purpose=purpose,
            grant_id=grant_id,
            target_asset_id=assets[1],
            source_asset_ids=[assets[0]],
            target_basis={
                "kind": "rights_declaration",
                "declared_by": declared_by,
                "statement": rights,
                "document_sha256": "5e" * 32,
            },
            output_type="image/jpeg",
            request_sha256="0" * 64,
            watermark_id=new_watermark_id(),
            reasons=[],
            created_at=at - timedelta(seconds=9),
            updated_at=at,
            attempts=1,
        )
        verdict = record.judge(Policy.parse(POLICY)).to_json()
        with self.server.database.write() as session:
            session.add(job)
            session.flush()
            session.add(Judgement(job_id=job.id, stage=stage, record=record.to_json(), verdict=verdict, created_at=at))
        return job.id

    def _grant(self, purpose: str, person: str, statement: str) -> str:
        subject = register_subject(self.server, self.caller, person)
        owner, grant_id, at = KeyOwner("subject", subject.id), new_id("grt"), now()
        signed = rfc8785.dumps({"statement": statement, "signed_name": person})
        with self.server.database.write() as session:
            liveness = LivenessSession(
                id=new_id("liv"),
                tenant_id=self.tenant_id,
                subject_id=subject.id,
                state="passed",
                capture_source="camera",
                challenge={},
                token_digest=new_id("tok").encode(),
                created_at=at,
                expires_at=at,
            )
            session.add(liveness)
            session.flush()
            session.add(
                Grant(
                    id=grant_id,
                    tenant_id=self.tenant_id,
                    subject_id=subject.id,
                    liveness_session_id=liveness.id,
                    purposes=[purpose],
                    receipt={},
                    receipt_sha256="0" * 64,
                    statement=self.server.vault.encrypt(session, owner, signed, b"grant_statement"),
                    template=b"",
                    granted_at=at,
                    expires_at=at + timedelta(days=30),
                )
            )
        return grant_id

    def job(self, job_id: str) -> Job:
        with self.server.database.read() as session:
            return session.get_one(Job, job_id)

    def change(self, job_id: str, **values: Any) -> None:
        with self.server.database.write() as session:
            job = session.get_one(Job, job_id)
            for name, value in values.items():
                setattr(job, name, value)

    def colleague(self) -> Office:
        """The same organisation with another reviewer."""
        email = f"{new_id('carl')}@example.com"
        with self.server.database.write() as session:
            reviewer = create_reviewer(session, self.tenant_id, email, PASSWORD)
        return Office(self.server, self.tenant_id, reviewer.id, email)

    def judgement(self, job_id: str) -> int:
        """The number of the case's newest judgement."""
        with self.server.database.read() as session:
            return session.scalars(select(func.max(Judgement.id)).where(Judgement.job_id == job_id)).one()

    def uncovered(self, job_id: str, by: str | None = None) -> None:
        """Have a reviewer of the office, by default the first, uncover every picture of the case."""
        with self.server.database.write() as session:
            for asset in picture_ids(session.get_one(Job, job_id)):
                refs = {"asset": asset, "job": job_id}
                actor = by or self.reviewer_id
                record(session, EventKind.ASSET_REVEALED, tenant_id=self.tenant_id, actor=actor, refs=refs)

    def judged_by(self, job_id: str, version: str, digest: str) -> None:
        """Pretend that another policy judged the case."""
        with self.server.database.write() as session:
            judgement = session.scalars(select(Judgement).where(Judgement.job_id == job_id)).one()
            judgement.verdict = judgement.verdict | {"policy_version": version, "policy_digest": digest}

    def judged_again(self, job_id: str, stage: str) -> None:
        """Add a newer judgement, as a second round through the gates would."""
        with self.server.database.write() as session:
            old = session.scalars(select(Judgement).where(Judgement.job_id == job_id)).one()
            session.add(Judgement(job_id=job_id, stage=stage, record=old.record, verdict=old.verdict, created_at=now()))

    def erase(self, asset_id: str) -> None:
        with self.server.database.write() as session:
            erase_asset(self.server, session, session.get_one(Asset, asset_id), self.reviewer_id)

    def uploaded(self, asset_id: str) -> bytes:
        with self.server.database.read() as session:
            return load_bytes(self.server, session, asset_id)

    def events(self, *kinds: str) -> list[AuditEvent]:
        """What the log holds of this tenant, oldest first; of these kinds where any are named."""
        with self.server.database.read() as session:
            return [e for e in _events(session, self.tenant_id) if not kinds or e.kind in kinds]


def _events(session: Session, tenant_id: str) -> list[AuditEvent]:
    query = select(AuditEvent).where(AuditEvent.tenant_id == tenant_id)
    return list(session.scalars(query.order_by(AuditEvent.at, AuditEvent.id)))


def open_office(server: Assent, name: str = "Example Film") -> Office:
    """A fresh tenant with a reviewer whose password is `PASSWORD`."""
    email = f"{new_id('rita')}@example.com"
    with server.database.write() as session:
        tenant = create_tenant(session, f"{name} {new_id('no')[-4:]}")
        reviewer = create_reviewer(session, tenant.id, email, PASSWORD)
    return Office(server, tenant.id, reviewer.id, email)


def hidden(html: str, name: str) -> str:
    """The value of a hidden field of the page."""
    found = re.search(rf'name="{name}" value="([^"]*)"', html)
    assert found, f"the page has no field {name}"
    return found[1]


def log_in(client: Client, office: Office, password: str = PASSWORD, wanted: str = "") -> Response:
    """Fill in and send the log-in form."""
    form = client.get("/admin/login", params={"next": wanted} if wanted else None)
    fields = {"csrf": hidden(form.text, "csrf"), "next": hidden(form.text, "next")}
    return client.post("/admin/login", data=fields | {"email": office.email, "password": password})


def uncover_all(client: Client, job_id: str) -> None:
    """Press every button that uncovers a picture of the case."""
    page = client.get(f"/admin/cases/{job_id}").text
    for address in re.findall(r'action="([^"]*/reveal)"', page):
        assert client.post(address, data={"csrf": hidden(page, "csrf")}).status_code == 303


def decide(client: Client, job_id: str, decision: str = "approve", note: str = "", **changed: str) -> Response:
    """Open a case, look at its pictures before an approval, and send its form; `changed` replaces fields of it."""
    if decision == "approve":
        uncover_all(client, job_id)
    return send_decision(client, job_id, decision, note, **changed)


def send_decision(client: Client, job_id: str, decision: str, note: str = "", **changed: str) -> Response:
    """Send the form of a case as it stands on the page."""
    page = client.get(f"/admin/cases/{job_id}").text
    fields = {"csrf": hidden(page, "csrf"), "judgement": hidden(page, "judgement")}
    fields |= {"decision": decision, "note": note}
    return client.post(f"/admin/cases/{job_id}/decision", data=fields | changed)
