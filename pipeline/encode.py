"""Encodes a picture for delivery: no metadata, no chroma subsampling, the same bytes for the same pixels."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from pipeline.faces import Pixels

_SUFFIX: Final = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp"}
MEDIA_TYPES: Final = tuple(_SUFFIX)


def encode_picture(pixels: Pixels, *, alpha: Pixels | None = None, media_type: str, quality: int = 95) -> bytes:
    """Return the encoded picture.

    `pixels` is BGR uint8 (H, W, 3), `alpha` uint8 (H, W); `media_type` one of `MEDIA_TYPES`. `quality` 1..100
    counts for JPEG and WebP; 100 makes WebP lossless. Raises ValueError for other arrays or types, and for
    alpha in a JPEG, which cannot hold it.
    """
    if media_type not in _SUFFIX:
        raise ValueError(f"cannot encode {media_type!r}")
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError("pixels must be uint8 of shape HxWx3")
    if not 1 <= quality <= 100:
        raise ValueError("quality lies between 1 and 100")
    if alpha is not None:
        if media_type == "image/jpeg":
            raise ValueError("a JPEG has no alpha; lay the picture on a background first")
        if alpha.dtype != np.uint8 or alpha.shape != pixels.shape[:2]:
            raise ValueError("alpha must be uint8 of the picture's height and width")
        pixels = np.dstack([pixels, alpha])
    done, data = cv2.imencode(_SUFFIX[media_type], pixels, _parameters(media_type, quality))
    if not done:
        raise ValueError(f"the picture cannot be encoded as {media_type}")
    return bytes(data.tobytes())


def _parameters(media_type: str, quality: int) -> list[int]:
    match media_type:
        case "image/jpeg":
            return [
                *(cv2.IMWRITE_JPEG_QUALITY, quality),
                *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
                *(cv2.IMWRITE_JPEG_OPTIMIZE, 1),
            ]
        case "image/png":
            return [cv2.IMWRITE_PNG_COMPRESSION, 4]
    # OpenCV takes qualities above 100 for lossless WebP.
    return [cv2.IMWRITE_WEBP_QUALITY, 101 if quality == 100 else quality]
