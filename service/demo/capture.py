"""Renders the fictional donor turning the head, as a camera would see it: the demonstration's liveness capture.

It is deliberately of no use for anything else. A renderer that turns any photo into a moving head is a tool for
passing liveness checks as somebody else, so this one takes no picture at all: it accepts a `Donor`, which cannot be
built from a picture, and draws the portrait that `service.demo.portrait` paints of that one invented person.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.faces import Floats, Pixels
from pipeline.mesh.indices import CHIN, LEFT_EAR, OVAL, RIGHT_EAR
from pipeline.mesh.raster import back_to_front, evaluate, look_up, paint, texel_centres, triangle_maps
from pipeline.mesh.topology import shipped_topology
from service.demo.donor import RECIPE, Donor
from service.demo.portrait import paint as paint_portrait
from service.demo.sheet import side_by_side

__all__ = ["donor_capture", "side_by_side"]

Indices = NDArray[np.int32]

FRAMES_PER_SECOND: Final = 15.0
WIDTH, HEIGHT = 640, 480

TURNS: Final[dict[str, tuple[float, float]]] = {"left": (33.0, 0.0), "right": (-33.0, 0.0)}
"""Yaw and pitch in degrees that the head is turned to for each move. "left" is the person's own left: in the unmirrored
picture of a camera the nose moves to the right."""

REST, TURN, HOLD = 0.8, 0.8, 0.35  # seconds: looking ahead before, between and after; one way; at the end of the way
CAMERA = 5.0  # distance of the camera from the head, head widths
RINGS: Final = (1.12, 1.28, 1.46, 1.66, 1.85, 2.05, 2.3)  # of hair, neck and wall around the oval, in its radii
FOLD: Final = 5.0  # neighbouring frame pixels that show places this many portrait pixels apart: an edge of the head
NOISE = 1.8  # standard deviation of the sensor noise, grey levels


def donor_capture(donor: Donor, moves: Sequence[str], *, take: int = 0) -> Iterator[tuple[float, Pixels]]:
    """Return the frames of the donor making the moves in order: (seconds since the start, uint8 BGR (480, 640, 3)).

    The head looks ahead at the start, between the moves and at the end. Every `take` has noise of its own, as a camera
    has; a server refuses a capture that it has seen. Raises `ValueError` for an unknown move and
    `TypeError` for anything but a donor.
    """
    if not isinstance(donor, Donor):
        raise TypeError("only the fictional donor can be captured")
    unknown = [move for move in moves if move not in TURNS]
    if unknown:
        raise ValueError(f"unknown moves: {', '.join(unknown)}; there are {', '.join(TURNS)}")
    return _frames(_Head.of(donor), moves, take)


def _frames(head: _Head, moves: Sequence[str], take: int) -> Iterator[tuple[float, Pixels]]:
    length = _seconds(moves)
    for number in range(int(length * FRAMES_PER_SECOND)):
        seconds = number / FRAMES_PER_SECOND
        yield seconds, _noisy(head.seen(*_pose(seconds, moves)), number, take)


def _seconds(moves: Sequence[str]) -> float:
    return REST + len(moves) * (2 * TURN + HOLD + REST)


def _pose(seconds: float, moves: Sequence[str]) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees at a time; nobody holds quite still."""
    yaw = 0.7 * np.sin(1.7 * seconds) + 0.4 * np.sin(2.9 * seconds + 1)
    pitch = 0.6 * np.sin(1.3 * seconds + 2) + 0.3 * np.sin(3.1 * seconds)
    roll = 0.5 * np.sin(1.1 * seconds + 0.5)
    for index, move in enumerate(moves):
        since = seconds - REST - index * (2 * TURN + HOLD + REST)
        there = _ease(since / TURN) - _ease((since - TURN - HOLD) / TURN)
        yaw += TURNS[move][0] * there
        pitch += TURNS[move][1] * there
    return float(yaw), float(pitch), float(roll)


def _ease(x: float) -> float:
    """From 0 to 1 without a jolt at either end."""
    t = min(max(x, 0.0), 1.0)
    return t * t * t * (10 - 15 * t + 6 * t * t)


