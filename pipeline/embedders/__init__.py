"""Identity embedders that an operator's ONNX models drive."""

from pipeline.embedders.arcface import ArcFaceEmbedder

__all__ = ["ArcFaceEmbedder"]
