"""Converts a TensorFlow Lite model to ONNX, to the same bytes every time."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import onnx
import tflite  # type: ignore[import-untyped,unused-ignore]
from tflite2onnx.model import Model

_LOGGERS = ("tflite2onnx",)


def convert_tflite(source: bytes) -> bytes:
    """Return the serialised ONNX model (NCHW, opset 11, half-precision weights widened to float32).

    The converter walks sets of objects, so that its lists of weights come in another order in every process;
    they are sorted by name here, which has no effect on what the graph computes.
    """
    with _quiet():
        converter = Model(tflite.Model.GetRootAsModel(source, 0))
        converter.convert({})
    model = converter.onnx
    for field in (model.graph.initializer, model.graph.value_info):
        ordered = sorted(field, key=lambda tensor: str(tensor.name))
        del field[:]
        field.extend(ordered)
    model.graph.name = "assent"
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the converter from warning once for each half-precision tensor."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
