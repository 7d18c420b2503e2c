"""The gates: each turns evidence about one picture into findings and knows nothing of jobs or policy."""

from safety.gates.age import AgeGate
from safety.gates.base import Gate, GateUnavailable
from safety.gates.consent import ConsentGate
from safety.gates.face import FaceGate
from safety.gates.identity import OutputIdentityGate
from safety.gates.known import KnownPictureGate
from safety.gates.nsfw import NsfwGate
from safety.gates.origin import OriginGate
from safety.gates.protected import ProtectedPeopleGate

__all__ = [
    "AgeGate",
    "ConsentGate",
    "FaceGate",
    "Gate",
    "GateUnavailable",
    "KnownPictureGate",
    "NsfwGate",
    "OriginGate",
    "OutputIdentityGate",
    "ProtectedPeopleGate",
]
