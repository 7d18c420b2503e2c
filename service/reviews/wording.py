"""What codes are called at the desk."""

from __future__ import annotations

from service.web.pages import words

_SUBJECTS = {
    "target": "Target picture",
    "output": "Rendered picture",
    "grant": "Consent",
    "job": "Request",
    "": "Request",
}
_STAGES = {"input": "Before rendering", "output": "After rendering"}
_FAMILIES = {"nsfw": "NSFW", "id": "ID"}


def subject_label(subject: str) -> str:
    """`source:0` as `Source photo 1`, `target` as `Target picture`."""
    kind, _, index = subject.partition(":")
    if kind == "source":
        return f"Source photo {int(index) + 1}" if index.isdecimal() else "Source photo"
    return _SUBJECTS.get(subject, words(subject))


def stage_label(stage: str) -> str:
    """When in a job's life the case arose."""
    return _STAGES.get(stage, words(stage))


def code_label(code: str) -> str:
    """A reason's code, or a finding's name, in words: `age.lowest` as `Age: lowest`."""
    text = words(code)
    first, _, rest = text.partition(" ")
    known = _FAMILIES.get(first.rstrip(":").lower())
    if known is None:
        return text
    return f"{known}{':' if first.endswith(':') else ''} {rest}".strip()
