"""One frame, looked at once: what liveness needs to know about it, so that the frame itself need not be kept."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np

from pipeline.faces import Face, Floats, Pixels

EMBEDDING_SIZE: Final = 128


class Sight(Protocol):
    """What is needed of the pipeline's engine."""

    def look(self, pixels: Pixels) -> list[Face]:
        """Return every face, the largest first."""

    def embed(self, pixels: Pixels, faces: list[Face]) -> Floats:
        """Return float32 (len(faces), 128)."""


@dataclass(frozen=True, eq=False, slots=True)
class FrameObservation:
    """What was seen in one frame.

    `sequence` counts the frames, `captured_at` is the capture time in seconds by the sender's clock, `digest` the
    SHA-256 of the decoded pixels, `faces` how many there are. The rest is about the largest face and zero without one:
    `yaw`, `pitch`, `roll` in degrees; ear-to-ear `width` in pixels; `presence` 0..1; the middle of its box `x`, `y` in
    pixels; `inside`, the share 0..1 of its mesh that lies in the frame; `brightness`, its mean luma 0..255. `embedding`
    is float32 (128,), None without a face.
    """

    sequence: int
    captured_at: float
    digest: str
    faces: int
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    width: float = 0.0
    presence: float = 0.0
    x: float = 0.0
    y: float = 0.0
    inside: float = 0.0
    brightness: float = 0.0
    embedding: Floats | None = None

    def __post_init__(self) -> None:
        """Refuse numbers that are not finite: they would pass every comparison."""
        numbers = [getattr(self, name) for name in _NUMBERS]
        if not all(isinstance(n, int | float) and math.isfinite(n) for n in numbers):
            raise ValueError("an observation consists of finite numbers")
        if self.embedding is not None and self.embedding.shape != (EMBEDDING_SIZE,):
            raise ValueError("an embedding has 128 numbers")
        if self.embedding is not None and not np.isfinite(self.embedding).all():
            raise ValueError("an embedding consists of finite numbers")

    def to_json(self) -> dict[str, Any]:
        """Return the observation as JSON types; the embedding as base64 of little-endian float32."""
        values: dict[str, Any] = {name: getattr(self, name) for name in _NUMBERS}
        values["digest"] = self.digest
        values["embedding"] = None
        if self.embedding is not None:
            values["embedding"] = base64.b64encode(self.embedding.astype("<f4").tobytes()).decode("ascii")
        return values

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> FrameObservation:
        """Read what `to_json` wrote; raises TypeError or ValueError where it is anything else."""
        encoded = value.get("embedding")
        embedding: Floats | None = None
        if encoded is not None:
            raw = base64.b64decode(encoded, validate=True)
            embedding = np.frombuffer(raw, "<f4").astype(np.float32)
        return cls(**{**value, "embedding": embedding})


_NUMBERS: Final = (
    "sequence",
    "captured_at",
    "faces",
    "yaw",
    "pitch",
    "roll",
    "width",
    "presence",
    "x",
    "y",
    "inside",
    "brightness",
)


def observe(engine: Sight, pixels: Pixels, *, sequence: int, captured_at: float) -> FrameObservation:
    """Look at one posted frame, BGR uint8 (h, w, 3), not mirrored; raises what the engine raises."""
    digest = hashlib.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()
    faces = engine.look(pixels)
    if not faces:
        return FrameObservation(sequence, captured_at, digest, 0)
    face = faces[0]
    embedding = np.asarray(engine.embed(pixels, [face]), np.float32)[0]
    x0, y0, x1, y1 = (float(edge) for edge in face.box)
    return FrameObservation(
        sequence=sequence,
        captured_at=captured_at,
        digest=digest,
        faces=len(faces),
        yaw=float(face.pose.yaw),
        pitch=float(face.pose.pitch),
        roll=float(face.pose.roll),
        width=float(face.width),
        presence=float(face.presence),
        x=(x0 + x1) / 2,
        y=(y0 + y1) / 2,
        inside=_inside(face, pixels),
        brightness=_brightness(face, pixels),
        embedding=embedding,
    )


def _inside(face: Face, pixels: Pixels) -> float:
    height, width = pixels.shape[:2]
    points = face.mesh[:, :2]
    return float(((points >= 0).all(axis=1) & (points < (width, height)).all(axis=1)).mean())


def _brightness(face: Face, pixels: Pixels) -> float:
    """Mean luma (BT.601) of the face's box, 0..255; 0 where the box lies outside the frame."""
    height, width = pixels.shape[:2]
    x0, y0 = np.clip(face.box[:2], 0, (width, height)).astype(int)
    x1, y1 = np.clip(face.box[2:], 0, (width, height)).astype(int)
    part = pixels[y0:y1, x0:x1]
    return float(part.mean(axis=(0, 1)) @ (0.114, 0.587, 0.299)) if part.size else 0.0
