"""Policy as data: rules over findings, read from YAML, versioned and identified by their digest.

A policy judges findings and nothing else, so a verdict can be replayed from the findings' JSON. It fails closed: what
the policy requires and does not find, or finds unavailable, leads to review or refuse. It is monotone: a rule looks at
a score in one direction only, and no finding may be used in both, so that more risk never gives a milder outcome.
Circumstances (tenant, purpose, region, basis) may narrow a rule, but what is not known about them never does, and rules
about age cannot be narrowed at all.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import rfc8785
import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from safety.circumstances import UNKNOWN, Circumstances
from safety.findings import Finding
from safety.verdict import Outcome, Reason, Verdict, combine

__all__ = ["Outcome", "Policy", "PolicyDocument", "PolicyError", "Reason", "Rule", "Unmeasured", "Verdict"]

Kind = Literal["source", "target", "output"]
Stop = Literal["review", "refuse"]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{2,60}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$")]
Message = Annotated[str, StringConstraints(min_length=10, max_length=300, pattern=r"^[^{}%<>]*$")]
Threshold = Annotated[float, Field(allow_inf_nan=False)]
Circumstance = Literal["tenant", "purpose", "region", "basis"]
Values = Annotated[list[Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,60}$")]], Field(min_length=1)]
Condition = Annotated[dict[Circumstance, Values], Field(min_length=1)]

_KINDS: Final[tuple[Kind, ...]] = ("source", "target", "output")
_SHIPPED: Final = "safety.policies"


class PolicyError(ValueError):
    """The text is not a valid policy."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Rule(_Part):
    """One rule: if any of the findings, on any of the kinds of picture, is past the threshold, then the outcome.

    Exactly one of `at_least`, `above` and `below` is given. `message` is told to the caller; it is fixed text, so it
    cannot carry a score. With `when` the rule counts only in circumstances that are listed or not known; with `unless`
    it does not count in those that are all listed.
    """

    code: Code
    on: Annotated[list[Kind], Field(min_length=1)]
    findings: Annotated[list[Name], Field(min_length=1)]
    at_least: Threshold | None = None
    above: Threshold | None = None
    below: Threshold | None = None
    outcome: Stop
    message: Message
    when: Condition | None = None
    unless: Condition | None = None

    @model_validator(mode="after")
    def _one_threshold(self) -> Self:
        if sum(limit is not None for limit in (self.at_least, self.above, self.below)) != 1:
            raise ValueError(f"rule {self.code}: give exactly one of at_least, above and below")
        return self

    @model_validator(mode="after")
    def _no_exception_for_minors(self) -> Self:
        if (self.when or self.unless) and any(name.startswith("age.") for name in self.findings):
            raise ValueError(f"rule {self.code}: rules about age hold in all circumstances")
        return self

    def counts(self, circumstances: Circumstances) -> bool:
        """Return whether the rule counts in these circumstances; where they are not known, it does."""
        known = circumstances.to_json()
        if any(known.get(name, values[0]) not in values for name, values in (self.when or {}).items()):
            return False
        exempt = self.unless or {}
        return not exempt or any(known.get(name) not in values for name, values in exempt.items())

    def hit(self, finding: Finding) -> bool:
        """Return whether a measured finding is past the threshold."""
        score = finding.score
        if score is None or finding.name not in self.findings or finding.kind not in self.on:
            return False
        if self.at_least is not None:
            return score >= self.at_least
        if self.above is not None:
            return score > self.above
        return self.below is not None and score < self.below


class Unmeasured(_Part):
    """What happens when one of these required findings is missing or unavailable. It can never be allowed."""

    code: Code
    findings: list[Name] = []
    outcome: Stop
    message: Message


class Need(_Part):
    """What must be known of the circumstances: one of these values, or the outcome."""

    code: Code
    circumstance: Circumstance
    one_of: Values
    outcome: Stop
    message: Message


