"""The models: a catalogue with pins and licences, conversion to ONNX, a checked store, and what operators install."""

from pipeline.models.catalogue import Catalogue, ModelEntry, load_catalogue, load_operator_catalogue
from pipeline.models.licences import LicencePolicy, Terms
from pipeline.models.records import InstalledModel
from pipeline.models.store import ModelStore

__all__ = [
    "Catalogue",
    "InstalledModel",
    "LicencePolicy",
    "ModelEntry",
    "ModelStore",
    "Terms",
    "load_catalogue",
    "load_operator_catalogue",
]
