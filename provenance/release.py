"""The release gate: the last look at finished bytes, by everything that can tell whether they are as they should be.

Five checks, and each must pass: the reference engine trusts the credentials, the second verifier accepts them, the
watermark reads back to the id, the manifest's soft binding names the same id, and the ingredients are sound. A check
that raises, hangs or cannot be made has failed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from provenance.credentials import (
    CredentialReport,
    Ingredient,
    Relationship,
    SecondReport,
    SoftBinding,
    read,
    verify_second,
)
from provenance.deadline import Pending
from provenance.watermark import Reading

Pixels = NDArray[np.uint8]
Decode = Callable[[bytes], Pixels]
CHECK_LIMIT_S = 30.0


class MarkReader(Protocol):
    """Reads a watermark; `Watermarker` does."""

    def read(self, pixels: Pixels, *, search: bool = True) -> Reading | None:
        """Return the mark on a BGR uint8 (h, w, 3) picture, or None."""


class ReadCredentials(Protocol):
    """Reads credentials against trust anchors; `provenance.credentials.read` does."""

    def __call__(self, data: bytes, media_type: str, trust_pem: str | None, /) -> CredentialReport:
        """Return the report, or raise."""


class VerifySecond(Protocol):
    """Gives the second opinion; `provenance.credentials.verify_second` does."""

    def __call__(self, data: bytes, media_type: str, trust_pem: str | None, /) -> SecondReport:
        """Return the report, or raise."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check of the gate: its `name`, whether it `passed`, the refusal `code` where not, and a `detail` to read."""

    name: str
    passed: bool
    code: str = ""
    detail: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the check as plain data."""
        return {"name": self.name, "passed": self.passed, "code": self.code, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class Expected:
    """What the finished bytes have to show."""

    soft_binding: SoftBinding
    ingredients: Sequence[Ingredient]


class ReleaseGate:
    """Checks finished bytes. The two verifiers can be replaced, for tests and for other engines."""

    def __init__(
        self,
        marks: MarkReader,
        trust_pem: str,
        *,
        read_credentials: ReadCredentials = read,
        verify_second: VerifySecond = verify_second,
        limit_s: float = CHECK_LIMIT_S,
    ) -> None:
        self._marks = marks
        self._trust_pem = trust_pem
        self._read_credentials = read_credentials
        self._verify_second = verify_second
        self._limit_s = limit_s

    def check(self, data: bytes, media_type: str, decode: Decode, expected: Expected) -> tuple[Check, ...]:
        """Return the five checks, in a fixed order. Never raises; a picture may leave only where all have passed."""
        reading = Pending(lambda: self._read_credentials(data, media_type, self._trust_pem))
        second = Pending(lambda: self._verify_second(data, media_type, self._trust_pem))
        mark = Pending(lambda: self._marks.read(decode(data), search=False))
        report = _outcome("credentials", reading, self._limit_s)
        return (
            _judged("credentials", report, _credentials),
            _judged("second_verifier", _outcome("second_verifier", second, self._limit_s), _second),
            _judged(
                "watermark",
                _outcome("watermark", mark, self._limit_s),
                lambda found: _watermark(found, expected.soft_binding.ident),
            ),
            _judged("soft_binding", report, lambda found: _soft_binding(found, expected.soft_binding)),
            _judged("ingredients", report, lambda found: _ingredients(found, expected.ingredients)),
        )


@dataclass(frozen=True, slots=True)
class _Fault:
    """A check that could not be made."""

    error: Exception


def _outcome(name: str, pending: Pending[Any], limit_s: float) -> Any:
    try:
        return pending.result(limit_s)
    except Exception as error:
        return _Fault(error)


def _judged(name: str, outcome: Any, judge: Callable[[Any], Check]) -> Check:
    """Return the judgement of an outcome; whatever goes wrong on the way counts as a failed check."""
    if isinstance(outcome, _Fault):
        return Check(name, False, f"{name}_check_failed", f"{type(outcome.error).__name__}: {outcome.error}")
    try:
        return judge(outcome)
    except Exception as error:
        return Check(name, False, f"{name}_check_failed", f"{type(error).__name__}: {error}")


def _credentials(report: CredentialReport) -> Check:
    if report.sound is True:
        return Check("credentials", True, detail="Trusted")
    detail = ", ".join((report.state, *report.codes, *report.problems))
    return Check("credentials", False, "credentials_not_trusted", detail)


def _second(report: SecondReport) -> Check:
    if report.valid is True:
        return Check("second_verifier", True, detail="Trusted")
    return Check("second_verifier", False, "second_verifier_disagrees", ", ".join((report.state, *report.codes)))


def _watermark(reading: Reading | None, ident: int) -> Check:
    if reading is not None and reading.ident == ident:
        return Check("watermark", True, detail=f"confidence {reading.confidence:.2f}")
    detail = "no mark was found" if reading is None else "another id was read"
    return Check("watermark", False, "watermark_not_readable", detail)


def _soft_binding(report: CredentialReport, expected: SoftBinding) -> Check:
    if report.soft_bindings == (expected,):
        return Check("soft_binding", True, detail=expected.algorithm)
    return Check("soft_binding", False, "soft_binding_mismatch", "the manifest does not name the watermark's id")


def _ingredients(report: CredentialReport, expected: Sequence[Ingredient]) -> Check:
    """Compare the manifest's ingredients with those handed in, in any order, and look at their own credentials."""
    found = sorted((item.label, item.relationship) for item in report.ingredients)
    parents = [item for item in report.ingredients if item.relationship == Relationship.PARENT]
    if found != sorted((item.label, str(item.relationship)) for item in expected) or len(parents) != 1:
        return Check("ingredients", False, "ingredients_unsound", "the manifest lists other ingredients")
    tampered = [item.label for item in report.ingredients if item.failures]
    if tampered:
        return Check("ingredients", False, "ingredients_unsound", f"changed after signing: {', '.join(tampered)}")
    return Check("ingredients", True, detail=f"{len(found)} ingredients")
