"""Identity embeddings: dlib's ResNet on chips aligned from the face mesh."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.faces import Face, Floats, Pixels
from pipeline.models import ModelStore
from pipeline.runtime import OnnxRuntime
from pipeline.warp import Affine, crop

# dlib's template of five points in the unit square (image_transforms/interpolation.h, get_face_chip_details),
# with the mesh vertex that lies there: the corners of the eyes and the base of the nose.
_TEMPLATE: dict[int, tuple[float, float]] = {
    263: (0.8595674595992, 0.2134981538014),
    362: (0.6460604764104, 0.2289674387677),
    33: (0.1205750620789, 0.2137274526848),
    133: (0.3340850613712, 0.2290642403242),
    2: (0.4901123135679, 0.6277975316475),
}
_VERTICES = np.array(list(_TEMPLATE))
_POINTS: NDArray[np.float64] = np.array(list(_TEMPLATE.values()))
_BATCH = 32


def chip_affine(face: Face, size: int, padding: float) -> Affine:
    """Return the similarity that lays the face on dlib's template, for a chip of `size` px."""
    target = (_POINTS + padding) / (2 * padding + 1) * size
    return _similarity(face.mesh[_VERTICES, :2].astype(np.float64), target)


def face_chip(pixels: Pixels, face: Face, *, size: int = 150, padding: float = 0.25) -> Pixels:
    """Return the aligned face, BGR uint8 (size, size, 3); `padding` is the margin in units of the template.

    The age model wants the same alignment with `size=64, padding=.2`.
    """
    return crop(pixels, chip_affine(face, size, padding), size)


class DlibEmbedder:
    """dlib's face recognition network, 128 numbers a face, in batches.

    Euclidean distance below .45 means the same person where both faces are turned by less than 20 degrees.
    """

    name = "dlib_resnet"

    def __init__(self, runtime: OnnxRuntime, store: ModelStore) -> None:
        self._session = runtime.session(store.path(self.name))
        constants = store.entry(self.name).constants
        self._size, self._padding = int(constants["chip"]), float(constants["padding"])
        self._mean = np.array(constants["mean"], np.float32).reshape(1, 3, 1, 1)
        self._scale = np.float32(constants["scale"])
        self.digests: tuple[str, ...] = (store.digest(self.name),)

    def embed(self, pixels: Pixels, faces: Sequence[Face]) -> Floats:
        """Return float32 (len(faces), 128), not normalised."""
        return self.embed_chips([face_chip(pixels, f, size=self._size, padding=self._padding) for f in faces])

    def embed_chips(self, chips: Sequence[Pixels]) -> Floats:
        """Embed faces that are already aligned: BGR uint8 (150, 150, 3) each."""
        rows = [self._run(chips[i : i + _BATCH]) for i in range(0, len(chips), _BATCH)]
        return np.concatenate(rows) if rows else np.zeros((0, 128), np.float32)

    def _run(self, chips: Sequence[Pixels]) -> Floats:
        rgb = np.stack(chips)[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32)
        tensor = np.ascontiguousarray((rgb - self._mean) * self._scale)
        (descriptors,) = self._session.run(["descriptors"], {"chips": tensor})
        return np.asarray(descriptors, np.float32)


def _similarity(source: NDArray[np.float64], target: NDArray[np.float64]) -> Affine:
    """Least-squares scale, rotation and shift from (n, 2) points to (n, 2) points (Umeyama 1991)."""
    a, b = source - source.mean(axis=0), target - target.mean(axis=0)
    spread = max(float((a**2).sum()), 1e-12)
    c = float((a * b).sum()) / spread
    s = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / spread
    rotation = np.array([[c, -s], [s, c]])
    shift = target.mean(axis=0) - rotation @ source.mean(axis=0)
    return np.concatenate([rotation, shift[:, None]], axis=1)
