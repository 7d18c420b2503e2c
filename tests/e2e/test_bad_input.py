"""Bad input is normal: it gets a clear problem document or a right result, and never a 500."""

import io
import struct
import zlib

import cv2
import httpx
import numpy as np
import pytest
from PIL import Image

from service.assembly import Assent
from service.demo.client import ApiError, Client, jpeg
from service.platform.settings import Settings
from service.tenants.keys import create_api_key, create_tenant
from tests.e2e.world import PURPOSE, astronaut, donor_photo


def saved(image, form, **more):
    buffer = io.BytesIO()
    image.save(buffer, form, **more)
    return buffer.getvalue()


def picture() -> Image.Image:
    return Image.open(io.BytesIO(astronaut())).convert("RGB")


def huge_png(side: int = 20_000) -> bytes:
    """A PNG whose header promises far more pixels than its few bytes hold."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


def animated_webp() -> bytes:
    frames = [Image.new("RGB", (128, 128), colour) for colour in ("red", "blue")]
    return saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=100)


REFUSED = {
    "a text file named .jpg": (b"This is no picture.\n" * 50, 422, "not_a_picture"),
    "nothing": (b"", 422, "not_a_picture"),
    "20 000 x 20 000 pixels": (huge_png(), 422, "too_many_pixels"),
    "a truncated PNG": (saved(picture(), "PNG")[:40_000], 422, "truncated"),
    "a truncated JPEG": (astronaut()[:30_000], 422, "truncated"),
    "an animated WebP": (animated_webp(), 422, "animated"),
    "a picture of 8 x 8 pixels": (saved(Image.new("RGB", (8, 8)), "PNG"), 422, "too_small"),
    "a TIFF": (saved(picture(), "TIFF"), 415, "unsupported_format"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_picture_that_cannot_be_used_gets_a_problem_that_says_so(shared, name):
    data, status, code = REFUSED[name]
    headers = {"Authorization": f"Bearer {shared.accounts.api_key}"}
    answer = httpx.post(shared.url + "/v1/assets", content=data, headers=headers, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]
    assert answer.json()["request_id"].startswith("req_")


def variants():
    plain = picture()
    turned = plain.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # the viewer turns it by 90 degrees clockwise
    alpha = plain.convert("RGBA")
    alpha.putalpha(Image.linear_gradient("L").resize(plain.size).point(lambda v: 128 + v // 2))
    grey = np.asarray(plain.convert("L")).astype(np.uint16) * 257
    return {
        "EXIF rotation": saved(turned, "JPEG", quality=95, exif=exif),
        "CMYK": saved(plain.convert("CMYK"), "JPEG", quality=95),
        "16 bits": cv2.imencode(".png", cv2.cvtColor(np.asarray(plain), cv2.COLOR_RGB2BGR).astype(np.uint16) * 257)[
            1
        ].tobytes(),
        "16-bit grey": cv2.imencode(".png", grey)[1].tobytes(),
        "alpha": saved(alpha, "PNG"),
        "palette": saved(plain.quantize(256), "PNG"),
        "WebP": saved(plain, "WEBP", quality=90),
    }


@pytest.mark.parametrize("name", variants())
def test_an_unusual_picture_gives_a_right_result(shared, grant, name):
    source = shared.client.upload(donor_photo())
    job = shared.submit(source, shared.client.upload(variants()[name]), grant)
    answer = shared.client.wait(job, through_review=False)
    assert answer["state"] == "done", answer
    result = shared.client.call("GET", f"/v1/jobs/{job}/result").content
    image = Image.open(io.BytesIO(result))
    reference = np.asarray(picture().convert("L" if "grey" in name else "RGB").convert("RGB"), int)
    shown = np.asarray(image.convert("RGB"), int)
    assert shown.shape == reference.shape
    # The face is another, the rest is the picture as a viewer shows it, up to its own compression and the mark.
    rest = np.abs(shown - reference)[300:]
    assert np.median(rest) <= 12
    if name == "alpha":
        assert image.mode == "RGBA"
        assert np.asarray(image)[..., 3].min() < 140
    assert shared.client.call("POST", "/v1/verify", content=result).json()["verdict"] == "authentic"


def refused_for(shared, source, target, grant, **more):
    answer = shared.client.wait(shared.submit(source, target, grant, **more), through_review=False)
    assert answer["state"] in ("refused", "in_review"), answer
    return [(reason["code"], reason["subject"]) for reason in answer["reasons"]]


@pytest.fixture(scope="module")
def faceless() -> bytes:
    noise = np.random.default_rng(7).integers(90, 160, (300, 300, 3)).astype(np.uint8)
    return saved(Image.fromarray(noise), "PNG")


@pytest.fixture(scope="module")
def pair() -> bytes:
    one = picture()
    both = Image.new("RGB", (1024, 512))
    both.paste(one, (0, 0))
    both.paste(one, (512, 0))
    return saved(both, "JPEG", quality=95)


def test_a_target_without_a_face_is_refused_by_name(shared, grant, faceless):
    source, target = shared.client.upload(donor_photo()), shared.client.upload(faceless)
    assert ("no_face", "target") in refused_for(shared, source, target, grant)


def test_a_source_without_a_face_is_refused_by_name(shared, grant, faceless):
    source, target = shared.client.upload(faceless), shared.client.upload(astronaut())
    assert ("no_face", "source:0") in refused_for(shared, source, target, grant)


def test_a_target_with_two_faces_asks_which_one(shared, grant, pair):
    source, target = shared.client.upload(donor_photo()), shared.client.upload(pair)
    assert ("face_not_chosen", "target") in refused_for(shared, source, target, grant)


@pytest.mark.parametrize("chosen", [0, 1])
def test_a_chosen_face_of_two_is_swapped_and_the_other_left(shared, grant, pair, chosen):
    source, target = shared.client.upload(donor_photo()), shared.client.upload(pair)
    job = shared.submit(source, target, grant, target_face=chosen)
    answer = shared.client.wait(job, through_review=False)
    assert answer["state"] == "done", answer
    result = shared.client.call("GET", f"/v1/jobs/{job}/result").content
    before, after = (cv2.imdecode(np.frombuffer(d, np.uint8), 1).astype(int) for d in (pair, result))
    difference = np.abs(after - before).max(axis=2)[60:190]
    halves = [np.mean(difference[:, x + 170 : x + 280] > 15) for x in (0, 512)]
    assert max(halves) > 0.15
    assert min(halves) < 0.02


def test_a_chosen_face_that_is_not_there_is_refused(shared, grant):
    source, target = shared.client.upload(donor_photo()), shared.client.upload(astronaut())
    codes = [code for code, _ in refused_for(shared, source, target, grant, target_face=5)]
    assert "face_not_chosen" in codes or "no_face" in codes


WRONG_BODIES = [
    b"",
    b"{",
    b"[]",
    b'"text"',
    b'{"source_assets": []}',
    b'{"source_assets": "x", "target_asset": 3}',
    b"\xff\xfe\x00",
    b'{"a":' * 2000,
    b'{"unknown": 1}',
]


@pytest.mark.parametrize("body", WRONG_BODIES, ids=range(len(WRONG_BODIES)))
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/subjects", "/v1/grants", "/v1/liveness-sessions"])
def test_a_malformed_body_is_refused_and_not_echoed(shared, path, body):
    headers = {"Authorization": f"Bearer {shared.accounts.api_key}", "Content-Type": "application/json"}
    answer = httpx.post(shared.url + path, content=body, headers=headers)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ak_wrong", "Basic YTpi", "Bearer " + "x" * 5000])
def test_a_wrong_key_is_refused_in_the_same_way(shared, header):
    answer = httpx.get(shared.url + "/v1/jobs", headers={"Authorization": header} if header else {})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorised")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_another_tenant_sees_nothing(shared, grant):
    server = Assent(Settings(home=shared.home))
    with server.database.write() as session:
        other = create_tenant(session, "Others")
        _, key = create_api_key(session, server.pepper, other.id, "theirs")
    server.close()
    asset = shared.client.upload(astronaut())
    job = shared.submit(asset, asset, grant)
    with Client(shared.url, key) as stranger:
        for path in (f"/v1/assets/{asset}", f"/v1/jobs/{job}", f"/v1/jobs/{job}/result", f"/v1/grants/{grant}"):
            with pytest.raises(ApiError) as error:
                stranger.call("GET", path)
            assert error.value.status == 404
        body = {
            "source_assets": [asset],
            "target_asset": asset,
            "grant": grant,
            "purpose": PURPOSE,
            "target_basis": {"declared_by": "Others", "statement": "A stolen identifier."},
        }
        with pytest.raises(ApiError) as error:
            stranger.call("POST", "/v1/jobs", json=body)
        assert error.value.code == "asset_not_found"
        mine = stranger.upload(astronaut())
        theirs = body | {"source_assets": [mine], "target_asset": mine}
        answer = stranger.wait(stranger.call("POST", "/v1/jobs", json=theirs).json()["id"], through_review=False)
        assert [reason["code"] for reason in answer["reasons"]] == ["consent_missing"]


def test_a_session_token_opens_only_its_own_session(shared):
    subject = shared.client.register("Two sessions")
    first, second = (shared.client.open_liveness(subject, "file") for _ in range(2))
    frame = jpeg(np.full((120, 160, 3), 128, np.uint8), 90)
    path = f"/v1/liveness-sessions/{first['id']}/frames/0"
    for token in (second["token"], shared.accounts.api_key, "lt_wrong"):
        with pytest.raises(ApiError) as error:
            shared.client.call("PUT", path, token=token, params={"t": 0}, content=frame)
        assert error.value.status == 401
    for headers in ({}, {"Assent-Nonce": second["nonce"]}):
        with pytest.raises(ApiError) as error:
            shared.client.call("PUT", path, token=first["token"], params={"t": 0}, content=frame, headers=headers)
        assert (error.value.status, error.value.code) == (422, "wrong_nonce")
    headers = {"Assent-Nonce": first["nonce"]}
    shared.client.call("PUT", path, token=first["token"], params={"t": 0}, content=frame, headers=headers)
    with pytest.raises(ApiError) as error:
        shared.client.call("PUT", path, token=first["token"], params={"t": 0}, content=frame, headers=headers)
    assert error.value.code == "frame_repeated"


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/subjects", "/v1/grants", "/admin/login"])
def test_a_huge_body_is_cut_off_before_anybody_is_known(shared, path):
    answer = httpx.post(shared.url + path, content=b'{"a": "' + b"x" * 2_000_000, timeout=60)
    assert answer.status_code in (401, 403, 413)
    small = httpx.post(shared.url + path, content=b"x" * 300_000, headers={"Content-Type": "application/json"})
    assert small.status_code in (401, 403, 413)


def test_the_servers_folder_can_be_entered_by_its_owner_alone(shared):
    assert shared.home.stat().st_mode & 0o077 == 0
    assert (shared.home / "assent.db").stat().st_mode & 0o077 == 0
