"""What holds of every page: escaped, confined by its headers, readable, and never a raw error."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.reviews import endpoints
from service.tenants.tables import Tenant
from service.web.static import static_file, static_url
from tests.service.reviews.office import decide, log_in

CONFINED = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
ATTACK = """"'><img src=x onerror=alert(1)></textarea><script>alert(1)</script>{{7*7}}{%x%}<!--"""


def assert_harmless(html: str) -> None:
    """No markup of ours can carry a script, a handler, a style or a foreign address."""
    assert "<script" not in html.lower()
    assert "<img src=x" not in html
    assert not re.search(r"<[^>]*\s(on\w+|style)\s*=", re.sub(r'"[^"]*"', '""', html))
    assert "alert(1)" not in re.sub(r"&[a-z0-9#]+;", "\x00", html) or "&lt;" in html
    for address in re.findall(r'(?:src|href|action)="([^"]*)"', html):
        assert address.startswith(("/admin", "#", "?"))


def test_no_text_of_a_caller_or_a_person_is_taken_for_markup(desk, office):
    with office.server.database.write() as session:
        session.get_one(Tenant, office.tenant_id).name = ATTACK + office.tenant_id
    job = office.case(purpose=ATTACK, person=ATTACK, statement=ATTACK, declared_by=ATTACK, rights=ATTACK)
    for page in (desk.get("/admin"), desk.get(f"/admin/cases/{job}"), decide(desk, job, "refuse", ATTACK + "n" * 2000)):
        assert "alert(1)" in page.text
        assert "49" not in re.findall(r"alert\(1\).{0,60}", page.text)
        assert_harmless(page.text)


@given(note=st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_note_comes_back_as_it_was_typed(desk, office, note):
    job = getattr(office, "note_case", None) or office.case()
    office.note_case = job
    answer = decide(desk, job, "refuse", note + "<" * 2001)
    assert answer.status_code == 422
    assert_harmless(answer.text)


@pytest.mark.parametrize("address", ["/admin/login?next=%22%3E%3Cscript%3E", "/admin/%3Cscript%3Ealert(1)"])
def test_nothing_of_the_address_is_taken_for_markup(browser, address):
    assert_harmless(browser().get(address).text)


def test_the_address_typed_at_the_log_in_is_escaped(browser, office):
    office.email = ATTACK + "@example.com"
    assert_harmless(log_in(browser(), office, password="wrong password").text)


def test_every_answer_confines_the_page_and_is_not_kept(desk, office):
    job = office.case()
    asset = office.job(job).target_asset_id
    addresses = ("/admin", "/admin/login", f"/admin/cases/{job}", "/admin/cases/none", "/admin/nothing", "/admin/cases")
    for address in (*addresses, f"/admin/cases/{job}/pictures/{asset}/blurred"):
        headers = desk.get(address).headers
        assert headers["content-security-policy"] == CONFINED
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/admin/cases/job_none", 404),
        ("GET", "/admin/nothing/here", 404),
        ("DELETE", "/admin/cases/job_none", 404),
        ("GET", "/admin/cases/job_none?covered=perhaps", 422),
        ("GET", "/admin/cases/job_none/pictures/ast_none/naked", 422),
        ("POST", "/admin/cases/job_none/decision", 415),
    ],
)
def test_an_error_is_a_page_that_leads_back(desk, method, path, status):
    answer = desk.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert 'href="/admin"' in answer.text
    assert answer.headers["x-request-id"] in answer.text


def test_an_error_of_ours_is_a_page_without_a_trace(desk, monkeypatch):
    def fail(*_: object) -> None:
        raise RuntimeError("a secret of ours")

    monkeypatch.setattr(endpoints, "queue", fail)
    answer = desk.get("/admin")
    assert answer.status_code == 500
    assert "Something went wrong" in answer.text
    assert "secret" not in answer.text


def test_a_form_that_is_too_large_or_too_odd_is_turned_away(desk):
    assert desk.post("/admin/logout", data={"csrf": "x" * 70_000}).status_code == 413
    assert desk.post("/admin/logout", data={f"f{i}": "x" for i in range(30)}).status_code == 400
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert desk.post("/admin/logout", content=b"csrf=%ff%fe", headers=form).status_code == 400
    assert desk.post("/admin/logout", json={"csrf": "x"}).status_code == 415


def test_the_desk_is_no_part_of_the_documented_interface(app):
    assert not any(path.startswith("/admin") for path in app.openapi()["paths"])


def test_static_files_can_be_kept_for_ever_because_their_address_changes(browser):
    answer = browser().get(static_url("desk.css"))
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    assert static_file("desk.css").headers["etag"].strip('"') in static_url("desk.css")


@pytest.mark.parametrize("name", ["nothing.css", "..%2fpages.py", "%2e%2e/pages.py", ".", "desk.css%00"])
def test_nothing_but_our_static_files_is_served(browser, name):
    answer = browser().get(f"/admin/static/{name}")
    assert answer.status_code == 404


def test_no_static_file_carries_a_script_or_asks_another_server():
    for name in ("desk.css", "assent.svg", "mark.svg"):
        text = bytes(static_file(name).body).decode()
        assert "script" not in text
        assert "@import" not in text
        assert "url(" not in text
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)


PAIRS = [
    ("ink", "ground"), ("ink", "surface"), ("ink", "sunken"), ("muted", "ground"), ("muted", "surface"),
    ("muted", "sunken"), ("link", "ground"), ("link", "surface"), ("on-primary", "primary"), ("danger", "surface"),
    ("on-danger", "danger"), ("warn-ink", "warn-ground"), ("bad-ink", "bad-ground"), ("bad-ink", "surface"),
    ("good-ink", "good-ground"), ("plain-ink", "plain-ground"),
]  # fmt: skip


def themes() -> list[dict[str, str]]:
    css = bytes(static_file("desk.css").body).decode()
    blocks = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    return [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)) for block in blocks]


def luminance(colour: str) -> float:
    """Relative luminance of an sRGB colour (WCAG 2.2)."""
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_and_edges_have_the_contrast_of_wcag_aa(theme):
    colours = themes()[theme]
    for text, behind in PAIRS:
        assert contrast(colours[text], colours[behind]) >= 4.5, (text, behind)
    for edge in ("edge", "focus"):
        for behind in ("surface", "ground"):
            assert contrast(colours[edge], colours[behind]) >= 3, (edge, behind)


def test_every_field_has_a_label_and_every_picture_a_description(desk, office, browser):
    pages = [
        browser().get("/admin/login").text,
        desk.get("/admin").text,
        desk.get(f"/admin/cases/{office.case()}").text,
    ]
    for html in pages:
        assert '<html lang="en">' in html
        assert html.count("<h1") == 1
        assert html.count("<main") == 1
        for field in re.findall(r"<(?:input|textarea)\b[^>]*>", html):
            if 'type="hidden"' not in field:
                assert f'<label for="{re.search(r"id=.([a-z]+)", field)[1]}"' in html
        assert all(" alt=" in image for image in re.findall(r"<img\b[^>]*>", html))
        ids = re.findall(r'\bid="([^"]+)"', html)
        assert len(ids) == len(set(ids))
        for names in re.findall(r'aria-(?:labelledby|describedby)="([^"]+)"', html):
            assert set(names.split()) <= set(ids)
