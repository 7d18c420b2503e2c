"""Things made for the safety tests: faces, findings, and a computed torso that the NSFW networks take for a nude."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from pipeline.faces import Face, Pixels, Pose
from safety.findings import Finding, measured
from safety.policy import Policy

GREY = np.full((64, 64, 3), 127, np.uint8)

# Scores under which every rule of the shipped policy is satisfied.
HARMLESS: Mapping[str, float] = {
    "face.width": 200.0,
    "age.lowest": 40.0,
    "age.cautious": 40.0,
    "protected.distance": 0.5,
    "protected.margin": 0.05,
    "known.distance": 256.0,
}


def face(x: float = 100.0, y: float = 100.0, width: float = 80.0, yaw: float = 0.0, pitch: float = 0.0) -> Face:
    """A face whose mesh is scattered over a square about (x, y)."""
    scatter = np.random.default_rng(0).uniform(-0.5, 0.5, (468, 3)) * width
    mesh = (scatter + np.array([x, y, 0])).astype(np.float32)
    return Face(mesh=mesh, presence=1.0, pose=Pose(yaw, pitch, 0.0), width=width, score=1.0)


def harmless_findings(policy: Policy, subjects: tuple[str, ...]) -> list[Finding]:
    """Everything that the policy requires of these pictures, with scores that offend no rule."""
    return [
        measured("test", subject, name, HARMLESS.get(name, 0.0))
        for subject in subjects
        for name in policy.document.required[subject.partition(":")[0]]  # type: ignore[index]
    ]


def torso(size: int = 480) -> Pixels:
    """A bare torso, computed: a height field under one lamp, with skin tone. No photograph is involved."""
    y, x = np.mgrid[:size, :size].astype(np.float32) / size
    width = np.interp(y[:, 0], [0, 0.12, 0.2, 0.3, 0.5, 0.68, 0.85, 1], [0.09, 0.09, 0.27, 0.29, 0.24, 0.21, 0.27, 0.3])
    across = np.abs(x - 0.5) / width[:, None]
    height = 0.28 * np.sqrt(np.clip(1 - across**2, 0, None))
    for side in (-0.125, 0.125):
        height += 0.13 * np.sqrt(np.clip(1 - ((x - 0.5 - side) / 0.13) ** 2 - ((y - 0.42) / 0.137) ** 2, 0, None))
    height = cv2.GaussianBlur(height.astype(np.float32) * size, (0, 0), size / 90)
    down, right = np.gradient(height)
    lamp = np.array([-0.35, -0.6, 0.75]) / np.linalg.norm([-0.35, -0.6, 0.75])
    light = np.clip((-right * lamp[0] - down * lamp[1] + lamp[2]) / np.sqrt(right**2 + down**2 + 1), 0, 1)
    skin = np.broadcast_to(np.array([150, 180, 225], np.float32), (size, size, 3))
    for side in (-0.135, 0.135):
        distance = np.hypot(x - 0.5 - side, y - 0.455)
        for radius, colour in ((0.035, (105, 115, 175)), (0.012, (85, 90, 150))):
            share = np.clip((radius - distance) / 0.008, 0, 1)[..., None]
            skin = skin * (1 - share) + share * np.array(colour, np.float32)
    body = cv2.GaussianBlur((across < 1).astype(np.float32), (0, 0), 1.2)[..., None]
    lit = skin * (0.3 + 0.75 * light[..., None])
    picture = lit * body + np.array([120, 115, 110]) * (1 - body)
    return np.asarray(np.clip(picture, 0, 255), np.uint8)
