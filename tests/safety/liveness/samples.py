"""Captures made for the liveness tests: observations without pictures, and real frames put into an order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from pipeline.faces import Floats, Pixels
from safety.liveness import Challenge, FrameObservation, Move
from safety.liveness.observe import Sight, observe

ALICE = np.zeros(128, np.float32)
BOB = np.full(128, 0.08, np.float32)  # .9 away


def challenge(*moves: Move) -> Challenge:
    return Challenge(moves, "nonce")


def yaws(moves: Iterable[Move], far: float = 32.0) -> list[float]:
    """The yaw over time of somebody who follows the moves, about four frames to a quarter of a turn."""
    path = [0.0, 1.0]
    for move in moves:
        swing = [6, 15, 24, far, 25, 14, 4, 0]
        path += [angle if move == "left" else -angle for angle in swing]
    return path


def observation(sequence: int, yaw: float = 0.0, **changes: Any) -> FrameObservation:
    """A good frame at five frames a second; its embedding drifts a little with the yaw."""
    embedding = ALICE.copy()
    embedding[1] = yaw / 100
    plain = FrameObservation(
        sequence=sequence,
        captured_at=10 + sequence * 0.2,
        digest=f"{sequence:064x}",
        faces=1,
        yaw=yaw,
        width=120.0,
        presence=1.0,
        x=320.0 + yaw,
        y=240.0,
        inside=1.0,
        brightness=130.0,
        embedding=embedding,
    )
    return replace(plain, **changes)


def capture(*moves: Move) -> list[FrameObservation]:
    return [observation(number, yaw) for number, yaw in enumerate(yaws(moves))]


def renumbered(frames: Sequence[FrameObservation]) -> list[FrameObservation]:
    """The frames as if they had been captured in this order: what an attacker controls."""
    return [
        replace(frame, sequence=number, captured_at=10 + number * 0.2, digest=f"{number:064x}")
        for number, frame in enumerate(frames)
    ]


def noisy(pixels: Pixels, seed: int) -> Pixels:
    """The picture with a sensor's noise: another picture to a digest."""
    noise = np.random.default_rng(seed).normal(0, 2, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def observed(engine: Sight, pictures: Sequence[Pixels], *, step_s: float = 0.15) -> list[FrameObservation]:
    """Observe pictures as one capture, each with fresh noise."""
    return [
        observe(engine, noisy(picture, number), sequence=number, captured_at=number * step_s)
        for number, picture in enumerate(pictures)
    ]


def tilted(photo: Pixels, degrees: float, side: int = 640) -> Pixels:
    """A flat photo turned about its vertical axis, seen by a camera two photo widths away."""
    height, width = photo.shape[:2]
    corners = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]) * (width, height) / max(width, height)
    angle = np.radians(degrees)
    nearness = 2 / (2 + corners[:, 0] * np.sin(angle))
    seen = np.stack([corners[:, 0] * np.cos(angle) * nearness, corners[:, 1] * nearness], axis=1)
    whole = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    homography = cv2.getPerspectiveTransform(whole, (seen * side * 0.8 + side / 2).astype(np.float32))
    grey = (120, 120, 120)
    return np.asarray(cv2.warpPerspective(photo, homography, (side, side), borderValue=grey), np.uint8)


def template_of(frames: Sequence[FrameObservation]) -> Floats:
    rows = [frame.embedding for frame in frames if frame.embedding is not None and abs(frame.yaw) < 20]
    return np.asarray(np.mean(rows, axis=0), np.float32)
