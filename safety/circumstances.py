"""The circumstances of a request, as far as a policy may look at them: for whom, what for, where, by what right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Each is a plain code or None where it is not known; an unknown one never makes a policy milder.

    `tenant` is the organisation's id, `purpose` what the picture is for, `region` where it will be shown, `basis` the
    right by which the target's footage is used.
    """

    tenant: str | None = None
    purpose: str | None = None
    region: str | None = None
    basis: str | None = None

    def __post_init__(self) -> None:
        """Refuse what is no text."""
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not isinstance(value, str):
                raise TypeError(f"{field.name} must be text")

    def to_json(self) -> dict[str, str]:
        """Return what is known, as JSON types."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Circumstances:
        """Read what `to_json` wrote; raises TypeError where it is anything else."""
        return cls(**value)


UNKNOWN: Final = Circumstances()
