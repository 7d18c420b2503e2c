"""A policy never allows what it could not measure, never softens with more risk, and can be replayed from JSON."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from safety.findings import Finding, from_json, measured, to_json, unavailable
from safety.policy import Policy, PolicyError
from safety.verdict import Outcome, Verdict
from tests.safety.samples import harmless_findings

POLICY = Policy.shipped()
SUBJECTS = ("source:0", "source:1", "target", "output")

MINIMAL = """
name: minimal
version: 3
description: The least that a policy can be.
required:
  source: [a.risk]
  target: [a.risk]
  output: [a.risk]
unmeasured:
  - {code: not_checked, outcome: review, message: It could not be checked.}
rules:
  - {code: risky, on: [source, target, output], findings: [a.risk], above: 0.5, outcome: refuse, message: Too risky.}
"""


def _scores(name: str) -> st.SearchStrategy[float]:
    limits = {
        limit
        for rule in POLICY.document.rules
        if name in rule.findings
        for limit in (rule.at_least, rule.above, rule.below)
        if limit is not None
    }
    return st.one_of(st.sampled_from(sorted(limits)) if limits else st.just(0.0), st.floats(-1, 100), st.just(0.0))


@st.composite
def _findings(draw: st.DrawFn) -> list[Finding]:
    """All that is required of some pictures; scores around the limits, and now and then one that was not measured."""
    findings = harmless_findings(POLICY, SUBJECTS)
    for index in draw(st.lists(st.integers(0, len(findings) - 1), max_size=6)):
        old = findings[index]
        if draw(st.integers(0, 5)) == 0:
            findings[index] = unavailable(old.gate, old.subject, old.name, "drawn")
        else:
            findings[index] = measured(old.gate, old.subject, old.name, draw(_scores(old.name)))
    return findings


def _judge(findings: list[Finding] | tuple[Finding, ...]) -> Verdict:
    return POLICY.judge(findings, required=SUBJECTS)


def test_harmless_pictures_are_allowed_without_a_reason() -> None:
    verdict = _judge(harmless_findings(POLICY, SUBJECTS))
    assert (verdict.outcome, verdict.reasons) == (Outcome.ALLOW, ())
    assert verdict.policy_version == "standard/2"
    assert verdict.policy_digest == POLICY.digest


@given(_findings())
def test_a_verdict_is_replayed_from_the_findings_json(findings: list[Finding]) -> None:
    stored = json.dumps(to_json(findings))
    assert _judge(from_json(json.loads(stored))) == _judge(findings)


@given(_findings(), st.randoms(use_true_random=False))
def test_the_order_of_the_findings_does_not_matter(findings: list[Finding], random: object) -> None:
    shuffled = list(findings)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert _judge(shuffled) == _judge(findings)


@given(_findings(), st.data())
def test_a_required_finding_that_is_removed_or_unavailable_is_never_allowed(
    findings: list[Finding], data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(findings) - 1))
    lost = findings[index]
    without = findings[:index] + findings[index + 1 :]
    assert _judge(without).outcome is not Outcome.ALLOW
    assert _judge([*without, unavailable(lost.gate, lost.subject, lost.name, "")]).outcome is not Outcome.ALLOW
    # Not even where it was measured as well.
    assert _judge([*findings, unavailable(lost.gate, lost.subject, lost.name, "")]).outcome is not Outcome.ALLOW


def test_each_required_finding_counts_for_each_picture() -> None:
    complete = harmless_findings(POLICY, SUBJECTS)
    for index in range(len(complete)):
        assert _judge(complete[:index] + complete[index + 1 :]).outcome is not Outcome.ALLOW


@settings(max_examples=300)
@given(_findings(), st.data(), st.floats(0, 100))
def test_more_risk_never_gives_a_milder_outcome(findings: list[Finding], data: st.DataObject, more: float) -> None:
    index = data.draw(st.integers(0, len(findings) - 1))
    old = findings[index]
    if old.score is None:
        return
    downward = {name for rule in POLICY.document.rules if rule.below is not None for name in rule.findings}
    score = old.score - more if old.name in downward else old.score + more
    worse = [*findings[:index], replace(old, score=score), *findings[index + 1 :]]
    assert _judge(worse).outcome.severity >= _judge(findings).outcome.severity


def test_a_picture_that_was_not_looked_at_is_missed() -> None:
    findings = [f for f in harmless_findings(POLICY, SUBJECTS) if f.subject != "source:1"]
    assert _judge(findings).outcome is Outcome.REFUSE
    assert POLICY.judge(findings, required=("source:0", "target", "output")).outcome is Outcome.ALLOW


def test_nothing_at_all_is_not_allowed() -> None:
    assert POLICY.judge([], required=()).outcome is not Outcome.ALLOW


def test_a_picture_of_an_unknown_kind_is_not_allowed() -> None:
    findings = [*harmless_findings(POLICY, SUBJECTS), measured("g", "thumbnail", "nsfw.class", 0.0)]
    assert _judge(findings).outcome is not Outcome.ALLOW


def test_the_gravest_outcome_wins_and_its_reasons_decide() -> None:
    findings = [
        replace(f, score=20.0) if (f.subject, f.name) == ("target", "age.lowest") else f
        for f in harmless_findings(POLICY, SUBJECTS)
    ]
    assert [r.code for r in _judge(findings).deciding] == ["age_unsure"]
    findings = [replace(f, score=0.9) if f.name == "nsfw.class" and f.subject == "output" else f for f in findings]
    verdict = _judge(findings)
    assert verdict.outcome is Outcome.REFUSE
    assert [(r.code, r.subject) for r in verdict.deciding] == [("sexual_content", "output")]
    assert "age_unsure" in [r.code for r in verdict.reasons]


@pytest.mark.parametrize(
    ("name", "score", "subject", "code", "outcome"),
    [
        ("age.cautious", 17.9, "source:0", "minor", Outcome.REFUSE),
        ("age.lowest", 7.0, "source:0", "age_unsure", Outcome.REVIEW),
        ("age.unclear", 1.0, "source:0", "age_unclear", Outcome.REVIEW),
        ("age.lowest", 24.9, "target", "age_unsure", Outcome.REVIEW),
        ("nsfw.female_breast_exposed", 0.45, "target", "nudity", Outcome.REFUSE),
        ("nsfw.female_breast_exposed", 0.30, "output", "possible_nudity", Outcome.REVIEW),
        ("nsfw.class", 0.85, "source:0", "sexual_content", Outcome.REFUSE),
        ("nsfw.buttocks_covered", 0.7, "source:0", "suggestive", Outcome.REVIEW),
        ("face.missing", 1.0, "target", "no_face", Outcome.REFUSE),
        ("face.ambiguous", 1.0, "source:1", "several_faces", Outcome.REFUSE),
        ("face.ambiguous", 1.0, "target", "face_not_chosen", Outcome.REFUSE),
        ("face.width", 23.9, "source:0", "face_too_small", Outcome.REFUSE),
        ("face.turn", 60.0, "source:0", "face_turned_away", Outcome.REFUSE),
        ("consent.distance", 0.46, "source:1", "not_the_consenting_person", Outcome.REFUSE),
        ("identity.distance", 0.61, "output", "output_not_the_subject", Outcome.REFUSE),
        ("identity.still_original", 0.01, "output", "output_still_the_original", Outcome.REFUSE),
    ],
)
def test_the_shipped_policy_draws_its_lines(name: str, score: float, subject: str, code: str, outcome: Outcome) -> None:
    findings = [
        replace(f, score=score) if (f.name, f.subject) == (name, subject) else f
        for f in harmless_findings(POLICY, SUBJECTS)
    ]
    verdict = _judge(findings)
    assert verdict.outcome is outcome
    assert code in [reason.code for reason in verdict.deciding]


def test_messages_to_the_caller_hold_no_score() -> None:
    findings = [replace(f, score=0.7654321) for f in harmless_findings(POLICY, SUBJECTS)]
    assert "7654" not in " ".join(reason.message for reason in _judge(findings).reasons)
    with pytest.raises(PolicyError):
        Policy.parse(MINIMAL.replace("Too risky.", "Your score was {score}."))


def test_a_verdict_survives_json() -> None:
    verdict = _judge([])
    assert Verdict.from_json(json.loads(json.dumps(verdict.to_json()))) == verdict


def test_the_digest_is_that_of_the_content_and_not_of_the_layout() -> None:
    relaid = yaml.safe_dump(POLICY.document.model_dump(mode="json", exclude_none=True), sort_keys=True)
    again = Policy.parse(relaid.replace("'on':", "on:"))
    assert again.digest == POLICY.digest
    assert re.fullmatch("[0-9a-f]{64}", again.digest)
    assert Policy.parse(MINIMAL.replace("above: 0.5", "above: 0.6")).digest != Policy.parse(MINIMAL).digest


def test_a_minimal_policy_is_valid() -> None:
    policy = Policy.parse(MINIMAL)
    assert policy.version == "minimal/3"
    assert policy.judge([measured("g", "target", "a.risk", 0.6)], required=["target"]).outcome is Outcome.REFUSE


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("outcome: refuse", "outcome: allow"),
        ("outcome: review", "outcome: allow"),
        ("above: 0.5", "above: .nan"),
        ("above: 0.5", "above: .inf"),
        ("above: 0.5", "above: '0.5'"),
        ("above: 0.5", "above: 0.5, below: 0.1"),
        ("above: 0.5, ", ""),
        ("findings: [a.risk], above", "findings: [b.risk], above"),
        ("findings: [a.risk], above", "findings: [], above"),
        ("  output: [a.risk]\n", ""),
        ("  output: [a.risk]\n", "  output: []\n"),
        ("on: [source,", "on: [thumbnail,"),
        ("version: 3", "version: 0"),
        ("version: 3", "version: 3\nversion: 4"),
        ("version: 3", "version: 3\nshadow: true"),
        ("code: not_checked, ", "code: not_checked, findings: [a.risk], "),
        ("rules:", "rules: []\nothers:"),
        ("name: minimal", "name: !!python/object/apply:os.getcwd []"),
    ],
)
def test_a_policy_that_could_let_something_slip_is_not_valid(old: str, new: str) -> None:
    assert old in MINIMAL
    with pytest.raises(PolicyError):
        Policy.parse(MINIMAL.replace(old, new, 1))


def test_a_finding_is_not_judged_in_both_directions() -> None:
    both = (
        MINIMAL
        + "  - {code: odd, on: [target], findings: [a.risk], below: 0.1, outcome: review, message: It is odd.}\n"
    )
    with pytest.raises(PolicyError, match="both directions"):
        Policy.parse(both)


@pytest.mark.parametrize("text", ["", "[]", "{", "a: &a [*a]", "\x00"])
def test_what_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(PolicyError):
        Policy.parse(text)


def test_only_policies_that_ship_can_be_named() -> None:
    with pytest.raises(PolicyError):
        Policy.shipped("../standard")
