"""The main job over the real HTTP server: what may happen happens, what may not is refused with its reason."""

import cv2
import numpy as np
import pytest
from sqlalchemy import select

from safety.desk import Record
from safety.policy import Policy
from service.demo.client import ApiError
from service.demo.recorded import local_engine
from service.jobs.tables import Judgement
from service.platform.database import Database
from tests.e2e.world import PURPOSE, STATEMENT, astronaut, capture, donor_photo


def decoded(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


@pytest.fixture(scope="module")
def assets(shared):
    return shared.client.upload(donor_photo()), shared.client.upload(astronaut())


@pytest.fixture(scope="module")
def done_job(shared, grant, assets):
    job = shared.submit(*assets, grant)
    answer = shared.client.wait(job, through_review=False)
    assert answer["state"] == "done", answer
    return job


@pytest.fixture(scope="module")
def result(shared, done_job):
    return shared.client.call("GET", f"/v1/jobs/{done_job}/result").content


def refusal(shared, *arguments, **more):
    answer = shared.client.wait(shared.submit(*arguments, **more), through_review=False)
    assert answer["state"] == "refused", answer
    return [reason["code"] for reason in answer["reasons"]]


def test_a_consented_swap_changes_the_face_and_only_the_face(result):
    before, after = decoded(astronaut()), decoded(result)
    assert after.shape == before.shape
    difference = cv2.absdiff(before, after).max(axis=2).astype(int)
    face = difference[60:190, 170:280]
    elsewhere = difference[300:, :]
    assert np.mean(face > 15) > 0.15
    # The invisible mark is everywhere, and weak.
    assert np.percentile(elsewhere, 99) < 25


def test_the_face_in_the_result_is_the_consenting_persons(result):
    engine = local_engine()
    consented, replaced, shown = (
        engine.embed(picture, engine.look(picture))[0]
        for picture in (decoded(donor_photo()), decoded(astronaut()), decoded(result))
    )
    assert np.linalg.norm(shown - consented) < 0.5 < np.linalg.norm(shown - replaced)


def test_the_result_is_authentic_for_both_verifiers_and_the_watermark(shared, result, done_job):
    report = shared.client.call("POST", "/v1/verify", content=result).json()
    assert report["verdict"] == "authentic"
    assert report["job_id"] == done_job


@pytest.mark.parametrize("place", [0.3, 0.6, 0.9])
def test_one_changed_bit_makes_it_altered(shared, result, place):
    altered = bytearray(result)
    altered[int(len(altered) * place)] ^= 1
    assert shared.client.call("POST", "/v1/verify", content=bytes(altered)).json()["verdict"] != "authentic"


def test_a_re_encoded_copy_is_recognised_by_its_watermark(shared, result, done_job):
    again = cv2.imencode(".jpg", decoded(result), [cv2.IMWRITE_JPEG_QUALITY, 60])[1].tobytes()
    report = shared.client.call("POST", "/v1/verify", content=again).json()
    assert (report["verdict"], report["job_id"]) == ("marked_without_credentials", done_job)


def test_an_unmarked_picture_is_unknown(shared):
    assert shared.client.call("POST", "/v1/verify", content=astronaut()).json()["verdict"] == "unknown"


def test_without_a_grant_it_is_refused(shared, assets):
    assert refusal(shared, *assets, None) == ["consent_missing"]


def test_with_an_unknown_grant_it_is_refused(shared, assets):
    assert refusal(shared, *assets, "grt_00000000000000000000") == ["consent_missing"]


def test_for_another_purpose_it_is_refused(shared, assets, grant):
    assert refusal(shared, *assets, grant, purpose="advertising") == ["consent_purpose"]


def test_another_persons_photo_under_the_grant_is_refused(shared, assets, grant):
    _, target = assets
    assert "not_the_consenting_person" in refusal(shared, target, target, grant)


def test_one_foreign_photo_among_the_right_ones_is_refused(shared, assets, grant):
    source, target = assets
    codes = refusal(shared, source, target, grant, source_assets=[source, target])
    assert "not_the_consenting_person" in codes


def test_withdrawal_takes_the_released_output_down_and_refuses_the_next_job(shared, assets):
    _, grant = shared.consenting_subject()
    job = shared.submit(*assets, grant)
    assert shared.client.wait(job, through_review=False)["state"] == "done"
    result = shared.client.call("GET", f"/v1/jobs/{job}/result").content
    shared.client.call("POST", f"/v1/grants/{grant}/withdraw")
    with pytest.raises(ApiError) as error:
        shared.client.call("GET", f"/v1/jobs/{job}/result")
    assert (error.value.status, error.value.code) == (410, "consent_withdrawn")
    assert shared.state(job) == "withdrawn"
    assert refusal(shared, *assets, grant) == ["consent_withdrawn"]
    report = shared.client.call("POST", "/v1/verify", content=result).json()
    assert report["status"] == "withdrawn"


def test_erasing_the_subject_makes_their_photos_unreadable(shared):
    subject, grant = shared.consenting_subject()
    source, target = shared.client.upload(donor_photo()), shared.client.upload(astronaut())
    job = shared.submit(source, target, grant)
    assert shared.client.wait(job, through_review=False)["state"] == "done"
    shared.client.call("DELETE", f"/v1/subjects/{subject}")
    for method, path in (("GET", f"/v1/assets/{source}"), ("GET", f"/v1/subjects/{subject}")):
        with pytest.raises(ApiError) as error:
            shared.client.call(method, path)
        assert error.value.status == 410
    assert shared.state(job) == "withdrawn"


def test_a_liveness_session_is_good_for_one_grant(shared):
    subject = shared.client.register("Dana")
    session = shared.client.open_liveness(subject, "file")
    assert shared.client.send_capture(session, capture(session["moves"]))["outcome"] == "live"
    expires = "2027-01-01T00:00:00Z"
    shared.client.grant(session["id"], [PURPOSE], expires, STATEMENT, "Dana")
    with pytest.raises(ApiError) as error:
        shared.client.grant(session["id"], [PURPOSE], expires, STATEMENT, "Dana")
    assert error.value.code == "liveness_used"


def test_a_capture_that_turns_the_other_way_does_not_pass(shared):
    subject = shared.client.register("Dana")
    session = shared.client.open_liveness(subject, "file")
    other = [{"left": "right", "right": "left"}[move] for move in session["moves"]]
    verdict = shared.client.send_capture(session, capture(other))
    assert verdict["outcome"] == "not_live"
    with pytest.raises(ApiError) as error:
        shared.client.grant(session["id"], [PURPOSE], "2027-01-01T00:00:00Z", STATEMENT, "Dana")
    assert error.value.code == "liveness_not_passed"


def test_a_recorded_capture_does_not_mint_a_second_consent(shared):
    """Not even for somebody who registers the person anew, and erases them afterwards."""
    subject = shared.client.register("Dana")
    session = shared.client.open_liveness(subject, "file")
    assert shared.client.send_capture(session, capture(session["moves"], take=900))["outcome"] == "live"
    shared.client.call("DELETE", f"/v1/subjects/{subject}")
    again = shared.client.open_liveness(shared.client.register("Dana once more"), "file")
    verdict = shared.client.send_capture(again, capture(again["moves"], take=900))
    assert (verdict["outcome"], verdict["reasons"][0]) == ("not_live", "frame_seen_before")


def test_an_idempotency_key_gives_the_first_job_again_and_refuses_another_request(shared, assets):
    source, target = assets
    body = {
        "source_assets": [source],
        "target_asset": target,
        "purpose": PURPOSE,
        "target_basis": {"declared_by": "The tests", "statement": "A public-domain picture."},
    }
    headers = {"Idempotency-Key": "once"}
    first = shared.client.call("POST", "/v1/jobs", json=body, headers=headers)
    second = shared.client.call("POST", "/v1/jobs", json=body, headers=headers)
    assert second.json()["id"] == first.json()["id"]
    assert second.headers["Idempotency-Replayed"] == "true"
    with pytest.raises(ApiError) as error:
        shared.client.call("POST", "/v1/jobs", json=body | {"purpose": "dubbing"}, headers=headers)
    assert (error.value.status, error.value.code) == (422, "idempotency_key_reused")


def test_the_receipt_proves_the_release_offline(shared, done_job):
    receipt = shared.client.receipt(done_job)
    assert receipt.startswith("c2sp.org/tlog-proof@v1")


def test_what_is_stored_is_judged_again_with_the_same_verdict(shared, done_job):

    database = Database(f"sqlite:///{shared.home / 'assent.db'}")
    with database.read() as session:
        judgements = session.scalars(select(Judgement).where(Judgement.job_id == done_job)).all()
    database.close()
    assert {judgement.stage for judgement in judgements} == {"input", "output"}
    for judgement in judgements:
        assert Record.from_json(judgement.record).judge(Policy.shipped()).to_json() == judgement.verdict


def test_a_job_may_choose_its_stages(shared, assets, grant):
    job = shared.submit(*assets, grant, stages={"swapper": "mesh", "enhancer": "area+detail"})
    assert shared.client.wait(job, through_review=False)["state"] == "done"
    result = shared.client.call("GET", f"/v1/jobs/{job}/result").content
    report = shared.client.call("POST", "/v1/verify", content=result).json()
    assert report["verdict"] == "authentic"


@pytest.mark.parametrize(
    ("stages", "code"),
    [
        ({"swapper": "inswapper_128"}, "model_missing"),
        ({"swapper": "nobody_has_this"}, "stage_unknown"),
        ({"enhancer": "detail+nobody_has_this"}, "stage_unknown"),
    ],
)
def test_a_stage_that_cannot_be_had_is_told_at_once(shared, assets, grant, stages, code):
    with pytest.raises(ApiError) as error:
        shared.submit(*assets, grant, stages=stages)
    assert (error.value.status, error.value.code) == (422, code)


def test_every_step_of_a_job_is_in_the_audit_log_in_its_order(shared, done_job):
    events = shared.client.call("GET", f"/v1/audit/jobs/{done_job}").json()
    told = [event["refs"].get("state", event["kind"]) for event in events if event["kind"] != "result.downloaded"]
    assert [step for step in told if step != "file.verified"] == [
        "job.submitted",
        "screening",
        "job.judged",
        "rendering",
        "job.rendered",
        "job.judged",
        "sealing",
        "job.sealed",
        "job.released",
    ]
