"""Head pose by weighted Procrustes, and the mesh that is drawn: the target's, moved toward the source's shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.faces import Floats

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Similarity:
    """picture = scale · rotation · model + offset; the picture in pixels, the model in centimetres."""

    rotation: Floats
    scale: float
    offset: Floats

    def to_picture(self, model: Array) -> Floats:
        """Move points (n, 3) from the model's frame to the picture's."""
        return (self.scale * model @ self.rotation.T + self.offset).astype(np.float32)

    def to_model(self, picture: Array) -> Floats:
        """Move points (n, 3) from the picture's frame to the model's."""
        return ((picture - self.offset) @ self.rotation / self.scale).astype(np.float32)


def fit_similarity(model: Array, picture: Array, weights: Array) -> Similarity:
    """Fit the rotation, scale and offset that take `model` (n, 3) to `picture` (n, 3), in weighted least squares."""
    share = weights / weights.sum()
    model_middle, picture_middle = share @ model, share @ picture
    a, b = model - model_middle, picture - picture_middle
    u, singular, vt = np.linalg.svd((b * share[:, None]).T @ a)
    handed = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * handed) @ vt
    scale = float((singular * handed).sum() / (share @ (a**2).sum(axis=1)))
    offset = picture_middle - scale * rotation @ model_middle
    return Similarity(rotation.astype(np.float32), scale, offset.astype(np.float32))
