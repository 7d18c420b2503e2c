"""Circumstances may narrow a rule, but what is not known about them never makes a verdict milder."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from safety.circumstances import Circumstances
from safety.desk import Record
from safety.findings import measured
from safety.policy import Policy, PolicyError
from safety.verdict import Outcome
from tests.safety.samples import harmless_findings
from tests.safety.test_policy import MINIMAL

FILM = Circumstances(purpose="film_post_production", basis="rights_declaration")
SUBJECTS = ("source:0", "target")


def _policy(condition: str) -> Policy:
    return Policy.parse(MINIMAL.replace("message: Too risky.}", f"message: Too risky., {condition}}}"))


def _outcome(policy: Policy, **known: str) -> Outcome:
    risky = [measured("g", "target", "a.risk", 0.9)]
    return policy.judge(risky, required=["target"], circumstances=Circumstances(**known)).outcome


def test_a_rule_counts_where_it_says_and_where_nothing_is_known() -> None:
    policy = _policy("when: {region: [de, fr]}")
    assert _outcome(policy, region="de") is Outcome.REFUSE
    assert _outcome(policy) is Outcome.REFUSE
    assert _outcome(policy, region="us") is Outcome.ALLOW


def test_an_exception_needs_everything_to_be_known() -> None:
    policy = _policy("unless: {tenant: [ten_a], purpose: [film]}")
    assert _outcome(policy, tenant="ten_a", purpose="film") is Outcome.ALLOW
    assert _outcome(policy, tenant="ten_a") is Outcome.REFUSE
    assert _outcome(policy, tenant="ten_b", purpose="film") is Outcome.REFUSE


@pytest.mark.parametrize("condition", ["when: {}", "when: {weather: [fine]}", "unless: {region: []}"])
def test_a_condition_that_says_nothing_is_not_valid(condition: str) -> None:
    with pytest.raises(PolicyError):
        _policy(condition)


def test_rules_about_age_have_no_exceptions() -> None:
    text = MINIMAL.replace("a.risk", "age.lowest")
    with pytest.raises(PolicyError, match="all circumstances"):
        Policy.parse(text.replace("message: Too risky.}", "message: Too risky., unless: {tenant: [ten_a]}}"))


@pytest.mark.parametrize("name", ["standard", "film-post", "anonymisation"])
def test_no_profile_is_milder_for_what_is_not_known(name: str) -> None:
    policy = Policy.shipped(name)
    worse = [
        replace(f, score=0.9) if f.name in ("nsfw.female_breast_covered", "origin.own_output") else f
        for f in harmless_findings(policy, SUBJECTS)
    ]
    for findings, purpose, basis in itertools.product(
        (harmless_findings(policy, SUBJECTS), worse), (None, "film_post_production"), (None, "rights_declaration")
    ):
        known = policy.judge(findings, required=SUBJECTS, circumstances=FILM).outcome
        less = policy.judge(findings, required=SUBJECTS, circumstances=Circumstances(purpose=purpose, basis=basis))
        if name != "anonymisation":
            assert less.outcome.severity >= known.severity


def test_the_film_profile_needs_a_declared_right() -> None:
    policy = Policy.shipped("film-post")
    findings = harmless_findings(policy, SUBJECTS)
    assert policy.judge(findings, required=SUBJECTS, circumstances=FILM).outcome is Outcome.ALLOW
    without = policy.judge(findings, required=SUBJECTS, circumstances=replace(FILM, basis=None))
    assert [reason.code for reason in without.deciding] == ["rights_not_declared"]
    costume = [replace(f, score=0.9) if f.name == "nsfw.female_breast_covered" else f for f in findings]
    assert policy.judge(costume, required=SUBJECTS, circumstances=FILM).outcome is Outcome.ALLOW
    assert Policy.shipped().judge(costume, required=SUBJECTS, circumstances=FILM).outcome is Outcome.REVIEW


def test_the_anonymisation_profile_hides_children_only_after_a_person_looked() -> None:
    policy = Policy.shipped("anonymisation")
    hiding = Circumstances(purpose="anonymisation")
    for subject, outcome in (("target", Outcome.REVIEW), ("source:0", Outcome.REFUSE)):
        child = [
            replace(f, score=6.0) if f.name in ("age.cautious", "age.lowest") and f.subject == subject else f
            for f in harmless_findings(policy, SUBJECTS)
        ]
        assert policy.judge(child, required=SUBJECTS, circumstances=hiding).outcome is outcome
    assert policy.judge(harmless_findings(policy, SUBJECTS), required=SUBJECTS).outcome is Outcome.REFUSE


@pytest.mark.parametrize("name", ["standard", "film-post", "anonymisation"])
def test_no_profile_ever_allows_a_minor_or_nudity(name: str) -> None:
    policy = Policy.shipped(name)
    for finding, score in (("age.cautious", 12.0), ("age.lowest", 24.0), ("nsfw.female_breast_exposed", 0.5)):
        for purpose in ("film_post_production", "anonymisation"):
            worse = [replace(f, score=score) if f.name == finding else f for f in harmless_findings(policy, SUBJECTS)]
            known = Circumstances("ten_a", purpose, "de", "rights_declaration")
            assert policy.judge(worse, required=SUBJECTS, circumstances=known).outcome is not Outcome.ALLOW


def test_a_record_keeps_its_circumstances_and_old_records_have_none() -> None:
    record = Record(SUBJECTS, tuple(harmless_findings(Policy.shipped(), SUBJECTS)), FILM)
    assert Record.from_json(record.to_json()) == record
    old = {name: value for name, value in record.to_json().items() if name != "circumstances"}
    assert Record.from_json(old).circumstances == Circumstances()
