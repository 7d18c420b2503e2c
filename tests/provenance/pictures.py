"""Plain helpers: codecs, facts, and ways to damage a picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from provenance.credentials import DigitalSourceType, ManifestFacts

Pixels = NDArray[np.uint8]
KEY = b"a key of thirty-two bytes, no more"[:32]
IDENT = 0x0123_4567_89AB

FACTS = ManifestFacts(
    title="Face swap",
    engine="mesh",
    source_type=DigitalSourceType.COMPOSITE_SYNTHETIC,
    consent_receipts=("ab" * 32,),
    policy_version="standard-1",
    policy_sha256="cd" * 32,
    verdict_id="verdict-17",
    models={"face_mesh": "ef" * 32},
    generator_version="0.1.0",
)

_QUALITY = {"image/jpeg": (".jpg", 1), "image/png": (".png", None), "image/webp": (".webp", 64)}


def bgr(rgb: Any) -> Pixels:
    """Return a grey, RGB or RGBA array as BGR."""
    pixels = np.dstack([rgb] * 3) if rgb.ndim == 2 else rgb[..., :3]
    return np.ascontiguousarray(pixels[..., ::-1].astype(np.uint8))


def encode(pixels: Pixels, media_type: str = "image/jpeg", quality: int = 95) -> bytes:
    suffix, flag = _QUALITY[media_type]
    done, data = cv2.imencode(suffix, pixels, [] if flag is None else [flag, quality])
    assert done
    return data.tobytes()


def encoder(media_type: str, quality: int = 95) -> Callable[[Pixels], bytes]:
    return lambda pixels: encode(pixels, media_type, quality)


def decode(data: bytes) -> Pixels:
    pixels: Pixels | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ValueError("not a picture")
    return pixels


def cropped(pixels: Pixels, share: float) -> Pixels:
    """Return the middle of a picture, `share` of each side cut off in all."""
    height, width = pixels.shape[:2]
    down, right = round(height * share / 2), round(width * share / 2)
    return np.ascontiguousarray(pixels[down : height - down, right : width - right])


def turned(pixels: Pixels, degrees: float) -> Pixels:
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    result: Pixels = cv2.warpAffine(pixels, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)
    return result


def scaled(pixels: Pixels, across: float, down: float | None = None) -> Pixels:
    result: Pixels = cv2.resize(pixels, None, fx=across, fy=down or across, interpolation=cv2.INTER_AREA)
    return result
