"""Derives the table behind the mesh engine: `python -m pipeline.mesh.derive_topology FOLDER_OF_FACES OUT.npz`.

The table holds nothing but what the landmark model says about a folder of faces: its mean shape, which landmark
mirrors which, how still each one keeps, one flat layout (UV) and one triangulation of it. It needs to be run again
only when the landmark model changes.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from pipeline.mesh.geometry import fit_similarity
from pipeline.mesh.indices import CHIN, FOREHEAD_TOP, LEFT_EAR, LOOPS, LOWER_LIP, OVAL, RIGHT_EAR, UPPER_LIP
from pipeline.mesh.triangulate import constrained_delaunay

Array = NDArray[np.float64]
EAR_TO_EAR = 15.33  # centimetres; sets the scale of the mean shape
FRONTAL = 25.0  # degrees of yaw within which a face counts for the mean shape
OPEN_MOUTHS = 0.2  # share of the faces, widest open mouth first, that part the lips of the UV layout


def derive(meshes: Array) -> dict[str, NDArray[np.generic]]:
    """Turn landmark meshes (n, 468, 3) in pixels of n different pictures into the arrays of the topology table."""
    still, aligned = _mean_shape(meshes)
    mirror = _mirror_map(aligned.mean(axis=0))
    upright = np.stack([_upright(shape, mirror) for shape in aligned])
    facing = upright[np.abs(_yaws(aligned)) < FRONTAL]
    shape = _symmetric(facing.mean(axis=0), mirror)
    gap = np.linalg.norm(facing[:, UPPER_LIP] - facing[:, LOWER_LIP], axis=1)
    talking = facing[np.argsort(-gap)[: max(1, int(len(gap) * OPEN_MOUTHS))]]
    parted = (shape + _symmetric(talking.mean(axis=0), mirror)) / 2
    uv = _unwrap(parted)
    return {
        "shape": shape.astype(np.float32),
        "uv": uv.astype(np.float32),
        "triangles": _triangulate(uv, mirror).astype(np.int16),
        "mirror": mirror.astype(np.int16),
        "stiffness": _stiffness(still, mirror).astype(np.float32),
    }


def _mean_shape(meshes: Array, rounds: int = 10) -> tuple[Array, Array]:
    """Generalised Procrustes, still vertices weigh more: variance (468,), and the meshes aligned (n, 468, 3)."""
    weights = np.ones(meshes.shape[1])
    mean = meshes[0] / np.abs(meshes[0]).max()
    variance, aligned = weights, meshes
    for _ in range(rounds):
        fits = [fit_similarity(mean, mesh, weights) for mesh in meshes]
        aligned = np.stack([fit.to_model(mesh) for fit, mesh in zip(fits, meshes, strict=True)]).astype(np.float64)
        mean = aligned.mean(axis=0)
        variance = ((aligned - mean) ** 2).sum(axis=2).mean(axis=0)
        weights = 1 / (variance + np.percentile(variance, 10))
    return variance, aligned


def _mirror_map(shape: Array) -> NDArray[np.int64]:
    """Match every vertex with its mirror image; the result is its own inverse."""
    centred = shape - shape.mean(axis=0)
    image = centred * [-1, 1, 1]
    match = _nearest(centred, image)
    for _ in range(10):
        fit = fit_similarity(image[match], centred, np.ones(len(shape)))
        match = _nearest(centred, fit.to_picture(image))
    if not np.array_equal(match[match], np.arange(len(shape))):
        raise ValueError("the mean shape has no consistent mirror image; are there enough faces?")
    return match


def _nearest(one: Array, two: NDArray[np.floating]) -> NDArray[np.int64]:
    cost = ((one[:, None] - two[None]) ** 2).sum(axis=2)
    return np.asarray(linear_sum_assignment(cost)[1], dtype=np.int64)


def _upright(shape: Array, mirror: NDArray[np.int64]) -> Array:
    """Turn a shape so that its mirror plane is x = 0 and forehead, chin stand plumb; ears `EAR_TO_EAR` cm apart."""
    across = shape - shape[mirror]
    across[np.arange(len(shape)) > mirror] *= -1
    sideways = across.sum(axis=0) / np.linalg.norm(across.sum(axis=0))
    sideways *= np.sign(sideways @ (shape[LEFT_EAR] - shape[RIGHT_EAR]))
    down = shape[CHIN] - shape[FOREHEAD_TOP]
    down = down - sideways * (sideways @ down)
    down /= np.linalg.norm(down)
    centred = shape - (shape[RIGHT_EAR] + shape[LEFT_EAR]) / 2
    turned = centred @ np.stack([sideways, down, np.cross(sideways, down)], axis=1)
    return np.asarray(turned * EAR_TO_EAR / (turned[LEFT_EAR, 0] - turned[RIGHT_EAR, 0]))


def _yaws(aligned: Array) -> Array:
    """How far each face is turned from the mean of all, degrees, out of the depth between its ears.

    The alignment has taken the turn out, so what is left is the landmark model's own distortion at a turn.
    """
    ears = aligned[:, LEFT_EAR] - aligned[:, RIGHT_EAR]
    mean = ears.mean(axis=0)
    return np.asarray(np.degrees(np.arctan2(ears[:, 2], ears[:, 0]) - np.arctan2(mean[2], mean[0])))


def _symmetric(shape: Array, mirror: NDArray[np.int64]) -> Array:
    return np.asarray((shape + shape[mirror] * [-1, 1, 1]) / 2)


def _stiffness(variance: Array, mirror: NDArray[np.int64]) -> Array:
    """Weights (468,) that sum to 1: a vertex weighs more the less it moves between people and expressions."""
    even = (variance + variance[mirror]) / 2
    weights = 1 / (even + np.percentile(even, 10))
    return np.asarray(weights / weights.sum())


def _unwrap(shape: Array) -> Array:
    """Lay the shape flat, (468, 2) in 0..1: the angle about a vertical axis between the ears, and the height.

    The height is bent a little so that nose and mouth stand a bit higher than they would on a plain cylinder.
    """
    axis = shape[[RIGHT_EAR, LEFT_EAR], 2].mean()
    angle = np.arctan2(shape[:, 0], axis - shape[:, 2])
    top, bottom = shape[FOREHEAD_TOP, 1], shape[CHIN, 1]
    height = (shape[:, 1] - top) / (bottom - top)
    bent = height - 0.27 * height**2 * (1 - height)
    return np.column_stack([0.5 + 0.4925 * angle / np.abs(angle).max(), 0.107 + 0.847 * bent])


def _triangulate(uv: Array, mirror: NDArray[np.int64]) -> NDArray[np.int32]:
    """Triangulate the person's right half and mirror it, so that both halves are alike."""
    indices = np.arange(len(uv))
    middle = indices[mirror == indices]
    middle = middle[np.argsort(uv[middle, 1])]
    half = np.concatenate([indices[(mirror != indices) & (uv[:, 0] < 0.5)], middle])
    flat = uv[half].copy()
    flat[-len(middle) :, 0] = 0.5
    local = {int(vertex): k for k, vertex in enumerate(half)}
    edges = list(zip(middle[:-1].tolist(), middle[1:].tolist(), strict=True))
    for loop in LOOPS:
        edges += list(zip(loop, (*loop[1:], loop[0]), strict=True))
    inside = [(local[a], local[b]) for a, b in edges if a in local and b in local]
    rim = [local[v] for v in OVAL if v in local and mirror[v] != v]
    boundary = [local[int(v)] for v in middle] + rim
    right = half[constrained_delaunay(flat, boundary, inside)]
    left = mirror[right][:, ::-1]
    return np.concatenate([right, left]).astype(np.int32)


def _read_meshes(folder: Path) -> Array:
    """Landmark meshes of every picture in the folder that shows one face."""
    from pipeline.decode import decode_picture  # noqa: PLC0415  the models are needed by this command only
    from pipeline.engine import FaceEngine  # noqa: PLC0415
    from pipeline.models import ModelStore  # noqa: PLC0415
    from pipeline.runtime import OnnxRuntime  # noqa: PLC0415

    with TemporaryDirectory() as models:
        store = ModelStore(Path(models))
        store.prepare()
        engine = FaceEngine.standard(OnnxRuntime(), store)
    found = [engine.look(decode_picture(path.read_bytes()).pixels) for path in sorted(folder.rglob("*.jpg"))]
    return np.stack([faces[0].mesh for faces in found if len(faces) == 1]).astype(np.float64)


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit status."""
    if len(arguments) != 2:
        sys.stderr.write("usage: python -m pipeline.mesh.derive_topology FOLDER_OF_FACES OUT.npz\n")
        return 2
    np.savez_compressed(arguments[1], allow_pickle=False, **derive(_read_meshes(Path(arguments[0]))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
