"""Landmarkers that predict few points; the mesh that the other stages expect is fitted to them."""

from pipeline.landmarkers.fan import FanLandmarker
from pipeline.landmarkers.keypoints import KeypointLandmarker
from pipeline.landmarkers.lift import lift_68, lift_five

__all__ = ["FanLandmarker", "KeypointLandmarker", "lift_68", "lift_five"]