class PolicyDocument(_Part):
    """The schema of a policy file."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,40}$")]
    version: Annotated[int, Field(ge=1)]
    description: Annotated[str, StringConstraints(min_length=1, max_length=1000)]
    required: dict[Kind, Annotated[list[Name], Field(min_length=1)]]
    unmeasured: Annotated[list[Unmeasured], Field(min_length=1)]
    rules: Annotated[list[Rule], Field(min_length=1)]
    needs: list[Need] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self._every_kind_requires_something()
        self._every_judged_finding_is_required()
        self._every_finding_has_one_direction()
        self._one_default()
        return self

    def _every_kind_requires_something(self) -> None:
        for kind in _KINDS:
            if not self.required.get(kind):
                raise ValueError(f"nothing is required of a {kind}")

    def _every_judged_finding_is_required(self) -> None:
        """A rule over something that may be absent would pass whenever it is."""
        for rule in self.rules:
            for kind in rule.on:
                if missing := set(rule.findings) - set(self.required[kind]):
                    raise ValueError(f"rule {rule.code}: {', '.join(sorted(missing))} not required of a {kind}")

    def _every_finding_has_one_direction(self) -> None:
        upward = {name for rule in self.rules if rule.below is None for name in rule.findings}
        downward = {name for rule in self.rules if rule.below is not None for name in rule.findings}
        if both := upward & downward:
            raise ValueError(f"judged in both directions: {', '.join(sorted(both))}")

    def _one_default(self) -> None:
        if sum(not entry.findings for entry in self.unmeasured) != 1:
            raise ValueError("exactly one entry of unmeasured must be the default, without findings")


class Policy:
    """One version of a policy. `version` reads `standard/1`; `digest` is the SHA-256 of the canonical document."""

    def __init__(self, document: PolicyDocument) -> None:
        self.document = document
        self.version = f"{document.name}/{document.version}"
        canonical = rfc8785.dumps(document.model_dump(mode="json", exclude_none=True))
        self.digest = hashlib.sha256(canonical).hexdigest()

    @classmethod
    def parse(cls, text: str) -> Policy:
        """Read a policy from YAML text; raises PolicyError."""
        try:
            value = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader that also refuses doubled keys
            return cls(PolicyDocument.model_validate(value))
        except (yaml.YAMLError, ValidationError, RecursionError) as error:
            raise PolicyError(str(error)) from error

    @classmethod
    def load(cls, path: Path) -> Policy:
        """Read a policy file; raises PolicyError, or OSError where it cannot be read."""
        return cls.parse(path.read_text(encoding="utf-8"))

    @classmethod
    def shipped(cls, name: str = "standard") -> Policy:
        """Return a policy that ships with Assent."""
        return _shipped(name)

    def judge(
        self, findings: Iterable[Finding], *, required: Sequence[str], circumstances: Circumstances = UNKNOWN
    ) -> Verdict:
        """Judge the findings about the pictures in `required`, such as `("source:0", "target")`.

        Deterministic: the order of the findings does not matter. Pictures that are only in the findings are judged
        like the others.
        """
        findings = list(findings)
        subjects = sorted({*required, *(finding.subject for finding in findings)})
        rules = [rule for rule in self.document.rules if rule.counts(circumstances)]
        reasons = [reason for subject in subjects for reason in self._about(subject, findings, rules)]
        reasons += self._needed(circumstances)
        if not required:
            reasons.append(self._unmeasured("", ""))
        unique = sorted(set(reasons), key=lambda r: (-r.outcome.severity, r.subject, r.code, r.message))
        outcome = combine(reason.outcome for reason in unique)
        return Verdict(outcome, tuple(unique), self.version, self.digest)

    def _needed(self, circumstances: Circumstances) -> Iterable[Reason]:
        known = circumstances.to_json()
        for need in self.document.needs or ():
            if known.get(need.circumstance) not in need.one_of:
                yield Reason(need.code, need.message, "request", Outcome(need.outcome))

    def _about(self, subject: str, findings: Sequence[Finding], rules: Sequence[Rule]) -> Iterable[Reason]:
        mine = [finding for finding in findings if finding.subject == subject]
        kind = subject.partition(":")[0]
        if kind not in self.document.required:
            yield self._unmeasured("", subject)
            return
        for name in self.document.required[kind]:
            states = [finding.status for finding in mine if finding.name == name]
            if not states or "unavailable" in states:
                yield self._unmeasured(name, subject)
        for rule in rules:
            if any(rule.hit(finding) for finding in mine):
                yield Reason(rule.code, rule.message, subject, Outcome(rule.outcome))

    def _unmeasured(self, name: str, subject: str) -> Reason:
        entries = self.document.unmeasured
        default = next(entry for entry in entries if not entry.findings)
        entry = next((entry for entry in entries if name in entry.findings), default)
        return Reason(entry.code, entry.message, subject, Outcome(entry.outcome))


@cache
def _shipped(name: str) -> Policy:
    if name not in {entry.name.removesuffix(".yaml") for entry in files(_SHIPPED).iterdir()}:
        raise PolicyError(f"no policy named {name!r} ships with Assent")
    return Policy.parse(files(_SHIPPED).joinpath(f"{name}.yaml").read_text(encoding="utf-8"))


class _StrictLoader(yaml.SafeLoader):
    """YAML in which a doubled key is an error, since the later one would silently replace the earlier.

    Only `true` and `false` are booleans, as in YAML 1.2: `on` is a key here.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML declares it this way
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if len({repr(key) for key in keys}) != len(keys):
            raise yaml.YAMLError(f"a key is given twice in line {node.start_mark.line + 1}")
        return super().construct_mapping(node, deep)


_StrictLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"true|false"), list("tf"))
