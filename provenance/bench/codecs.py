"""Attacks that store a picture in a lossy format and read it again. All take and give BGR uint8 (h, w, 3)."""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Attack = Callable[[Pixels], Pixels]


def _stored(suffix: str, flag: int, quality: int) -> Attack:
    def attack(pixels: Pixels) -> Pixels:
        done, data = cv2.imencode(suffix, pixels, [flag, quality])
        decoded: Pixels | None = cv2.imdecode(data, cv2.IMREAD_COLOR) if done else None
        if decoded is None:
            raise RuntimeError(f"OpenCV cannot store {suffix} here")
        return decoded

    return attack


def jpeg(quality: int) -> Attack:
    """Store as JPEG with 4:2:0 chroma."""
    return _stored(".jpg", cv2.IMWRITE_JPEG_QUALITY, quality)


def webp(quality: int) -> Attack:
    """Store as lossy WebP."""
    return _stored(".webp", cv2.IMWRITE_WEBP_QUALITY, quality)


def avif(quality: int) -> Attack:
    """Store as AVIF."""
    return _stored(".avif", cv2.IMWRITE_AVIF_QUALITY, quality)


def h264(crf: int) -> Attack:
    """Store as the only frame of an H.264 film at a constant rate factor; odd sides lose a pixel."""

    def attack(pixels: Pixels) -> Pixels:
        height, width = (side - side % 2 for side in pixels.shape[:2])
        film = io.BytesIO()
        with av.open(film, "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=Fraction(25), options={"crf": str(crf), "threads": "1"})
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels[:height, :width]), format="bgr24")
            container.mux([*stream.encode(frame), *stream.encode()])
        film.seek(0)
        with av.open(film, "r") as played:
            return np.asarray(next(played.decode(video=0)).to_ndarray(format="bgr24"), np.uint8)

    return attack
