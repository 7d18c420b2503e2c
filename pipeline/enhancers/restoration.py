"""Face restoration with GFPGAN, CodeFormer, RestoreFormer++ or GPEN: detail that the swap lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from pipeline.align import bounds, five_points, project, similarity, template
from pipeline.faces import Face, Floats, Pixels, SwappedRegion
from pipeline.graph import Graph, Models, Sessions, Tensor
from pipeline.masks.box import box_mask
from pipeline.warp import Affine, crop, to_input

_TEMPLATE = "ffhq_512"
_SIDE = 512  # px, where the graph leaves it open

RESTORERS: Final = ("gfpgan_1.4", "codeformer", "restoreformer_plus_plus", "gpen_512")
"""The models' names in the catalogue. All take RGB in -1..1 and give the same."""


class RestorationEnhancer:
    """Restores the swapped face as a whole and mixes it in; implements `FaceEnhancer`.

    Only what the swap drew is changed: the region keeps its rectangle and its weight. `blend` is the share of the
    restored face; `fidelity` 0..1 goes to models that have the input `weight` (CodeFormer), 1 stays nearest the input.
    """

    def __init__(
        self, runtime: Sessions, store: Models, name: str, *, blend: float = 0.8, fidelity: float = 0.5
    ) -> None:
        if not (0 <= blend <= 1 and 0 <= fidelity <= 1):
            raise ValueError("blend and fidelity are between 0 and 1")
        self.name = name
        self._graph = Graph(runtime, store, name)
        pictures = [key for key, shape in self._graph.inputs.items() if len(shape) == 4]
        if len(pictures) != 1 or set(self._graph.inputs) - {pictures[0], "weight"}:
            raise self._graph.unfit(f"it has the inputs {', '.join(self._graph.inputs)}")
        self._input = pictures[0]
        self._side = self._graph.side(self._input, _SIDE)
        self._extra: dict[str, Tensor] = (
            {"weight": np.array([fidelity], np.float64)} if "weight" in self._graph.inputs else {}
        )
        self._blend = blend
        self.digests: tuple[str, ...] = (self._graph.digest,)

    def enhance(self, region: SwappedRegion, pixels: Pixels, face: Face) -> SwappedRegion:
        """Return the region improved; `pixels` is the untouched target picture, around and under it."""
        affine = similarity(five_points(face), template(_TEMPLATE, self._side))
        restored = self._run(self._shown(region, pixels, affine))
        height, width = region.weight.shape
        box = (region.x, region.y, width, height)
        share = project(box_mask(self._side) * np.float32(self._blend), affine, box, outside=0)[..., None]
        mixed = region.pixels * (1 - share) + project(restored, affine, box) * share
        return replace(region, pixels=np.rint(mixed).astype(np.uint8))

    def _shown(self, region: SwappedRegion, pixels: Pixels, affine: Affine) -> Pixels:
        """The aligned face as it will be seen: the region on the target, of which only the part needed is copied."""
        x, y, width, height = bounds(pixels, affine, self._side)
        high, wide = region.weight.shape
        left, top = min(x, region.x), min(y, region.y)
        right, bottom = max(x + width, region.x + wide), max(y + height, region.y + high)
        patch = pixels[top:bottom, left:right].copy()
        weight = region.weight[..., None]
        over = patch[region.y - top : region.y - top + high, region.x - left : region.x - left + wide]
        over[:] = np.rint(region.pixels * weight + region.base * (1 - weight)).astype(np.uint8)
        moved = affine.copy()
        moved[:, 2] += affine[:, :2] @ (left, top)
        return crop(patch, moved, self._side)

    def _run(self, face: Pixels) -> Pixels:
        """One pass over the aligned face, BGR uint8 (s, s, 3) in and out."""
        tensor: Floats = to_input([face], 1 / 127.5, -1)
        output = self._graph.run({self._input: tensor, **self._extra})[0]
        if output.shape != tensor.shape:
            raise self._graph.unfit(f"it gives {output.shape} for {tensor.shape}")
        scaled = np.rint((np.clip(np.nan_to_num(output[0]), -1, 1) + 1) * 127.5)
        return np.ascontiguousarray(scaled.transpose(1, 2, 0)[..., ::-1], np.uint8)
