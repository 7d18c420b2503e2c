"""A finding: one number that one gate measured about one picture, or the fact that it could not be measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, SupportsFloat

Status = Literal["measured", "unavailable"]
Box = tuple[float, float, float, float]

_TEXT_FIELDS: Final = ("gate", "subject", "name", "note")
_FIELDS: Final = frozenset(("gate", "subject", "name", "status", "score", "region", "model", "milliseconds", "note"))


@dataclass(frozen=True, slots=True)
class Finding:
    """What a gate found out about one picture.

    `subject` says which picture: `source:0`, `target`, `output`; the part before the colon is its kind. `name` says
    what was measured (`age.lowest`); its unit is the gate's. A measured finding has a finite `score`; an unavailable
    one has none. `region` is x0 y0 x1 y1 in pixels of the picture, `model` names the models with their SHA-256, and
    `note` is for the reviewer and the log, never for the caller.
    """

    gate: str
    subject: str
    name: str
    status: Status
    score: float | None
    region: Box | None = None
    model: str | None = None
    milliseconds: float = 0.0
    note: str = ""

    def __post_init__(self) -> None:
        """Hold the promise that a measured finding has a finite score and an unavailable one has none."""
        for field in _TEXT_FIELDS:
            if not isinstance(getattr(self, field), str):
                raise TypeError(f"{field} must be text")
        if self.status not in ("measured", "unavailable"):
            raise ValueError(f"unknown status {self.status!r}")
        if (self.status == "measured") != (self.score is not None):
            raise ValueError("a finding has a score if, and only if, it was measured")
        if self.score is not None:
            _finite(self.score, "score")
        _finite(self.milliseconds, "milliseconds")
        if self.region is not None:
            if len(self.region) != 4:
                raise ValueError("a region is x0 y0 x1 y1")
            for edge in self.region:
                _finite(edge, "region")

    @property
    def kind(self) -> str:
        """The kind of picture that the finding is about: `source`, `target`, `output`."""
        return self.subject.partition(":")[0]

    def to_json(self) -> dict[str, Any]:
        """Return the finding as JSON types."""
        return {
            "gate": self.gate,
            "subject": self.subject,
            "name": self.name,
            "status": self.status,
            "score": self.score,
            "region": None if self.region is None else list(self.region),
            "model": self.model,
            "milliseconds": self.milliseconds,
            "note": self.note,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Finding:
        """Read what `to_json` wrote; raises ValueError or TypeError where it is anything else."""
        if not isinstance(value, Mapping) or frozenset(value) != _FIELDS:
            raise ValueError("not a finding")
        region = value["region"]
        return cls(**{**value, "region": None if region is None else tuple(region)})


def measured(
    gate: str,
    subject: str,
    name: str,
    score: SupportsFloat,
    *,
    region: Iterable[float] | None = None,
    model: str | None = None,
    milliseconds: float = 0.0,
    note: str = "",
) -> Finding:
    """Make a measured finding from NumPy or Python numbers."""
    box: Box | None = None
    if region is not None:
        x0, y0, x1, y1 = (round(float(edge), 1) for edge in region)
        box = (x0, y0, x1, y1)
    return Finding(gate, subject, name, "measured", float(score), box, model, round(milliseconds, 3), note)


def unavailable(
    gate: str, subject: str, name: str, note: str, *, model: str | None = None, milliseconds: float = 0.0
) -> Finding:
    """Make the finding that says: this could not be measured, and why."""
    return Finding(gate, subject, name, "unavailable", None, None, model, round(milliseconds, 3), note)


def to_json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Return the findings as JSON types, in their order."""
    return [finding.to_json() for finding in findings]


def from_json(values: Iterable[Mapping[str, Any]]) -> tuple[Finding, ...]:
    """Read what `to_json` wrote; raises ValueError or TypeError where it is anything else."""
    return tuple(Finding.from_json(value) for value in values)


def _finite(value: object, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{what} must be a finite number")
