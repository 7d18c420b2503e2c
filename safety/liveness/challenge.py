"""The challenge: which way the person is asked to turn the head, and in what order.

`left` is the person's own left. In a picture that is not mirrored the nose then moves to the picture's right, which is
positive yaw. The head returns to the middle after every turn, so that the same side may be asked for twice in a row.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from random import Random
from typing import Any, Final, Literal, get_args

Move = Literal["left", "right"]

MOVES: Final[tuple[Move, ...]] = get_args(Move)
_LENGTHS: Final = (3, 4)
# A flat photo tilted by hand sometimes seems to turn far, but to one side only.
SEQUENCES: Final = tuple(
    moves for length in _LENGTHS for moves in product(MOVES, repeat=length) if len(set(moves)) == len(MOVES)
)
"""All sequences that may be asked for: three or four turns, with both sides among them."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """What one liveness session asks for.

    `nonce` is fresh for every challenge. Whoever takes the frames asks for it with each, so that one meant for another
    challenge is not counted; it says nothing of when a picture was made. `expires_at` is set by the caller, with a time
    zone, or None where the caller watches the time itself.
    """

    moves: tuple[Move, ...]
    nonce: str
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse a challenge that asks for nothing or for what is not known."""
        if not self.moves or any(move not in MOVES for move in self.moves):
            raise ValueError("a challenge is a sequence of left and right")
        if not self.nonce:
            raise ValueError("a challenge needs a nonce")
        if self.expires_at is not None and self.expires_at.tzinfo is None:
            raise ValueError("the expiry needs a time zone")

    @classmethod
    def draw(
        cls, *, nonce: str | None = None, expires_at: datetime | None = None, rng: Random | None = None
    ) -> Challenge:
        """Draw one of `SEQUENCES`, each with the same chance.

        Without `rng` the operating system's generator is used; another one is for tests only.
        """
        source = rng or secrets.SystemRandom()
        return cls(source.choice(SEQUENCES), nonce or secrets.token_urlsafe(16), expires_at)

    def to_json(self) -> dict[str, Any]:
        """Return the challenge as JSON types."""
        expires_at = None if self.expires_at is None else self.expires_at.isoformat()
        return {"moves": list(self.moves), "nonce": self.nonce, "expires_at": expires_at}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Challenge:
        """Read what `to_json` wrote; raises KeyError, TypeError or ValueError where it is anything else."""
        expires_at = value["expires_at"]
        return cls(
            tuple(value["moves"]),
            str(value["nonce"]),
            None if expires_at is None else datetime.fromisoformat(expires_at),
        )
