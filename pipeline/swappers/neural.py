"""A neural swapper: aligned crop in, changed crop out, laid back inside its bounding box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.align import align, check_usable, lay_back
from pipeline.errors import FaceRefused
from pipeline.faces import Face, Floats, Pixels, SwappedRegion
from pipeline.graph import Graph, Models, Sessions, Tensor
from pipeline.masks.box import box_mask
from pipeline.swappers.boost import split, stitch
from pipeline.swappers.families import SwapFamily
from pipeline.swappers.source import EmbeddingSource, NeuralIdentity, PictureSource, RawEmbedder
from pipeline.warp import to_input

_BATCH = 16  # crops a run
MOST_BOOST = 8


class NeuralSwapper:
    """Swaps faces with one family's model; implements `FaceSwapper`. Holds no state between calls.

    `boost` k works at k times the model's resolution; `weight` 0..1 is how much of the source's identity is put on.
    """

    def __init__(
        self,
        runtime: Sessions,
        store: Models,
        family: SwapFamily,
        embedder: RawEmbedder | None,
        *,
        boost: int = 1,
        weight: float = 1.0,
    ) -> None:
        if not 1 <= boost <= MOST_BOOST:
            raise ValueError(f"the pixel boost is between 1 and {MOST_BOOST}")
        if not 0 <= weight <= 1:
            raise ValueError("the identity weight is between 0 and 1")
        self.family = family
        self.name = family.name
        self._graph = Graph(runtime, store, family.name, rows=True)
        self._target_input, self._source_input = _inputs(self._graph, family)
        self._source: EmbeddingSource | PictureSource
        if family.source == "picture":
            self._source = PictureSource(family)
        elif embedder is None:
            raise ValueError(f"{family.name} goes by an embedding and needs an embedder")
        else:
            self._source = EmbeddingSource(self._graph, family, embedder, runtime, store)
        self._boost, self._weight = boost, weight
        self._mean = np.array(family.mean, np.float32).reshape(3, 1, 1)
        self._spread = np.array(family.spread, np.float32).reshape(3, 1, 1)
        self.digests: tuple[str, ...] = (self._graph.digest, *self._source.digests)

    def enrol(self, photos: Sequence[tuple[Pixels, Face]]) -> NeuralIdentity:
        """Prepare an identity from one or more photos of the same person.

        Raises:
            FaceRefused: `no_source` without a photo; `face_too_small` or `face_cut_off` for one that shows too little.

        """
        if not photos:
            raise FaceRefused("no_source", "There is no source photo.", "Give at least one photo of the person.")
        for pixels, face in photos:
            check_usable(face, pixels)
        return self._source.identity(photos)

    def swap(self, pixels: Pixels, face: Face, identity: Any) -> SwappedRegion:
        """Render the identity on the face. The input picture is not changed.

        Raises:
            FaceRefused: `face_too_small` or `face_cut_off`, the face cannot be worked with.

        """
        return self.swap_many(pixels, [face], identity)[0]

    def swap_many(self, pixels: Pixels, faces: Sequence[Face], identity: Any) -> list[SwappedRegion]:
        """Render the identity on each of the faces, all in one run where the model takes batches."""
        if not isinstance(identity, NeuralIdentity) or identity.family != self.name:
            raise TypeError(f"the identity was not enrolled by {self.name}")
        for face in faces:
            check_usable(face, pixels)
        side = self.family.side * self._boost
        crops = [align(pixels, face, self.family.template, side) for face in faces]
        phases = [phase for crop in crops for phase in split(crop.pixels, self._boost)]
        each = self._boost**2
        sources = [self._source.towards(identity, pixels, face, self._weight) for face in faces for _ in range(each)]
        drawn = self._run(phases, np.concatenate(sources)) if phases else []
        weight = box_mask(side)
        return [
            lay_back(pixels, stitch(drawn[i * each : (i + 1) * each]), weight, crop.affine)
            for i, crop in enumerate(crops)
        ]

    def _run(self, crops: list[Pixels], sources: Floats) -> list[Pixels]:
        """From crops and their sources, row by row, to changed crops of the same size."""
        drawn: list[Pixels] = []
        for start in range(0, len(crops), _BATCH):
            rows = slice(start, start + _BATCH)
            target = (to_input(crops[rows], 1 / 255) - self._mean) / self._spread
            outputs = self._graph.run_rows({self._target_input: target, self._source_input: sources[rows]})
            drawn.extend(self._picture(row) for row in self._pictures(outputs, target.shape))
        return drawn

    def _pictures(self, outputs: list[Tensor], shape: tuple[int, ...]) -> Tensor:
        """The output that is a picture; some families give a mask beside it."""
        for output in outputs:
            if output.shape == shape:
                return output
        raise self._graph.unfit(f"it gives no picture of {shape[2]} px")

    def _picture(self, row: Tensor) -> Pixels:
        """From a network's RGB (3, s, s) to BGR uint8 (s, s, 3)."""
        shown = row * self._spread + self._mean if self.family.denormalise else row
        scaled = np.rint(np.clip(np.nan_to_num(shown), 0, 1) * 255)
        return np.ascontiguousarray(scaled.transpose(1, 2, 0)[..., ::-1], np.uint8)


def _inputs(graph: Graph, family: SwapFamily) -> tuple[str, str]:
    """The names of the graph's inputs for target and source: those of the common exports, or told by their shapes."""
    if {"target", "source"} == set(graph.inputs):
        return "target", "source"
    target = [name for name, shape in graph.inputs.items() if shape[1:] == (3, family.side, family.side)]
    source = [name for name in graph.inputs if name not in target]
    if len(target) == len(source) == 1:
        return target[0], source[0]
    raise graph.unfit(f"its inputs {', '.join(graph.inputs)} are not a target and a source")
