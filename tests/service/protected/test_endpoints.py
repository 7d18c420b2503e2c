"""The lists over HTTP: a tenant keeps its own, and anybody can opt out by proving to be there."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import skimage.data
from fastapi import FastAPI
from sqlalchemy import select

from service.assembly import Assent
from service.audit.tables import AuditEvent
from service.hashlists.endpoints import router as hash_lists
from service.liveness.tables import LivenessSession
from service.platform.database import now
from service.platform.migrate import upgrade
from service.platform.problems import install_problem_handlers
from service.platform.settings import Settings
from service.platform.vault import KeyOwner
from service.protected.directory import ProtectedPeople
from service.protected.endpoints import router as protected
from service.protected.register import embedder_of
from service.subjects.tables import Subject
from service.tenants.keys import create_api_key, create_tenant

with warnings.catch_warnings():
    # Starlette asks for httpx2, which offers what httpx does; the project's clients stand on httpx.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

TEMPLATE = np.random.default_rng(0).normal(0, 0.1, 128).astype(np.float32)
COFFEE = cv2.imencode(".png", np.ascontiguousarray(skimage.data.coffee()[..., ::-1]))[1].tobytes()


class OneFace:
    """An engine that sees one face in every picture."""

    embedder = SimpleNamespace(name="dlib", digests=("ab",))

    def look(self, _pixels: object) -> list[str]:
        return ["face"]

    def embed(self, _pixels: object, faces: list[str]) -> np.ndarray:
        return np.stack([TEMPLATE] * len(faces))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Assent]:
    server = Assent(Settings(home=tmp_path / "home"))
    server.__dict__["vision"] = SimpleNamespace(engine=OneFace())
    upgrade(server.database)
    yield server
    server.close()


@pytest.fixture
def client(server: Assent) -> Iterator[TestClient]:
    app = FastAPI()
    app.state.assent = server
    install_problem_handlers(app)
    app.include_router(protected)
    app.include_router(hash_lists)
    with TestClient(app) as client:
        yield client


def _login(server: Assent, name: str) -> dict[str, str]:
    with server.database.write() as session:
        tenant = create_tenant(session, name)
        _, secret = create_api_key(session, server.pepper, tenant.id, "test")
    return {"Authorization": f"Bearer {secret}"}


def _nearest(server: Assent) -> str | None:
    directory = ProtectedPeople(server, embedder_of(OneFace.embedder))  # type: ignore[arg-type]
    return directory.nearest(TEMPLATE[None], "ten_a")[0].entry


def _pass(server: Assent, session_id: str) -> None:
    """What a passed capture leaves behind."""
    with server.database.write() as session:
        liveness = session.get_one(LivenessSession, session_id)
        owner = KeyOwner("subject", liveness.subject_id)
        liveness.template = server.vault.encrypt(session, owner, TEMPLATE.tobytes(), b"liveness_template")
        liveness.state, liveness.outcome, liveness.finished_at = "passed", "live", now()


def test_a_tenant_keeps_a_list_of_its_own(client: TestClient, server: Assent) -> None:
    mine, other = _login(server, "mine"), _login(server, "other")
    made = client.post("/v1/protected-lists", json={"name": "staff"}, headers=mine).json()
    added = client.post(f"/v1/protected-lists/{made['id']}/entries", content=COFFEE, headers=mine)
    assert added.status_code == 201
    (shown,) = client.get("/v1/protected-lists", headers=mine).json()
    assert (shown["name"], shown["people"]) == ("staff", 1)
    assert client.get("/v1/protected-lists", headers=other).json() == []
    entry = f"/v1/protected-lists/{made['id']}/entries/{added.json()['id']}"
    assert client.delete(entry, headers=other).status_code == 404
    assert client.delete(entry, headers=mine).status_code == 204
    assert client.delete(entry, headers=mine).status_code == 404
    assert client.post("/v1/protected-lists", json={"name": "staff"}, headers=mine).status_code == 409
    assert client.post("/v1/protected-lists", json={"name": "staff"}).status_code == 401


def test_a_photo_has_to_show_exactly_one_face(client: TestClient, server: Assent) -> None:
    mine = _login(server, "mine")
    made = client.post("/v1/protected-lists", json={"name": "staff"}, headers=mine).json()
    server.vision.engine.look = lambda _: []  # type: ignore[method-assign]
    answer = client.post(f"/v1/protected-lists/{made['id']}/entries", content=COFFEE, headers=mine)
    assert (answer.status_code, answer.json()["code"]) == (422, "one_face_needed")


def test_a_person_opts_out_and_in_again(client: TestClient, server: Assent) -> None:
    opened = client.post("/v1/opt-outs")
    assert opened.status_code == 201
    session_id, token = opened.json()["id"], {"Authorization": f"Bearer {opened.json()['token']}"}
    confirm = f"/v1/opt-outs/{session_id}/confirm"
    assert client.post(confirm, headers=token).json()["code"] == "liveness_not_passed"
    _pass(server, session_id)
    assert client.post(confirm).status_code == 401
    confirmed = client.post(confirm, headers=token)
    assert confirmed.status_code == 201
    entry = confirmed.json()["id"]
    assert _nearest(server) == entry
    assert client.post(confirm, headers=token).json()["code"] == "liveness_used"
    assert client.delete(f"/v1/opt-outs/{entry}").status_code == 401
    assert client.delete(f"/v1/opt-outs/{entry}", headers=token).status_code == 401
    undo = {"Authorization": f"Bearer {confirmed.json()['secret']}"}
    assert client.delete(f"/v1/opt-outs/{entry}", headers=undo).status_code == 204
    assert _nearest(server) is None


def test_of_somebody_who_opted_out_only_the_template_is_kept(client: TestClient, server: Assent) -> None:
    opened = client.post("/v1/opt-outs").json()
    _pass(server, opened["id"])
    client.post(f"/v1/opt-outs/{opened['id']}/confirm", headers={"Authorization": f"Bearer {opened['token']}"})
    with server.database.read() as session:
        assert session.get_one(LivenessSession, opened["id"]).template is None
        (subject,) = session.scalars(select(Subject))
        assert subject.erased_at is not None
        kinds = [event.kind for event in session.scalars(select(AuditEvent).order_by(AuditEvent.at))]
    assert kinds[-3:] == ["protected.added", "protected.opted_out", "subject.erased"]


def test_pictures_are_listed_exported_and_imported(client: TestClient, server: Assent) -> None:
    mine = _login(server, "mine")
    made = client.post("/v1/hash-lists", json={"name": "no"}, headers=mine).json()
    entries = f"/v1/hash-lists/{made['id']}/entries"
    assert len(client.post(entries, content=COFFEE, headers=mine).json()["entries"]) == 1
    export = client.get(f"/v1/hash-lists/{made['id']}/export", params={"form": "csv"}, headers=mine)
    imported = client.post(entries, content=export.content, headers=mine | {"Content-Type": "text/csv"})
    assert len(imported.json()["entries"]) == 1
    bad = client.post(entries, content=b"\xff\xfe", headers=mine | {"Content-Type": "application/json"})
    assert bad.json()["code"] == "list_invalid"
    assert client.get("/v1/hash-lists", headers=mine).json()[0]["pictures"] == 2
    assert client.get(f"/v1/hash-lists/{made['id']}/export", headers=_login(server, "other")).status_code == 404
