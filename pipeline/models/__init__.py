"""The models that ship inside installed packages: a pinned catalogue, conversion to ONNX, a checked store."""

from pipeline.models.catalogue import ModelEntry, load_catalogue
from pipeline.models.store import ModelStore

__all__ = ["ModelEntry", "ModelStore", "load_catalogue"]
