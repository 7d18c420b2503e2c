"""ONNX Runtime: one session a model and device, shared and warmed, on the device that the settings ask for."""

from pipeline.runtime.batch import Batching, with_dynamic_batch
from pipeline.runtime.bound import BoundSession
from pipeline.runtime.installation import check_installation, installed_runtimes
from pipeline.runtime.options import Provider, RuntimeOptions
from pipeline.runtime.pool import Fallback, OnnxRuntime
from pipeline.runtime.sessions import SessionState, SharedSession

__all__ = [
    "Batching",
    "BoundSession",
    "Fallback",
    "OnnxRuntime",
    "Provider",
    "RuntimeOptions",
    "SessionState",
    "SharedSession",
    "check_installation",
    "installed_runtimes",
    "with_dynamic_batch",
]
