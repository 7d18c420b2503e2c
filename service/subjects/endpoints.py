"""`/v1/subjects`: the people whose likeness may be used."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from service.platform.access import ApiCaller, Server
from service.subjects.register import display_name, erase_subject, find_subject, register_subject

router = APIRouter(prefix="/v1/subjects", tags=["subjects"])


class SubjectIn(BaseModel):
    """A person to register."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"display_name": "Ada Example"}]})

    display_name: Annotated[str, Field(min_length=1, max_length=200)]


class SubjectOut(BaseModel):
    """A registered person."""

    id: str
    display_name: str
    created_at: datetime


@router.post("", status_code=201)
def register(body: SubjectIn, response: Response, server: Server, caller: ApiCaller) -> SubjectOut:
    """Register a person. Nothing can be done with their face before they grant it."""
    subject = register_subject(server, caller, body.display_name)
    response.headers["Location"] = f"/v1/subjects/{subject.id}"
    return SubjectOut(id=subject.id, display_name=body.display_name, created_at=subject.created_at)


@router.get("/{subject_id}")
def describe(subject_id: str, server: Server, caller: ApiCaller) -> SubjectOut:
    """What is known of a subject."""
    with server.database.read() as session:
        subject = find_subject(session, caller.tenant_id, subject_id)
        name = display_name(server, session, subject)
        return SubjectOut(id=subject.id, display_name=name, created_at=subject.created_at)


@router.delete("/{subject_id}", status_code=204)
def erase(subject_id: str, server: Server, caller: ApiCaller) -> None:
    """Erase a subject: grants are withdrawn, outputs taken down, photos and templates become unreadable."""
    erase_subject(server, caller, subject_id)
