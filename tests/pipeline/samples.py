"""Picture files made for the decoder's tests (ordinary, strange and hostile), and frames of clips."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from pipeline.faces import Pixels


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def photo(width: int = 120, height: int = 90) -> Image.Image:
    """Smooth colours, and a red top-left corner that tells how the picture was turned."""
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.dstack([60 + x % 97, 80 + y % 89, np.full_like(x, 100)]).astype(np.uint8)
    pixels[: height // 4, : width // 4] = (250, 10, 10)
    return Image.fromarray(pixels)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, rows: bytes, *, extra: bytes = b"", colour: int = 2, depth: int = 8) -> bytes:
    """A PNG put together by hand; `rows` are filtered scan lines, `extra` whole chunks before the data."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(rows, 9))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + data + chunk(b"IEND", b"")


def oriented(kind: str, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind == "JPEG" else {}
    return encoded(photo(), kind, exif=exif, **options)


def animation(kind: str) -> bytes:
    frames = [photo(), photo().rotate(90).resize((120, 90))]
    mode = "P" if kind == "GIF" else "RGB"
    first, second = (frame.convert(mode) for frame in frames)
    return encoded(first, kind, save_all=True, append_images=[second])


def read_clip(path: Path, step: int = 1) -> list[Pixels]:
    """Every `step`-th frame of a clip, BGR."""
    capture, frames = cv2.VideoCapture(str(path)), []
    while True:
        there, frame = capture.read()
        if not there:
            return frames[::step]
        frames.append(np.asarray(frame, np.uint8))
