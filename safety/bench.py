"""Measures the gates on labelled pictures: how many of each label are allowed, reviewed and refused, with intervals."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from safety.verdict import Outcome, Verdict

# The normal quantile of a two-sided 95 % interval.
_Z: Final = 1.959964
_NUMBERED: Final = re.compile(r"(?P<label>.+?)[-_]?\d*")


@dataclass
class Tally:
    """The verdicts on all pictures of one label; `reasons` counts the codes that decided against them."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, verdict: Verdict) -> None:
        """Count one verdict."""
        self.outcomes[verdict.outcome] += 1
        self.reasons.update({reason.code for reason in verdict.deciding})

    def to_json(self) -> dict[str, Any]:
        """Return the counts, and the share of every outcome with its 95 % interval."""
        total = self.outcomes.total()
        counts = {outcome.value: self.outcomes[outcome] for outcome in Outcome}
        shares = {
            name: {"share": round(count / total, 4), "interval95": [round(edge, 4) for edge in wilson(count, total)]}
            for name, count in counts.items()
        }
        return {"n": total, **counts, "shares": shares, "reasons": dict(sorted(self.reasons.items()))}


def tally(pictures: Iterable[tuple[str, Any]], judge: Callable[[Any], Verdict]) -> dict[str, Tally]:
    """Judge every picture, given as its file's stem and whatever `judge` takes, and count by label."""
    tallies: dict[str, Tally] = {}
    for stem, picture in pictures:
        tallies.setdefault(label_of(stem), Tally()).add(judge(picture))
    return dict(sorted(tallies.items()))


def label_of(stem: str) -> str:
    """Return the label in a file's stem, which is all but its number: `small-child` of `small-child-07`."""
    match = _NUMBERED.fullmatch(stem)
    return match["label"] if match else stem


def wilson(count: int, total: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share; it keeps its meaning at 0 and at 1, unlike the normal one."""
    if total == 0:
        return 0.0, 1.0
    share, square = count / total, _Z * _Z
    middle = (share + square / (2 * total)) / (1 + square / total)
    reach = _Z * math.sqrt(share * (1 - share) / total + square / (4 * total * total)) / (1 + square / total)
    return max(0.0, middle - reach), min(1.0, middle + reach)
