"""Face detectors that an operator's ONNX models drive; each finds a box, a score and the five points."""

from pipeline.detectors.scrfd import RETINAFACE, SCRFD, ScrfdDetector
from pipeline.detectors.yolo import YoloFaceDetector
from pipeline.detectors.yunet import YuNetDetector

__all__ = ["RETINAFACE", "SCRFD", "ScrfdDetector", "YoloFaceDetector", "YuNetDetector"]
