"""Looks at a picture: detector, landmarker and embedder behind one small interface."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.detect import BlazeFaceDetector
from pipeline.embed import DlibEmbedder
from pipeline.errors import FaceRefused
from pipeline.faces import Face, FaceDetector, FaceEmbedder, FaceLandmarker, Floats, Pixels
from pipeline.landmark import MeshLandmarker
from pipeline.models import ModelStore
from pipeline.runtime import OnnxRuntime


class FaceEngine:
    """The seeing half of the pipeline. Holds no state about pictures; safe to share between threads."""

    def __init__(self, detector: FaceDetector, landmarker: FaceLandmarker, embedder: FaceEmbedder) -> None:
        self.detector = detector
        self.landmarker = landmarker
        self.embedder = embedder

    @classmethod
    def standard(cls, runtime: OnnxRuntime, store: ModelStore) -> FaceEngine:
        """Return the engine made of the packaged models: BlazeFace, MediaPipe's mesh, dlib's ResNet."""
        return cls(BlazeFaceDetector(runtime, store), MeshLandmarker(runtime, store), DlibEmbedder(runtime, store))

    def look(self, pixels: Pixels) -> list[Face]:
        """Return every face in the picture, the largest first; an empty list where there is none."""
        faces: list[Face] = []
        for detection in self.detector.detect(pixels):
            try:
                face = self.landmarker.locate(pixels, detection)
            except FaceRefused:
                continue
            if not any(_same_place(face, other) for other in faces):
                faces.append(face)
        return sorted(faces, key=lambda face: -face.width)

    def embed(self, pixels: Pixels, faces: Sequence[Face]) -> Floats:
        """Return float32 (len(faces), 128), one identity embedding a face."""
        return self.embedder.embed(pixels, faces)

    def digests(self) -> dict[str, str]:
        """Return the SHA-256 of every model that takes part, by the stage's name."""
        stages = (self.detector, self.landmarker, self.embedder)
        return {
            stage.name if len(stage.digests) == 1 else f"{stage.name}:{number}": digest
            for stage in stages
            for number, digest in enumerate(stage.digests)
        }


def _same_place(a: Face, b: Face) -> bool:
    """Two detections ended on one face: their middles lie within a third of a width."""
    gap = np.linalg.norm(a.mesh[:, :2].mean(axis=0) - b.mesh[:, :2].mean(axis=0))
    return bool(gap < max(a.width, b.width) / 3)
