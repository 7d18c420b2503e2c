"""The models that ship inside installed packages: a pinned catalogue, their conversion to ONNX, and a checked store."""

from pipeline.models.catalogue import ModelEntry, load_catalogue
from pipeline.models.store import ModelStore

__all__ = ["ModelEntry", "ModelStore", "load_catalogue"]
