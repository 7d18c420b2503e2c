"""A blind, keyed, invisible watermark for stills: 48 bits that survive compression, scaling and cropping."""

from provenance.watermark.embedding import STANDARD, STRONG, Strength
from provenance.watermark.errors import (
    NotFinite,
    NotReadable,
    PictureInvalid,
    PictureTooFlat,
    PictureTooSmall,
    WatermarkError,
)
from provenance.watermark.reading import Reading
from provenance.watermark.watermarker import MIN_SIDE, MarkedPicture, Watermarker

# The name under which C2PA soft bindings refer to this mark; the number changes with the format.
ALGORITHM = "org.assent.watermark.v1"

__all__ = [
    "ALGORITHM",
    "MIN_SIDE",
    "STANDARD",
    "STRONG",
    "MarkedPicture",
    "NotFinite",
    "NotReadable",
    "PictureInvalid",
    "PictureTooFlat",
    "PictureTooSmall",
    "Reading",
    "Strength",
    "WatermarkError",
    "Watermarker",
]
