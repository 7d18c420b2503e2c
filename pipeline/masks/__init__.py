"""Masks that keep parts of the target: what covers the face, regions of it, areas of it, and the crop's border."""

from pipeline.masks.area import AREAS, AreaMask
from pipeline.masks.box import BoxMask, box_mask
from pipeline.masks.occlusion import OcclusionMask
from pipeline.masks.regions import REGIONS, RegionMask
from pipeline.masks.stage import FaceMask, MaskStage

__all__ = [
    "AREAS",
    "REGIONS",
    "AreaMask",
    "BoxMask",
    "FaceMask",
    "MaskStage",
    "OcclusionMask",
    "RegionMask",
    "box_mask",
]
