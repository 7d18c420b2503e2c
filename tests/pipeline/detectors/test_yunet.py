"""YuNet: BGR in 0..255, class times object, centre and size decoding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.detectors import YuNetDetector
from pipeline.errors import ModelUnavailable
from pipeline.runtime import OnnxRuntime
from tests.pipeline.detectors.maps import colour_map, fixed_map
from tests.pipeline.small_graphs import Drawing, Shelf, flat_picture

SIDE = 64
RED_IN_BGR = (0.0, 0.0, 1 / 255)
POINTS = [-1.0, -0.5, 1.0, -0.5, 0.0, 0.25, -0.75, 1.0, 0.75, 1.0]


def draw(shelf: Shelf, *, levels: tuple[int, ...] = (8, 16, 32)) -> None:
    """The class score is a cell's red, at stride 16 only; the object score .9."""
    drawing = Drawing()
    names = []
    for stride in levels:
        red = RED_IN_BGR if stride == 16 else (0.0, 0.0, 0.0)
        names.append(colour_map(drawing, stride, f"cls_{stride}", [(red, 0.0)], 1))
    names += [fixed_map(drawing, stride, f"obj_{stride}", [0.9], 1) for stride in levels]
    size = [0.5, 0.25, float(np.log(2)), float(np.log(3))]
    names += [fixed_map(drawing, stride, f"bbox_{stride}", size, 4) for stride in levels]
    names += [fixed_map(drawing, stride, f"kps_{stride}", POINTS, 10) for stride in levels]
    batched = [drawing.add("Unsqueeze", name, drawing.ints(0)) for name in names]
    drawing.save(shelf.file("yunet"), {"input": (1, 3, SIDE, SIDE)}, batched)


def test_a_red_cell_is_a_face_about_its_corner(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    draw(shelf)
    picture = flat_picture(SIDE, SIDE, (255, 255, 0))
    picture[16:32, 32:48] = (0, 0, 255)
    (found,) = YuNetDetector(OnnxRuntime(), shelf).detect(picture)
    assert found.score == pytest.approx(0.9)
    # Corner (32, 16), centre half and a quarter of a stride of 16 on, 2 by 3 strides large.
    assert np.allclose(found.box, [40 - 16, 20 - 24, 40 + 16, 20 + 24], atol=1e-4)
    assert found.keypoints.tolist() == [[16, 8], [48, 8], [32, 20], [20, 32], [44, 32]]


def test_a_graph_with_too_few_outputs_is_refused(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    draw(shelf, levels=(8, 16))
    with pytest.raises(ModelUnavailable) as refusal:
        YuNetDetector(OnnxRuntime(), shelf)
    assert refusal.value.code == "model_unfit"