@dataclass(frozen=True, eq=False)
class _Head:
    """The portrait at frame scale with a mesh over all of it.

    `points` float32 (n, 3) frame pixels; `follows` float32 (n, 1) how much of the head's turn each vertex makes: all
    of it on the head, none on the clothes and the wall.
    """

    portrait: Pixels
    points: Floats
    follows: Floats
    triangles: Indices
    pivot: Floats
    distance: float

    @classmethod
    def of(cls, donor: Donor) -> _Head:
        picture = paint_portrait(RECIPE)
        scale = HEIGHT / picture.shape[0]
        portrait = cv2.resize(picture, (HEIGHT, HEIGHT), interpolation=cv2.INTER_AREA)
        margin = (WIDTH - HEIGHT) // 2
        portrait = _widened(portrait, margin)
        mesh = (donor.face.mesh * np.float32(scale) + np.array([margin, 0, 0], np.float32)).astype(np.float32)
        width = donor.face.width * scale
        points, follows, triangles = _surround(mesh, width)
        ears = (mesh[RIGHT_EAR] + mesh[LEFT_EAR]) / 2
        pivot = np.array([ears[0], ears[1], ears[2] + 0.1 * width], np.float32)
        return cls(portrait, points, follows, triangles, pivot, CAMERA * width)

    def seen(self, yaw: float, pitch: float, roll: float) -> Pixels:
        """The frame at a head pose relative to the portrait's, without noise."""
        centred = self.points - self.pivot
        turned = np.asarray(centred @ _rotation(yaw, pitch, roll).T, dtype=np.float32)
        moved = self.points[:, :2] + self.follows * (self._project(turned) - self._project(centred))
        depth = centred[:, 2] + self.follows[:, 0] * (turned - centred)[:, 2]
        points = np.ascontiguousarray(moved, dtype=np.float32)
        order = back_to_front(depth.astype(np.float32), self.triangles)
        x, y, width, height = cv2.boundingRect(points)
        x, y, right, bottom = max(x, 0), max(y, 0), min(x + width, WIDTH), min(y + height, HEIGHT)
        numbers = paint(points - np.array([x, y], np.float32), self.triangles, order, (bottom - y, right - x))
        maps = triangle_maps(points, np.ascontiguousarray(self.points[:, :2]), self.triangles)
        columns, rows = texel_centres(WIDTH)[x:right], texel_centres(HEIGHT)[y:bottom]
        where = evaluate(numbers, maps, columns, rows, -1.0)
        where[numbers < 0] = np.dstack(np.meshgrid(columns, rows))[numbers < 0]
        frame = self.portrait.copy()
        frame[y:bottom, x:right] = _smooth_edges(look_up(self.portrait, where), where)
        return frame

    def _project(self, centred: Floats) -> Floats:
        return np.asarray(centred[:, :2] * (self.distance / (self.distance + centred[:, 2:])), dtype=np.float32)


def _smooth_edges(drawn: Pixels, where: Floats) -> Pixels:
    """Soften the stairs where the head's outline covers what lies behind it."""
    square = np.ones((3, 3), np.uint8)
    jump = (cv2.dilate(where, square) - cv2.erode(where, square)).max(axis=2) > FOLD
    softened: Pixels = np.where(jump[..., None], cv2.GaussianBlur(drawn, (3, 3), 0), drawn)
    return softened


def _rotation(yaw: float, pitch: float, roll: float) -> Floats:
    """Positive yaw looks to the picture's right, pitch up, roll clockwise; x right, y down, z away."""
    (sy, sp, sr), (cy, cp, cr) = np.sin(np.radians([yaw, pitch, roll])), np.cos(np.radians([yaw, pitch, roll]))
    about_y = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x, dtype=np.float32)


def _widened(portrait: Pixels, margin: int) -> Pixels:
    """Continue the plain wall to both sides."""
    wide = cv2.copyMakeBorder(portrait, 0, 0, margin, margin, cv2.BORDER_REPLICATE)
    smooth = cv2.GaussianBlur(wide, (0, 0), 5)
    wide[:, :margin], wide[:, -margin:] = smooth[:, :margin], smooth[:, -margin:]
    return np.asarray(wide, dtype=np.uint8)


def _surround(mesh: Floats, width: float) -> tuple[Floats, Floats, Indices]:
    """Continue the face mesh outward to the frame's edge: vertices, how they follow the head, triangles.

    The hair recedes toward the plane of the ears; below the chin the neck follows less and less.
    """
    oval = mesh[list(OVAL)]
    middle = oval.mean(axis=0)
    back = (mesh[RIGHT_EAR, 2] + mesh[LEFT_EAR, 2]) / 2 + 0.12 * width
    vertices, follows = [mesh], [np.ones(len(mesh), np.float32)]
    for reach in RINGS:
        ring = middle + (oval - middle) * np.float32(reach)
        recede = np.clip((reach - 1) / 0.66, 0, 1) ** 1.5
        ring[:, 2] = oval[:, 2] + (back - oval[:, 2]) * recede
        vertices.append(ring)
        follows.append(np.full(len(ring), 1 - np.clip((reach - 1.66) / 0.6, 0, 1), np.float32))
    points = np.concatenate(vertices).astype(np.float32)
    below = (points[:, 1] - mesh[CHIN, 1]) / (0.3 * width)
    neck = np.clip(1 - below, 0, 1)
    share = np.concatenate(follows) * neck * neck * (3 - 2 * neck)
    return points, share.astype(np.float32)[:, None], _ring_triangles(len(mesh), len(vertices) - 1)


def _ring_triangles(face_vertices: int, rings: int) -> Indices:
    count = len(OVAL)
    here, following = np.arange(count), (np.arange(count) + 1) % count
    triangles = [shipped_topology().triangles]
    inner = np.array(OVAL)
    for ring in range(rings):
        outer = face_vertices + ring * count + here
        a, b, c, d = inner[here], inner[following], outer[here], outer[following]
        triangles += [np.stack([a, b, c], axis=1), np.stack([b, d, c], axis=1)]
        inner = outer
    return np.concatenate(triangles).astype(np.int32)


def _noisy(frame: Pixels, number: int, take: int) -> Pixels:
    """Add the sensor's noise, another one in each frame of each take."""
    noise = np.random.default_rng([77, number, take]).standard_normal(frame.shape, np.float32) * np.float32(NOISE)
    return np.clip(np.round(frame + noise), 0, 255).astype(np.uint8)
