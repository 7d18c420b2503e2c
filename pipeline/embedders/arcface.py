"""ArcFace (insightface w600k_r50): 512 numbers a face, which most neural swappers are conditioned on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.align import align
from pipeline.faces import Face, Floats, Pixels
from pipeline.graph import Graph, Models, Sessions
from pipeline.warp import to_input

_SIDE = 112
_TEMPLATE = "arcface_112_v2"
_BATCH = 32
SIZE = 512
SAME_PERSON = float(np.sqrt(2 - 2 * 0.408))
"""Distance between unit embeddings at cosine .408, where insightface's IJB-C curve has one false match in a million."""


class ArcFaceEmbedder:
    """ArcFace embeddings of aligned faces, in batches where the graph allows it."""

    name = "arcface_w600k_r50"

    def __init__(self, runtime: Sessions, store: Models) -> None:
        self._graph = Graph(runtime, store, self.name, rows=True)
        self._input = self._graph.only_input()
        self.digests: tuple[str, ...] = (self._graph.digest,)

    def embed(self, pixels: Pixels, faces: Sequence[Face]) -> Floats:
        """Return float32 (len(faces), 512), rows of length 1; below `SAME_PERSON` apart is the same person."""
        return unit(self.embed_raw(pixels, faces))

    def embed_raw(self, pixels: Pixels, faces: Sequence[Face]) -> Floats:
        """Return the embeddings as the network gives them: their length says how recognisable the face is."""
        crops = [align(pixels, face, _TEMPLATE, _SIDE).pixels for face in faces]
        rows = [self._run(crops[i : i + _BATCH]) for i in range(0, len(crops), _BATCH)]
        return np.concatenate(rows) if rows else np.zeros((0, SIZE), np.float32)

    def _run(self, crops: list[Pixels]) -> Floats:
        rows = self._graph.run_rows({self._input: to_input(crops, 1 / 127.5, -1)})[0]
        if rows.shape != (len(crops), SIZE) or not np.isfinite(rows).all():
            raise self._graph.unfit(f"it gives {rows.shape} for {len(crops)} faces")
        return rows.astype(np.float32)


def unit(rows: Floats) -> Floats:
    """Scale rows to length 1; a row of zeros stays one."""
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-12), np.float32)
