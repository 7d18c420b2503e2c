"""Which licences of models the operator accepts."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.errors import ModelUnavailable


@dataclass(frozen=True)
class Terms:
    """A model's licence in words, its identifiers (SPDX where there is one), and whether it allows commercial use.

    `commercial_use` is None where nobody has settled it.
    """

    licence: str
    identifiers: tuple[str, ...]
    commercial_use: bool | None

    @property
    def commercial(self) -> str:
        """`yes`, `no` or `unknown, check`."""
        return {True: "yes", False: "no", None: "unknown, check"}[self.commercial_use]


@dataclass(frozen=True)
class LicencePolicy:
    """What the settings accept.

    Where `accepted` names licences, a model runs only if every one of its licences is among them; naming a licence
    also says that the operator may use it as they do. Otherwise every licence is accepted, except that with
    `commercial` a model must be known to allow commercial use.
    """

    accepted: frozenset[str] = frozenset()
    commercial: bool = False

    def names(self, terms: Terms) -> bool:
        """Whether the settings name every licence of the model."""
        return bool(terms.identifiers) and self.accepted.issuperset(terms.identifiers)

    def accepts(self, terms: Terms) -> bool:
        """Whether a model under these terms may run."""
        if self.accepted:
            return self.names(terms)
        return terms.commercial_use is True or not self.commercial

    def require(self, model: str, terms: Terms) -> None:
        """Raise ModelUnavailable (`licence_not_accepted`) by the model's name where the settings do not accept it."""
        if self.accepts(terms):
            return
        wanted = ", ".join(terms.identifiers)
        reason = "the settings do not accept" if self.accepted else "commercial use is required but not granted by"
        raise ModelUnavailable(
            "licence_not_accepted",
            f"The model {model} may not run: {reason} its licence {wanted} ({terms.licence}).",
            "Choose another model, or name every one of its licences in the setting accepted_licences.",
        )
