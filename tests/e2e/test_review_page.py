"""A reviewer at work in a real browser: logs in, looks, decides, and the job goes on or ends."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.e2e.world import World, astronaut, donor_photo, world

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("review-desk"), pytest.mark.timeout(600)]

QUIET = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
# A log-in waits for Argon2, a page for its pictures; on a busy machine that takes much longer than Playwright's 5 s.
PATIENCE_MS = 30_000
RULE = "findings: [age.lowest]\n    below: 25"


@pytest.fixture(scope="module")
def doubting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A server whose policy is sure of nobody's age, so that a person sees every request."""
    home = tmp_path_factory.mktemp("home")
    shipped = files("safety.policies").joinpath("standard.yaml").read_text(encoding="utf-8")
    assert RULE in shipped
    policy = home / "policy.yaml"
    policy.write_text(shipped.replace("name: standard", "name: doubting").replace(RULE, RULE.replace("25", "120")))
    with world(home, policy=str(policy)) as running:
        yield running


@pytest.fixture(scope="module")
def cases(doubting: World) -> list[str]:
    """Two requests that wait for a decision."""
    grant = doubting.consenting_subject()[1]
    source, target = doubting.client.upload(donor_photo()), doubting.client.upload(astronaut())
    jobs = [doubting.submit(source, target, grant) for _ in range(2)]
    for job in jobs:
        assert doubting.client.wait(job, through_review=False)["state"] == "in_review"
    return jobs


@pytest.fixture(scope="module")
def chrome(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE_MS)
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET.split(), timeout=4 * PATIENCE_MS)
        yield browser
        browser.close()


@pytest.fixture
def page(chrome: Browser, doubting: World) -> Iterator[Page]:
    """A fresh browser window in which every broken rule of the page, and every foreign request, fails the test."""
    context = chrome.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    page, complaints = context.new_page(), []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: complaints.append(message.text) if "Content Security Policy" in message.text else None,
    )
    page.on("request", lambda r: None if r.url.startswith(doubting.url) else complaints.append(r.url))
    yield page
    context.close()
    assert complaints == []


def log_in(page: Page, server: World) -> None:
    page.goto(f"{server.url}/admin")
    page.get_by_label("E-mail address").fill(server.accounts.email)
    page.get_by_label("Password").fill(server.accounts.password)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Waiting for a decision")


def open_case(page: Page, job: str) -> None:
    page.get_by_role("listitem").filter(has_text=job).get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Film post production")


def is_sharp(page: Page, label: str) -> bool:
    """Whether the picture that is really on the screen has its own pixels."""
    expect(page.get_by_alt_text(label)).to_be_visible()
    return bool(page.get_by_alt_text(label).evaluate("image => image.decode().then(() => image.naturalWidth > 480)"))


def test_a_reviewer_approves_a_case_and_the_job_is_rendered_and_released(page, doubting, cases, tmp_path):
    log_in(page, doubting)
    open_case(page, cases[0])
    expect(page.get_by_text("Age unsure").first).to_be_visible()
    assert not is_sharp(page, "Target picture, blurred")
    page.get_by_role("button", name="Uncover Target picture").click()
    assert is_sharp(page, "Target picture, sharp")
    assert not is_sharp(page, "Source photo 1, blurred")
    page.get_by_role("link", name="Cover all").click()
    assert not is_sharp(page, "Target picture, blurred")
    page.get_by_label("Note").fill("Both people are adults.")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("alert")).to_contain_text("look at every picture")
    expect(page.get_by_label("Note")).to_have_value("Both people are adults.")
    expect(page.get_by_text("Before you approve, uncover and")).to_contain_text("look at: Source photo 1.")
    page.get_by_role("button", name="Uncover Source photo 1").click()
    assert is_sharp(page, "Source photo 1, sharp")
    expect(page.get_by_text("Before you approve, uncover and")).to_have_count(0)
    page.get_by_label("Note").fill("Both people are adults.")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("status")).to_contain_text("Approved.")
    expect(page.get_by_role("listitem").filter(has_text=cases[0])).to_have_count(0)
    assert doubting.client.wait(cases[0], through_review=True)["state"] == "done"


def test_a_refusal_asks_for_a_reason_and_ends_the_job(page, doubting, cases):
    log_in(page, doubting)
    open_case(page, cases[1])
    page.get_by_role("button", name="Refuse").click()
    expect(page.get_by_role("alert")).to_contain_text("why you refuse")
    expect(page.get_by_label("Note")).to_be_focused()
    page.get_by_label("Note").fill("The person asked us not to.")
    page.get_by_role("button", name="Refuse").click()
    expect(page.get_by_role("status")).to_contain_text("Refused.")
    assert doubting.state(cases[1]) == "refused"
    page.goto(f"{doubting.url}/admin/cases/{cases[1]}")
    expect(page.locator("body")).to_contain_text("Already decided")


def test_a_person_who_logs_out_sees_nothing_more(page, doubting):
    log_in(page, doubting)
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
    page.goto(f"{doubting.url}/admin")
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_desk_fits_a_small_telephone_and_can_be_used_by_keyboard(page, doubting, scheme):
    page.set_viewport_size({"width": 360, "height": 700})
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{doubting.url}/admin/login")
    page.keyboard.type(doubting.accounts.email)
    page.keyboard.press("Tab")
    page.keyboard.type(doubting.accounts.password)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Waiting for a decision")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
