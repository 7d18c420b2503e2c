"""Neural face swappers that an operator's ONNX models drive."""

from pipeline.swappers.families import FAMILIES, SwapFamily
from pipeline.swappers.neural import NeuralSwapper
from pipeline.swappers.source import NeuralIdentity

__all__ = ["FAMILIES", "NeuralIdentity", "NeuralSwapper", "SwapFamily"]
