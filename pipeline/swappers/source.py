"""Prepares the source: who is put on, in the form that a family of swappers wants to be told it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipeline.align import align
from pipeline.embedders.arcface import SIZE, unit
from pipeline.errors import FaceRefused
from pipeline.faces import Face, Floats, Pixels
from pipeline.graph import Graph, Models, Sessions
from pipeline.swappers.families import SwapFamily
from pipeline.warp import to_input


class RawEmbedder(Protocol):
    """An embedder whose network's own, unscaled embeddings can be had."""

    @property
    def digests(self) -> tuple[str, ...]:
        """The SHA-256 of its models."""

    def embed_raw(self, pixels: Pixels, faces: Sequence[Face]) -> Floats:
        """Return float32 (len(faces), 512)."""


@dataclass(frozen=True, slots=True)
class NeuralIdentity:
    """A person as one family knows them.

    `source` is what the graph gets, float32 (1, 512) or (1, 3, s, s); `embedding` the mean raw embedding, float32
    (512,), of families that go by one.
    """

    family: str
    source: Floats
    embedding: Floats | None


class EmbeddingSource:
    """The source of families that are told an embedding: the mean over all photos of the person."""

    def __init__(self, graph: Graph, family: SwapFamily, embedder: RawEmbedder, runtime: Sessions, store: Models):
        self._family = family
        self._embedder = embedder
        self._emap = graph.initialiser((SIZE, SIZE)) if family.source == "emap" else None
        self._converter = Graph(runtime, store, family.converter) if family.converter else None
        own = (self._converter.digest,) if self._converter else ()
        self.digests: tuple[str, ...] = (*embedder.digests, *own)

    def identity(self, photos: Sequence[tuple[Pixels, Face]]) -> NeuralIdentity:
        """Return the identity of the person on the photos."""
        rows = [self._embedder.embed_raw(pixels, [face])[0] for pixels, face in photos]
        mean: Floats = np.asarray(np.mean(rows, axis=0), np.float32)
        return NeuralIdentity(self._family.name, self._conditioned(mean), mean)

    def towards(self, identity: NeuralIdentity, pixels: Pixels, face: Face, weight: float) -> Floats:
        """Return the source with `weight` of the identity and the rest of the target's own: 1 is the person alone."""
        if weight >= 1 or identity.embedding is None:
            return identity.source
        own = self._embedder.embed_raw(pixels, [face])[0]
        length = float(np.linalg.norm(identity.embedding))
        mixed = weight * identity.embedding + (1 - weight) * length * unit(own)
        return self._conditioned(np.asarray(mixed, np.float32))

    def _conditioned(self, embedding: Floats) -> Floats:
        """From a raw embedding (512,) to the graph's input (1, 512)."""
        row = embedding[None]
        if self._emap is not None:
            return unit(unit(row) @ self._emap)
        if self._converter is None:
            return unit(row)
        converted = self._converter.run({self._converter.only_input(): row})[0].reshape(1, -1).astype(np.float32)
        return unit(converted) if self._family.source == "converted_unit" else converted


class PictureSource:
    """The source of families that look at one photo: the one that shows the person most from the front."""

    digests: tuple[str, ...] = ()

    def __init__(self, family: SwapFamily) -> None:
        self._family = family

    def identity(self, photos: Sequence[tuple[Pixels, Face]]) -> NeuralIdentity:
        """Return the identity of the person on the photos."""
        pixels, face = min(photos, key=lambda photo: abs(photo[1].pose.yaw) + abs(photo[1].pose.pitch))
        crop = align(pixels, face, self._family.source_template, self._family.source_side)
        return NeuralIdentity(self._family.name, to_input([crop.pixels], 1 / 255), None)

    def towards(self, identity: NeuralIdentity, pixels: Pixels, face: Face, weight: float) -> Floats:
        """Return the source; these families know no in-between.

        Raises:
            FaceRefused: `weight_unsupported`, a weight other than 1 was asked for.

        """
        del pixels, face
        if weight < 1:
            raise FaceRefused(
                "weight_unsupported",
                f"{self._family.name} cannot mix the two faces.",
                "Leave the identity weight at 1, or choose a swapper that goes by an embedding.",
            )
        return identity.source
