"""XSeg: where the face is seen, and not a hand, hair or a microphone before it."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.align import AlignedCrop
from pipeline.faces import Face, Floats
from pipeline.graph import Graph, Models, Sessions
from pipeline.masks.soften import soften

_SIDE = 256  # px, where the graph leaves it open


class OcclusionMask:
    """DeepFaceLab's XSeg network: NHWC, BGR as that project reads its pictures, 0..1."""

    name = "xseg"

    def __init__(self, runtime: Sessions, store: Models) -> None:
        self._graph = Graph(runtime, store, self.name)
        self._input = self._graph.only_input()
        self._side = self._graph.side(self._input, _SIDE)
        self.digests: tuple[str, ...] = (self._graph.digest,)

    def weigh(self, crop: AlignedCrop, face: Face) -> Floats:
        """Return how much of the swap may show, float32 (s, s) 0..1, over the aligned crop."""
        del face
        size = crop.pixels.shape[0]
        how = cv2.INTER_AREA if size > self._side else cv2.INTER_LINEAR
        seen = cv2.resize(crop.pixels, (self._side, self._side), interpolation=how)
        mask = self._graph.run({self._input: (seen[None].astype(np.float32) / np.float32(255))})[0]
        if mask.size != self._side**2:
            raise self._graph.unfit(f"its mask is {mask.shape}")
        return soften(mask.reshape(self._side, self._side).astype(np.float32), size)
