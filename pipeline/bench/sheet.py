"""The contact sheet: source, target and result of each pair, side by side."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.bench.quality import PairReport
from pipeline.faces import Face, Pixels

SIDE = 224  # pixels of each picture
STRIP = 18  # pixels of the caption under it
COLUMNS = 3  # pairs in a row
VIEW = 2.1  # the cut-out's side, face widths


def around_face(pixels: Pixels, face: Face, side: int = SIDE) -> Pixels:
    """The square about a face, uint8 (side, side, 3); black where the picture ends."""
    centre = (face.box[:2] + face.box[2:]) / 2
    scale = side / (VIEW * face.width)
    shift = np.array([side / 2, side / 2]) - scale * centre
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    smooth = cv2.GaussianBlur(pixels, (0, 0), 0.4 / scale) if scale < 0.7 else pixels
    cut: Pixels = cv2.warpAffine(smooth, matrix, (side, side), flags=cv2.INTER_CUBIC)
    return cut


def cell(source: Pixels, target: Pixels, result: Pixels, report: PairReport) -> Pixels:
    """One pair: three squares of equal size over a caption with its figures."""
    squares = np.hstack([source, target, result])
    strip = np.full((STRIP, squares.shape[1], 3), 24, np.uint8)
    figures = report.figures
    text = report.failure or (
        f"source {figures['to_source']:.2f}  target {figures['to_target']:.2f}  "
        f"expression {figures['expression_error']:.3f}  ring {figures['ring_delta_e']:.1f}"
    )
    cv2.putText(strip, text, (4, STRIP - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (220, 220, 220), 1, cv2.LINE_AA)
    return np.vstack([squares, strip])


def contact_sheet(cells: list[Pixels], columns: int = COLUMNS) -> Pixels:
    """Lay equal cells out in rows, with a gap between them; raises `ValueError` without any."""
    if not cells:
        raise ValueError("a contact sheet needs at least one cell")
    spaced = [cv2.copyMakeBorder(one, 2, 2, 2, 2, cv2.BORDER_CONSTANT) for one in cells]
    columns = min(columns, len(spaced))
    spaced += [np.zeros_like(spaced[0])] * (-len(spaced) % columns)
    rows = [np.hstack(spaced[i : i + columns]) for i in range(0, len(spaced), columns)]
    return np.vstack(rows)
