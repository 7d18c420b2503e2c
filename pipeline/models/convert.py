"""Turns a model's source file into the ONNX file that runs."""

from __future__ import annotations

from pipeline.errors import ModelUnavailable
from pipeline.models.catalogue import ModelEntry


def convert(entry: ModelEntry, source: bytes) -> bytes:
    """Return the serialised ONNX model, the same bytes for the same source.

    Raises:
        ModelUnavailable: `converter_missing`, a package that converts is not installed; `model_broken`, the source is
            not what the converter reads.

    """
    try:
        return _converter(entry.converter, source)
    except ImportError as error:
        raise ModelUnavailable("converter_missing", f"Converting {entry.name} needs {error.name}.") from error
    except ValueError as error:
        raise ModelUnavailable(
            "model_broken", f"The file {entry.file} is not what {entry.name} is made of: {error}.", "Fetch it again."
        ) from error


def _converter(name: str, source: bytes) -> bytes:
    # The converters bring onnx and tflite2onnx with them; a process whose models are ready needs neither.
    match name:
        case "tflite":
            from pipeline.models.tflite import convert_tflite  # noqa: PLC0415

            return convert_tflite(source)
        case "dlib":
            from pipeline.models.dlib_onnx import convert_dlib_resnet  # noqa: PLC0415

            return convert_dlib_resnet(source)
        case "minifasnet":
            from pipeline.models.minifasnet import convert_minifasnet  # noqa: PLC0415

            return convert_minifasnet(source)
    raise ValueError(f"there is no converter {name!r}")
