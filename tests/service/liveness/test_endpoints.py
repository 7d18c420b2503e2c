"""The same over HTTP: the header, the clock, and the size of a frame."""

from __future__ import annotations

import warnings

import cv2
import numpy as np
import pytest
from fastapi import FastAPI

from service.liveness.endpoints import router
from service.platform.problems import install_problem_handlers
from service.tenants.keys import create_api_key
from tests.service.liveness.studio import picture, png, take

with warnings.catch_warnings():
    # Starlette asks for httpx2, which offers what httpx does; the project's clients stand on httpx.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient


@pytest.fixture
def client(studio):
    with studio.server.database.write() as session:
        _, secret = create_api_key(session, studio.server.pepper, studio.caller.tenant_id, "test")
    app = FastAPI()
    app.state.assent = studio.server
    app.include_router(router)
    install_problem_handlers(app)
    with TestClient(app, headers={"Authorization": f"Bearer {secret}"}) as client:
        yield client


def opened(client, studio, source="camera"):
    answer = client.post("/v1/liveness-sessions", json={"subject_id": studio.subject(), "capture_source": source})
    assert answer.status_code == 201
    return answer.json()


def put(client, session, sequence, data, **headers):
    given = {"Authorization": f"Bearer {session['token']}", "Assent-Nonce": session["nonce"]} | headers
    path = f"/v1/liveness-sessions/{session['id']}/frames/{sequence}"
    return client.put(path, params={"t": sequence * 0.2}, content=data, headers=given)


def finish(client, session):
    headers = {"Authorization": f"Bearer {session['token']}"}
    return client.post(f"/v1/liveness-sessions/{session['id']}/complete", headers=headers).json()


def test_token_and_nonce_are_told_once(client, studio):
    session = opened(client, studio)
    assert len(session["nonce"]) >= 20
    again = client.get(f"/v1/liveness-sessions/{session['id']}").json()
    assert not {"token", "nonce"} & set(again)


def test_a_frame_without_its_nonce_is_refused(client, studio):
    session, other = opened(client, studio), opened(client, studio)
    answer = put(client, session, 0, png(picture()), **{"Assent-Nonce": other["nonce"]})
    assert (answer.status_code, answer.json()["code"]) == (422, "wrong_nonce")
    assert put(client, session, 0, png(picture())).status_code == 204


def test_a_clip_that_is_sent_in_one_go_is_no_camera(client, studio):
    for source, outcome, reasons in (("camera", "not_live", ["timing"]), ("file", "live", [])):
        session = opened(client, studio, source)
        for sequence, data in enumerate(take(session["moves"])):
            assert put(client, session, sequence, data).status_code == 204
        verdict = finish(client, session)
        assert (verdict["outcome"], verdict["reasons"]) == (outcome, reasons)


def test_a_frame_may_be_some_megabytes_and_no_more(client, studio):
    session = opened(client, studio)
    noise = np.random.default_rng(1).integers(0, 255, (700, 700, 3)).astype(np.uint8)
    large = cv2.imencode(".png", noise, [cv2.IMWRITE_PNG_COMPRESSION, 0])[1].tobytes()
    assert len(large) > 1_000_000
    assert put(client, session, 0, large).status_code == 204
    answer = put(client, session, 1, bytes(5_000_000))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_many_bytes")
