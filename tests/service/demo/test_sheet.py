from __future__ import annotations

import numpy as np

from service.demo.sheet import BAR, HEIGHT, side_by_side


def test_three_pictures_of_any_size_stand_side_by_side_with_captions() -> None:
    pictures = [np.full((h, w, 3), shade, np.uint8) for h, w, shade in ((100, 50, 10), (960, 960, 90), (480, 300, 170))]
    sheet = side_by_side(*pictures)
    assert sheet.shape[0] == HEIGHT + BAR
    assert sheet.dtype == np.uint8
    for column, shade in ((100, 10), (500, 90), (900, 170)):
        assert (sheet[HEIGHT // 2, column] == shade).all()
    assert (sheet[HEIGHT + 4 : -4] < 120).any()  # the captions' ink
