"""The findings of a case beside the thresholds of the policy that judged them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from safety.findings import Finding
from safety.policy import Policy, Rule
from safety.verdict import Outcome
from service.reviews.wording import code_label, subject_label


@dataclass(frozen=True, slots=True)
class Limit:
    """One rule's threshold, in words, and whether the score is past it."""

    text: str
    at: float
    outcome: str
    hit: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what was measured where, and against which limits. `scale` is the bar's full length."""

    subject: str
    check: str
    score: float | None
    limits: tuple[Limit, ...]
    outcome: str  # allow · review · refuse · unavailable · noted, where the policy has no rule for it
    scale: float
    note: str


def rows_of(findings: Sequence[Finding], policy: Policy | None) -> list[Row]:
    """The findings as lines, those that matter first within their picture. Without the policy there are no limits."""
    rows = [_row(finding, policy) for finding in findings]
    order = ("unavailable", "refuse", "review", "allow", "noted")
    return sorted(rows, key=lambda row: (row.subject, order.index(row.outcome), row.check))


def policy_of(path: Path | None, digest: str) -> Policy | None:
    """The policy in force, if it is the one with this digest; None where another one judged."""
    policy = _load(path)
    return policy if policy.digest == digest else None


@cache
def _load(path: Path | None) -> Policy:
    return Policy.load(path) if path else Policy.shipped()


def _row(finding: Finding, policy: Policy | None) -> Row:
    rules = [] if policy is None else [r for r in policy.document.rules if _concerns(r, finding)]
    limits = tuple(_limit(rule, finding) for rule in rules)
    hits = [Outcome(limit.outcome) for limit in limits if limit.hit]
    if finding.score is None:
        outcome = "unavailable"
    elif hits:
        outcome = max(hits, key=lambda hit: hit.severity).value
    else:
        outcome = "allow" if limits else "noted"
    return Row(
        subject=subject_label(finding.subject),
        check=code_label(finding.name),
        score=finding.score,
        limits=limits,
        outcome=outcome,
        scale=_scale([finding.score or 0.0, *(limit.at for limit in limits)]),
        note=finding.note,
    )


def _concerns(rule: Rule, finding: Finding) -> bool:
    return finding.name in rule.findings and finding.kind in rule.on


def _limit(rule: Rule, finding: Finding) -> Limit:
    signs = (("from", rule.at_least), ("above", rule.above), ("below", rule.below))
    sign, at = next((sign, at) for sign, at in signs if at is not None)
    return Limit(f"{rule.outcome} {sign} {at:g}", at, rule.outcome, rule.hit(finding))


def _scale(values: list[float]) -> float:
    """1 for probabilities and distances, 100 for years and percentages, else what is needed."""
    largest = max(abs(value) for value in values)
    return next((full for full in (1.0, 2.0, 100.0) if largest <= full), largest)
