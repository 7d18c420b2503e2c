"""The picture that tells the demonstration's story at a glance: source, target and result side by side."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from pipeline.faces import Pixels

HEIGHT: Final = 480  # of each picture, pixels
BAR: Final = 44  # of the captions
GAP: Final = 8
PAPER: Final = (250, 248, 246)
INK: Final = (60, 44, 32)
CAPTIONS: Final = ("source: consented", "target", "result")


def side_by_side(source: Pixels, target: Pixels, result: Pixels) -> Pixels:
    """Return the three pictures (uint8 BGR, any sizes) at one height with captions under them, uint8 BGR."""
    columns = [_captioned(picture, text) for picture, text in zip((source, target, result), CAPTIONS, strict=True)]
    gap = np.full((HEIGHT + BAR, GAP, 3), PAPER, np.uint8)
    return np.hstack([columns[0], gap, columns[1], gap, columns[2]])


def _captioned(picture: Pixels, text: str) -> Pixels:
    width = max(1, round(picture.shape[1] * HEIGHT / picture.shape[0]))
    method = cv2.INTER_AREA if picture.shape[0] > HEIGHT else cv2.INTER_CUBIC
    bar = np.full((BAR, width, 3), PAPER, np.uint8)
    font, size = cv2.FONT_HERSHEY_SIMPLEX, 0.7
    (text_width, text_height), _ = cv2.getTextSize(text, font, size, 1)
    corner = ((width - text_width) // 2, (BAR + text_height) // 2)
    cv2.putText(bar, text, corner, font, size, INK, 1, cv2.LINE_AA)
    return np.vstack([cv2.resize(picture, (width, HEIGHT), interpolation=method), bar])
