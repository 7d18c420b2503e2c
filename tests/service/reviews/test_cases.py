"""The queue, the case and the decision."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from service.audit.queries import read_payload
from service.consents.tables import Grant
from service.jobs.tables import Review
from service.platform.database import now
from service.platform.problems import Problem
from service.reviews import cases
from service.reviews.approvals import is_approved
from service.tenants.tables import Reviewer
from tests.service.reviews.office import decide, hidden, log_in, open_office, send_decision, uncover_all


def reviews(office, job: str) -> list[Review]:
    with office.server.database.read() as session:
        return list(session.scalars(select(Review).where(Review.job_id == job)))


def test_the_queue_shows_the_longest_waiting_case_first_with_its_reasons(desk, office):
    office.case(purpose="museum_installation", waited=timedelta(minutes=5))
    office.case(purpose="advertising_campaign", waited=timedelta(hours=3))
    text = desk.get("/admin").text
    assert text.index("Advertising campaign") < text.index("Museum installation")
    assert "2 cases" in text
    for words in ("Suggestive", "Age unsure", "3 h", "5 min"):
        assert words in text


def test_an_empty_queue_says_so(desk):
    assert "Nothing is waiting" in desk.get("/admin").text


def test_another_tenants_cases_do_not_exist(browser, office):
    job = office.case()
    stranger, client = open_office(office.server), browser()
    log_in(client, stranger)
    assert "Nothing is waiting" in client.get("/admin").text
    assert client.get(f"/admin/cases/{job}").status_code == 404
    form = {"csrf": hidden(client.get("/admin").text, "csrf"), "decision": "approve", "judgement": "1"}
    assert client.post(f"/admin/cases/{job}/decision", data=form).status_code == 404
    assert office.job(job).state == "in_review"


def test_a_case_shows_verdict_scores_thresholds_consent_and_rights(desk, office):
    text = desk.get(f"/admin/cases/{office.case()}").text
    for words in (
        "The age of a person in the picture is not certain",
        "22.4",
        "review below 25",
        "refuse below 18",
        "NSFW: chest",
        "review from 0.6",
        "house/3",
        "Dana Fictional",
        "I agree that my face may be put",
        "Example Film GmbH",
        "clause 7",
    ):
        assert words in text
    assert len(office.events("review.viewed")) == 1


def test_a_check_that_could_not_be_made_is_shown_as_such(desk, office):
    text = desk.get(f"/admin/cases/{office.case(changed=(('target', 'nsfw.class', None),))}").text
    assert "Not measured" in text
    assert "the model took too long" in text


def test_a_case_without_consent_says_so(desk, office):
    assert "no grant of consent" in desk.get(f"/admin/cases/{office.case(consented=False)}").text


def test_a_case_of_another_policy_version_shows_its_scores_without_thresholds(desk, office):
    job = office.case()
    office.judged_by(job, "house/4", "ab" * 32)
    text = desk.get(f"/admin/cases/{job}").text
    assert "Another version of the policy" in text
    assert "22.4" in text
    assert "review below 25" not in text


def test_an_approved_job_goes_on_to_be_rendered(desk, office):
    job = office.case()
    answer = decide(desk, job, "approve", "Looked at it closely.")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/admin"
    assert (office.job(job).state, office.job(job).attempts) == ("rendering", 0)
    page = desk.get("/admin").text
    assert "Approved." in page
    assert job in page
    assert "Approved." not in desk.get("/admin").text
    (review,) = reviews(office, job)
    assert (review.decision, review.note, review.stage) == ("approve", "Looked at it closely.", "input")
    assert review.judgement_id == office.judgement(job)


def test_a_refused_job_ends_with_a_reason(desk, office):
    job = office.case()
    decide(desk, job, "refuse", "The person looks younger than 18.")
    assert office.job(job).state == "refused"
    assert office.job(job).finished_at is not None
    assert office.job(job).reasons[-1]["code"] == "refused_by_reviewer"
    assert "Refused." in desk.get("/admin").text


def test_a_decision_is_an_audit_event_whose_note_is_encrypted(desk, office):
    job = office.case()
    decide(desk, job, "refuse", "A note about a person.")
    decided, refused = office.events("review.decided", "job.refused")
    assert "A note about a person." not in decided.leaf
    assert b"A note about a person." not in (decided.payload or b"")
    with office.server.database.read() as session:
        assert read_payload(session, office.server.vault, decided) == {"note": "A note about a person."}
    assert refused.job_id == job


@pytest.mark.parametrize("note", ["", "  ", "no"])
def test_a_refusal_needs_a_note_and_keeps_what_was_typed(desk, office, note):
    job = office.case()
    answer = decide(desk, job, "refuse", note)
    assert answer.status_code == 422
    assert "Say in a few words why you refuse" in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert f">\n{note.strip()}</textarea>" in answer.text
    assert office.job(job).state == "in_review"


def test_a_note_that_is_too_long_is_not_cut_but_sent_back(desk, office):
    answer = decide(desk, office.case(), "approve", "n" * 2001)
    assert answer.status_code == 422
    assert "n" * 2001 in answer.text


@pytest.mark.parametrize("changed", [{"csrf": ""}, {"csrf": "guessed"}])
def test_a_decision_without_the_sessions_token_is_not_taken(desk, office, changed):
    job = office.case()
    assert decide(desk, job, **changed).status_code == 403
    assert office.job(job).state == "in_review"


def test_a_decision_sent_by_another_site_is_not_taken_even_with_the_token(desk, office):
    job = office.case()
    page = desk.get(f"/admin/cases/{job}").text
    form = {name: hidden(page, name) for name in ("csrf", "judgement")} | {"decision": "approve"}
    answer = desk.post(f"/admin/cases/{job}/decision", data=form, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "changed",
    [
        {"decision": "maybe"},
        {"decision": ""},
        {"judgement": ""},
        {"judgement": "²"},
        {"judgement": "9" * 5000},
        {"note": "a\x00b"},
    ],
)
def test_a_form_that_the_page_cannot_have_sent_is_not_taken(desk, office, changed):
    job = office.case()
    assert decide(desk, job, **changed).status_code == 400
    assert office.job(job).state == "in_review"


def test_a_decided_case_is_a_page_that_says_so(desk, office):
    job = office.case()
    office.change(job, state="refused")
    for answer in (desk.get(f"/admin/cases/{job}"), desk.get(f"/admin/cases/{job}")):
        assert answer.status_code == 409
        assert "Already decided" in answer.text
        assert answer.headers["content-type"].startswith("text/html")


def test_a_decision_counts_only_for_the_verdict_that_was_looked_at(desk, office):
    job = office.case()
    page = desk.get(f"/admin/cases/{job}").text
    office.judged_again(job, "output")
    form = {name: hidden(page, name) for name in ("csrf", "judgement")} | {"decision": "approve"}
    assert desk.post(f"/admin/cases/{job}/decision", data=form).status_code == 409
    assert office.job(job).state == "in_review"


def test_an_approval_under_a_consent_that_ran_out_ends_the_job(desk, office):
    job = office.case()
    with office.server.database.write() as session:
        session.get_one(Grant, office.job(job).grant_id).expires_at = now()
    assert "The consent does not stand" in desk.get(f"/admin/cases/{job}").text
    decide(desk, job, "approve")
    assert office.job(job).state == "refused"
    assert office.job(job).reasons[-1]["code"] == "consent_expired"


def test_of_two_reviewers_who_decide_at_once_exactly_one_wins(office):
    job, colleague = office.case(), office.colleague()
    office.uncovered(job)
    start, outcomes = threading.Barrier(2), []

    def decide_now(reviewer_id: str, decision: cases.Decision) -> None:
        start.wait()
        try:
            with office.server.database.write() as session:
                reviewer = session.get_one(Reviewer, reviewer_id)
                outcomes.append(cases.decide(office.server, session, reviewer, job, decision, note="mine"))
        except Problem as problem:
            outcomes.append(problem.code)

    threads = [
        threading.Thread(target=decide_now, args=args)
        for args in ((office.reviewer_id, "approve"), (colleague.reviewer_id, "refuse"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "case_decided" in outcomes
    assert len(reviews(office, job)) == 1
    assert len(office.events("review.decided")) == 1
    assert office.job(job).state in outcomes


def test_nobody_approves_what_they_have_not_uncovered(desk, office):
    job = office.case()
    answer = send_decision(desk, job, "approve", "Looks fine to me.")
    assert answer.status_code == 409
    assert "Uncover and look at every picture before you approve" in answer.text
    assert ">\nLooks fine to me.</textarea>" in answer.text
    assert 'href="#pictures"' in answer.text
    assert (office.job(job).state, reviews(office, job)) == ("in_review", [])


def test_the_page_names_the_pictures_that_are_still_to_be_looked_at(desk, office):
    job = office.case()
    source = office.job(job).source_asset_ids[0]
    page = desk.get(f"/admin/cases/{job}").text
    assert "Source photo 1, Target picture.</p>" in page
    desk.post(f"/admin/cases/{job}/pictures/{source}/reveal", data={"csrf": hidden(page, "csrf")})
    page = desk.get(f"/admin/cases/{job}").text
    assert "look at</a>: Target picture.</p>" in page
    assert send_decision(desk, job, "approve").status_code == 409
    uncover_all(desk, job)
    assert "Before you approve" not in desk.get(f"/admin/cases/{job}").text
    assert send_decision(desk, job, "approve").status_code == 303


def test_pictures_that_a_colleague_uncovered_are_still_to_be_looked_at(desk, office):
    job = office.case()
    office.uncovered(job, by=office.colleague().reviewer_id)
    assert send_decision(desk, job, "approve").status_code == 409


def test_pictures_that_were_uncovered_before_the_judgement_are_still_to_be_looked_at(desk, office):
    job = office.case()
    uncover_all(desk, job)
    office.judged_again(job, "input")
    assert send_decision(desk, job, "approve").status_code == 409


def test_a_refusal_needs_no_look(desk, office):
    job = office.case()
    assert send_decision(desk, job, "refuse", "The reasons are enough.").status_code == 303


def test_a_case_whose_picture_was_erased_unseen_can_only_be_refused(desk, office):
    job = office.case()
    office.erase(office.job(job).target_asset_id)
    assert "can only be refused" in desk.get(f"/admin/cases/{job}").text
    assert decide(desk, job, "approve").status_code == 409
    assert decide(desk, job, "refuse", "A picture is gone.").status_code == 303


def test_an_approval_counts_for_the_very_judgement_it_was_made_on(desk, office):
    job = office.case()
    before = office.judgement(job)
    decide(desk, job, "approve")
    office.judged_again(job, "input")
    with office.server.database.read() as session:
        assert is_approved(session, before)
        assert not is_approved(session, office.judgement(job))


def test_a_case_that_is_judged_anew_is_decided_anew(desk, office):
    job = office.case()
    decide(desk, job, "approve")
    office.judged_again(job, "input")
    office.change(job, state="in_review")
    assert decide(desk, job, "approve").status_code == 303
    assert len({review.judgement_id for review in reviews(office, job)}) == 2


def test_an_output_cannot_be_approved_because_nobody_has_seen_it(desk, office):
    job = office.case(stage="output")
    assert decide(desk, job, "approve").status_code == 409
    assert office.job(job).state == "in_review"
    with office.server.database.read() as session:
        assert not is_approved(session, office.judgement(job))
    assert decide(desk, job, "refuse", "Not this one.").status_code == 303


def test_a_refused_judgement_is_not_approved(desk, office):
    job = office.case()
    decide(desk, job, "refuse", "Not this one.")
    with office.server.database.read() as session:
        assert not is_approved(session, office.judgement(job))


def test_whoever_loses_the_race_after_looking_writes_nothing(office, monkeypatch):
    job = office.case()
    with office.server.database.read() as session:
        stale = cases.open_case(session, office.tenant_id, job)
        reviewer = session.get_one(Reviewer, office.reviewer_id)
    office.uncovered(job)
    office.change(job, state="cancelled")
    monkeypatch.setattr(cases, "open_case", lambda *_: stale)
    with pytest.raises(Problem, match="Somebody else"), office.server.database.write() as session:
        cases.decide(office.server, session, reviewer, job, "approve", note="")
    assert reviews(office, job) == []
    assert office.events("review.decided") == []
