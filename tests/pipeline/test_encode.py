"""Encoding: what is lossless comes back exactly, the rest closely, and nothing is slipped in."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.decode import decode_picture
from pipeline.encode import MEDIA_TYPES, encode_picture
from pipeline.faces import Pixels


@pytest.mark.parametrize(("media_type", "quality"), [("image/png", 95), ("image/webp", 100)])
def test_lossless_pictures_come_back_bit_by_bit_with_their_alpha(
    astronaut: Pixels, media_type: str, quality: int
) -> None:
    alpha = np.tile(np.arange(512) // 2, (512, 1)).astype(np.uint8)
    alpha[alpha == 0] = 1  # WebP is free to change colours that nobody sees
    data = encode_picture(astronaut, alpha=alpha, media_type=media_type, quality=quality)
    picture = decode_picture(data)
    assert picture.media_type == media_type and picture.alpha is not None
    assert np.array_equal(picture.pixels, astronaut) and np.array_equal(picture.alpha, alpha)


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_every_type_comes_back_closely_and_the_same_bytes_twice(astronaut: Pixels, media_type: str) -> None:
    data = encode_picture(astronaut, media_type=media_type)
    assert data == encode_picture(astronaut, media_type=media_type)
    error = decode_picture(data).pixels.astype(float) - astronaut
    assert np.sqrt((error**2).mean()) < 4
    assert b"Exif" not in data


def test_what_cannot_be_encoded_is_an_error(astronaut: Pixels) -> None:
    alpha = np.full((512, 512), 9, np.uint8)
    for arguments in (
        {"media_type": "image/gif"},
        {"media_type": "image/jpeg", "alpha": alpha},
        {"media_type": "image/png", "alpha": alpha[:9]},
        {"media_type": "image/png", "quality": 0},
    ):
        with pytest.raises(ValueError, match=r"\w"):
            encode_picture(astronaut, **arguments)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="uint8"):
        encode_picture(astronaut.astype(np.float32), media_type="image/png")  # type: ignore[arg-type]
