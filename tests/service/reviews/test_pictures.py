"""Pictures are covered until a reviewer uncovers them, and every look is logged."""

from __future__ import annotations

import json
from datetime import timedelta

import cv2
import numpy as np
import pytest

from service.reviews import pictures
from service.reviews.pictures import blur
from tests.service.reviews.office import hidden, log_in, open_office, picture


def decoded(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def detail(pixels: np.ndarray) -> float:
    """What would be lost if the picture were reduced to 16 blocks along its longer side: the mean change of a pixel."""
    height, width = pixels.shape[:2]
    scale = 16 / max(height, width)
    coarse = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return float(np.abs(smooth.astype(float) - pixels).mean())


def looks(office) -> list[tuple[str, str]]:
    """Kind of event and way of looking, oldest first."""
    events = office.events("asset.viewed", "asset.revealed")
    return [(event.kind, json.loads(event.leaf)["refs"].get("method", "")) for event in events]


@pytest.fixture
def case(office):
    return office.case()


@pytest.fixture
def address(office, case) -> str:
    return f"/admin/cases/{case}/pictures/{office.job(case).source_asset_ids[0]}"


def reveal(desk, case: str, address: str):
    csrf = hidden(desk.get(f"/admin/cases/{case}").text, "csrf")
    return desk.post(f"{address}/reveal", data={"csrf": csrf})


def test_a_case_shows_blurred_pictures_only(desk, case):
    text = desk.get(f"/admin/cases/{case}").text
    assert text.count("/blurred") == 2
    assert "/sharp" not in text


def test_a_blurred_picture_is_small_grey_and_without_detail(desk, address):
    answer = desk.get(f"{address}/blurred")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    shown = decoded(answer.content)
    assert max(shown.shape[:2]) == 480
    assert np.ptp(shown.astype(int), axis=2).max() <= 2
    assert detail(shown) < detail(picture(1)) / 5


@pytest.mark.parametrize(("width", "height"), [(64, 4000), (4000, 64), (64, 64)])
def test_a_picture_of_any_shape_can_be_blurred(width, height):
    shown = blur(picture(3, width, height))
    assert max(shown.shape[:2]) == 480
    assert min(shown.shape[:2]) >= 1


def test_nothing_sharp_can_be_fetched_before_it_is_uncovered(desk, office, address):
    assert desk.get(f"{address}/sharp").status_code == 403
    assert looks(office) == []


def test_an_uncovered_picture_is_sharp_and_the_page_shows_it(desk, office, case, address):
    answer = reveal(desk, case, address)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"/admin/cases/{case}#")
    text = desk.get(f"/admin/cases/{case}").text
    assert f"{address}/sharp" in text
    assert text.count("/blurred") == 1
    sharp = desk.get(f"{address}/sharp")
    assert sharp.headers["cache-control"] == "no-store"
    assert decoded(sharp.content).shape == (480, 640, 3)
    assert detail(decoded(sharp.content)) > detail(picture(1)) / 2
    assert looks(office) == [("asset.revealed", ""), ("asset.viewed", "sharp")]


def test_every_look_is_logged_with_who_what_and_where(desk, office, case, address):
    desk.get(f"{address}/blurred")
    (event,) = office.events("asset.viewed")
    leaf = json.loads(event.leaf)
    assert event.job_id == case
    assert leaf["actor"] == office.reviewer_id
    assert leaf["refs"] == {"asset": address.rsplit("/", 1)[1], "job": case, "method": "blurred"}


def test_an_uncovered_picture_is_covered_again_after_a_minute(desk, case, address, monkeypatch):
    reveal(desk, case, address)
    later = pictures.now() + timedelta(seconds=61)
    monkeypatch.setattr(pictures, "now", lambda: later)
    assert desk.get(f"{address}/sharp").status_code == 403
    assert "/sharp" not in desk.get(f"/admin/cases/{case}").text


def test_a_reviewer_can_cover_everything_at_once(desk, case, address):
    reveal(desk, case, address)
    assert "/sharp" not in desk.get(f"/admin/cases/{case}?covered=true").text


def test_what_one_reviewer_uncovers_stays_covered_for_another(desk, office, browser, case, address):
    reveal(desk, case, address)
    colleague = browser()
    log_in(colleague, office.colleague())
    assert colleague.get(f"{address}/sharp").status_code == 403
    assert colleague.get(f"{address}/blurred").status_code == 200


def test_uncovering_needs_the_token_of_the_session(desk, office, address):
    assert desk.post(f"{address}/reveal", data={"csrf": "guessed"}).status_code == 403
    assert looks(office) == []


def test_only_the_pictures_of_the_case_are_shown(desk, office, case, address):
    other = office.job(office.case()).target_asset_id
    assert desk.get(f"/admin/cases/{case}/pictures/{other}/blurred").status_code == 404


def test_another_tenants_picture_does_not_exist(browser, office, address):
    stranger, client = open_office(office.server), browser()
    log_in(client, stranger)
    assert client.get(f"{address}/blurred").status_code == 404


def test_pictures_of_a_decided_case_are_shown_no_more(desk, office, case, address):
    reveal(desk, case, address)
    office.change(case, state="refused")
    assert desk.get(f"{address}/sharp").status_code == 409
    assert desk.get(f"{address}/blurred").status_code == 409


def test_an_erased_picture_is_named_as_erased(desk, office, case, address):
    office.erase(address.rsplit("/", 1)[1])
    assert "This picture was erased" in desk.get(f"/admin/cases/{case}").text
    assert desk.get(f"{address}/blurred").status_code == 410


def test_what_is_sent_is_never_the_uploaded_file(desk, office, case, address):
    reveal(desk, case, address)
    asset = address.rsplit("/", 1)[1]
    assert desk.get(f"{address}/sharp").content != office.uploaded(asset)
