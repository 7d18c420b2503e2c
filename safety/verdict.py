"""The verdict: allow, review or refuse, with the reasons that a caller may know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """What happens to a submission; a review is decided by a person."""

    ALLOW = "allow"
    REVIEW = "review"
    REFUSE = "refuse"

    @property
    def severity(self) -> int:
        """0 for allow, 1 for review, 2 for refuse."""
        return ("allow", "review", "refuse").index(self.value)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why: a stable code, a message for the caller, the picture it is about, and the outcome it alone would give."""

    code: str
    message: str
    subject: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome with all its reasons, the gravest first, and the policy version that gave it."""

    outcome: Outcome
    reasons: tuple[Reason, ...]
    policy_version: str
    policy_digest: str

    @property
    def deciding(self) -> tuple[Reason, ...]:
        """The reasons that led to this outcome; milder ones no longer matter to the caller."""
        return tuple(reason for reason in self.reasons if reason.outcome is self.outcome)

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as JSON types."""
        return {
            "outcome": self.outcome.value,
            "reasons": [
                {"code": r.code, "message": r.message, "subject": r.subject, "outcome": r.outcome.value}
                for r in self.reasons
            ],
            "policy_version": self.policy_version,
            "policy_digest": self.policy_digest,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Verdict:
        """Read what `to_json` wrote; raises KeyError, TypeError or ValueError where it is anything else."""
        reasons = tuple(Reason(**{**reason, "outcome": Outcome(reason["outcome"])}) for reason in value["reasons"])
        return cls(Outcome(value["outcome"]), reasons, value["policy_version"], value["policy_digest"])


def combine(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the gravest of the outcomes; allow where there are none."""
    return max(outcomes, key=lambda outcome: outcome.severity, default=Outcome.ALLOW)
