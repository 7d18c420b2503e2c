"""What stands in where an installation has no lists and reads no marks: nobody and nothing is listed."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.faces import Floats
from safety.evidence import Evidence
from safety.gates.origin import Origin
from safety.lists.people import REACH, Nearest
from safety.lists.pictures import BITS, Hashes, NearestPicture


class NobodyProtected:
    """A directory of protected people without entries."""

    def nearest(self, embeddings: Floats, tenant: str | None) -> Sequence[Nearest]:
        """Nobody is near."""
        return [Nearest(REACH, None, 0)] * len(embeddings)


class NothingKnown:
    """A directory of known pictures without entries."""

    def nearest(self, hashes: Hashes, tenant: str | None) -> NearestPicture:
        """Nothing is near."""
        return NearestPicture(BITS, None, 0)


class NoMarks:
    """A reader that looks for no marks."""

    def read(self, evidence: Evidence) -> Origin:
        """Nothing is known about where the picture comes from."""
        return Origin(note="marks are not read")
