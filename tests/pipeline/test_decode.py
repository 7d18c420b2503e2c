"""Decoding: right pictures come out right, wrong ones are refused by name, and nothing else ever happens."""

from __future__ import annotations

import os
import signal
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from pipeline import decode
from pipeline.decode import decode_picture
from pipeline.decode_worker import BadAnswer, Worker, _parse
from pipeline.errors import PictureRefused
from pipeline.picture import Picture, PictureLimits
from pipeline.seccomp import decoding_filter
from tests.pipeline.samples import animation, chunk, encoded, oriented, photo, png


def refusal(data: bytes, limits: PictureLimits | None = None) -> str:
    with pytest.raises(PictureRefused) as caught:
        decode_picture(data, limits or PictureLimits())
    assert caught.value.message and caught.value.hint is not None
    return caught.value.code


def rgb(picture: Picture) -> np.ndarray:
    return picture.pixels[..., ::-1].astype(int)


@pytest.mark.parametrize(
    ("kind", "media_type", "options", "error"),
    [
        ("PNG", "image/png", {}, 0),
        ("WEBP", "image/webp", {"lossless": True}, 0),
        ("JPEG", "image/jpeg", {"quality": 95, "subsampling": 0}, 8),
    ],
)
def test_a_plain_picture_comes_out_as_it_was(kind: str, media_type: str, options: dict[str, int], error: int) -> None:
    picture = decode_picture(encoded(photo(), kind, **options))
    assert picture.media_type == media_type and picture.alpha is None and picture.notices == ()
    assert picture.pixels.flags.c_contiguous and picture.pixels.dtype == np.uint8
    assert np.abs(rgb(picture) - np.asarray(photo(), int)).mean() <= error / 4


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_every_exif_orientation_is_applied(kind: str, orientation: int) -> None:
    corner = {2: (0, -1), 3: (-1, -1), 4: (-1, 0), 5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0)}[orientation]
    picture = decode_picture(oriented(kind, orientation))
    assert picture.pixels.shape == ((90, 120, 3) if orientation < 5 else (120, 90, 3))
    assert "orientation_applied" in picture.notices
    inside = [5 if side == 0 else -6 for side in corner]
    assert rgb(picture)[inside[0], inside[1], 0] > 200


def test_a_cmyk_jpeg_is_converted_not_inverted() -> None:
    picture = decode_picture(encoded(photo().convert("CMYK"), "JPEG", quality=95))
    assert np.abs(rgb(picture) - np.asarray(photo(), int)).mean() < 4


def test_an_embedded_profile_is_converted_to_srgb() -> None:
    lab_grey = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    ignored = decode_picture(encoded(photo(), "PNG", icc_profile=lab_grey))
    assert ignored.notices == ("colour_profile_ignored",)
    converted = decode_picture(encoded(photo(), "PNG", icc_profile=swapped_profile()))
    assert converted.notices == ("colours_converted",)
    red = rgb(converted)[5, 5]
    assert red[2] > 200 and red[0] < 60  # the profile calls the first channel blue


def swapped_profile() -> bytes:
    """An sRGB profile whose red and blue primaries have changed places, under another name."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = profile.index(b"rXYZ"), profile.index(b"bXYZ")
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    name = profile.index("sRGB".encode("utf-16-be"))
    profile[name : name + 8] = "BGRs".encode("utf-16-be")
    return bytes(profile)


def test_a_16_bit_grey_picture_is_scaled_not_clipped() -> None:
    grey = np.linspace(0, 65535, 100 * 100).astype(np.uint16).reshape(100, 100)
    picture = decode_picture(encoded(Image.fromarray(grey), "PNG"))
    assert np.array_equal(picture.pixels[..., 0], np.round(grey / 257).astype(np.uint8))
    assert picture.notices == ("depth_reduced",)


def test_a_16_bit_colour_picture_is_scaled_not_clipped() -> None:
    line = b"\0" + np.tile(np.array([0x4000, 0x8000, 0xFFFF], ">u2"), 80).tobytes()
    picture = decode_picture(png(80, 80, line * 80, depth=16))
    assert np.abs(rgb(picture)[40, 40] - [0x40, 0x80, 0xFF]).max() <= 1


@pytest.mark.parametrize("mode", ["L", "P", "1"])
def test_grey_palette_and_bilevel_pictures_become_colour(mode: str) -> None:
    source = photo().convert(mode)
    picture = decode_picture(encoded(source, "PNG"))
    assert np.array_equal(rgb(picture), np.asarray(source.convert("RGB"), int))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_kept_apart_and_colours_are_not_multiplied_by_it(mode: str) -> None:
    source = photo().convert(mode)
    source.putalpha(Image.linear_gradient("L").resize(source.size))
    picture = decode_picture(encoded(source, "PNG"))
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha, np.asarray(source.getchannel("A")))
    assert np.array_equal(rgb(picture), np.asarray(source.convert("RGB"), int))


def test_a_transparent_palette_colour_becomes_alpha_and_full_opacity_becomes_none() -> None:
    palette = photo().quantize(8)
    transparent = decode_picture(encoded(palette, "PNG", transparency=0))
    assert transparent.alpha is not None and set(np.unique(transparent.alpha)) == {0, 255}
    opaque = photo().convert("RGBA")
    assert decode_picture(encoded(opaque, "PNG")).alpha is None


def test_alpha_is_turned_with_the_picture() -> None:
    source, exif = photo().convert("RGBA"), Image.Exif()
    source.putalpha(Image.linear_gradient("L").resize(source.size))
    exif[0x0112] = 3
    picture = decode_picture(encoded(source, "PNG", exif=exif))
    assert picture.alpha is not None and picture.alpha[0].mean() > picture.alpha[-1].mean()


@pytest.mark.parametrize(
    "data", [b"", b"hello, I am a picture\n" * 40, b"\0" * 500, b"\xff\xd8", b"<html><img></html>"]
)
def test_what_is_no_picture_is_refused_whatever_its_name(data: bytes) -> None:
    assert refusal(data) == "not_a_picture"


@pytest.mark.parametrize("kind", ["TIFF", "BMP", "AVIF", "GIF", "JPEG2000", "PDF"])
def test_formats_off_the_list_are_refused(kind: str) -> None:
    assert refusal(encoded(photo(), kind)) == "unsupported_format"


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
def test_animations_are_refused(kind: str) -> None:
    assert refusal(animation(kind)) == "animated"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.98])
def test_a_cut_file_is_truncated(kind: str, share: float) -> None:
    data = encoded(photo(300, 300), kind)
    assert refusal(data[: int(len(data) * share)]) == "truncated"


def test_a_huge_picture_is_refused_from_its_header_alone() -> None:
    start = time.perf_counter()
    assert refusal(png(20_000, 20_000, b"")) == "too_many_pixels"
    assert refusal(png(12_001, 64, b"")) == "too_many_pixels"
    assert time.perf_counter() - start < 0.1


def test_limits_are_exact() -> None:
    data = encoded(photo(100, 80), "PNG")
    assert decode_picture(data, PictureLimits(len(data), 8000, 100, 80)).pixels.shape == (80, 100, 3)
    assert refusal(data, PictureLimits(max_bytes=len(data) - 1)) == "too_many_bytes"
    assert refusal(data, PictureLimits(max_pixels=7999)) == "too_many_pixels"
    assert refusal(data, PictureLimits(max_side=99)) == "too_many_pixels"
    assert refusal(data, PictureLimits(min_side=81)) == "too_small"
    with pytest.raises(ValueError, match="max_pixels"):
        PictureLimits(max_pixels=10**9)


def test_the_decoders_own_idea_of_the_size_counts_where_the_header_lies() -> None:
    large, small = encoded(photo(3000, 400), "WEBP", lossless=True), encoded(photo(), "WEBP", lossless=True)
    vp8x = b"VP8X" + (10).to_bytes(4, "little") + bytes(4) + (119).to_bytes(3, "little") + (89).to_bytes(3, "little")
    lying = vp8x + large[12:]
    data = b"RIFF" + (4 + len(lying)).to_bytes(4, "little") + b"WEBP" + lying
    assert refusal(data, PictureLimits(max_side=200)) in {"broken", "too_many_pixels"}
    assert decode_picture(small, PictureLimits(max_side=200)).pixels.shape == (90, 120, 3)


@pytest.mark.parametrize("keyword", [b"zTXt", b"iCCP"])
def test_a_bomb_in_the_metadata_does_no_harm(keyword: bytes) -> None:
    bomb = chunk(keyword, b"a\0\0" + zlib.compress(bytes(200_000_000)))
    assert refusal(png(100, 100, bytes(301 * 100), extra=bomb)) in {"broken", "too_complex"}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_bytes_behind_the_picture_are_noticed_and_left_out(kind: str) -> None:
    picture = decode_picture(encoded(photo(), kind) + b"PK\x03\x04<script>" + bytes(100))
    assert "trailing_data" in picture.notices and picture.pixels.shape == (90, 120, 3)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a"]))
def test_random_bytes_are_refused_and_raise_nothing_else(data: bytes, magic: bytes) -> None:
    refusal(magic + data)


_FILES = {kind: encoded(photo(), kind) for kind in ("JPEG", "PNG", "WEBP")}


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(sorted(_FILES)),
    cut=st.none() | st.integers(0, 4000),
    changes=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=4),
)
def test_damaged_pictures_decode_or_are_refused_and_raise_nothing_else(
    kind: str, cut: int | None, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(_FILES[kind][:cut])
    for at, value in changes:
        if data:
            data[at % len(data)] = value
    try:
        picture = decode_picture(bytes(data))
    except PictureRefused as caught:
        assert caught.code not in {"decoder_unavailable", "too_complex"}
    else:
        assert picture.pixels.ndim == 3 and min(picture.pixels.shape[:2]) >= 64


def warm_worker() -> int:
    decode_picture(_FILES["PNG"])
    return decode._pool().idle_pids()[-1]


def test_a_killed_decoder_is_replaced_without_a_word() -> None:
    pid = warm_worker()
    os.kill(pid, signal.SIGKILL)
    assert decode_picture(_FILES["PNG"]).pixels.shape == (90, 120, 3)
    assert warm_worker() != pid


def test_a_hanging_decoder_is_ended_after_its_time_and_replaced() -> None:
    os.kill(warm_worker(), signal.SIGSTOP)
    start = time.perf_counter()
    assert refusal(_FILES["PNG"], PictureLimits(seconds=0.3)) == "too_complex"
    assert time.perf_counter() - start < 2
    assert decode_picture(_FILES["PNG"]).pixels.shape == (90, 120, 3)


def test_a_picture_that_crashes_the_decoder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Worker.decode

    def crash(worker: Worker, *arguments: object) -> object:
        os.kill(worker.pid, signal.SIGKILL)
        return real(worker, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Worker, "decode", crash)
    assert refusal(_FILES["PNG"]) == "broken"


def test_a_decoder_that_cannot_be_started_is_a_refusal_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Worker) -> None:
        raise OSError("no more processes")

    decode._pool().close()
    monkeypatch.setattr(Worker, "__init__", fail)
    assert refusal(_FILES["PNG"]) == "decoder_unavailable"


@pytest.mark.parametrize(
    "answer",
    [
        b"no json",
        b"[]",
        b'{"width": 4000, "height": 100, "alpha": false, "notices": []}',
        b'{"width": "100", "height": 100, "alpha": false, "notices": []}',
        b'{"width": 100, "height": 100, "alpha": 1, "notices": []}',
        b'{"width": 100, "height": 100, "alpha": false, "notices": [7]}',
    ],
)
def test_a_decoder_that_answers_nonsense_is_not_believed(answer: bytes) -> None:
    with pytest.raises(BadAnswer):
        _parse(answer, {"max_side": 1000, "min_side": 64, "max_pixels": 100_000})


def test_the_decoder_is_confined_and_knows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSENT_SECRET", "x")
    decode._pool().close()
    process = Path(f"/proc/{warm_worker()}")
    assert process.joinpath("environ").read_bytes() == b""
    assert {link.name for link in process.joinpath("fd").iterdir()} == {"0", "1", "2"}
    limits = process.joinpath("limits").read_text()
    assert "Max open files            3                    3 " in limits
    assert "Max file size             0                    0 " in limits
    if decoding_filter():
        assert "Seccomp:\t2" in process.joinpath("status").read_text()


def test_the_seccomp_filter_exists_for_both_common_machines_only() -> None:
    for machine in ("x86_64", "aarch64"):
        assert len(decoding_filter(machine)) % 8 == 0 and decoding_filter(machine)
    assert decoding_filter("riscv64") == b""


def test_many_threads_decode_at_once() -> None:
    pictures = [encoded(photo(100 + i, 90), "PNG") for i in range(24)]
    with ThreadPoolExecutor(8) as pool:
        widths = [picture.pixels.shape[1] for picture in pool.map(decode_picture, pictures)]
    assert widths == [100 + i for i in range(24)]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python 3.12 warns of threads
def test_a_forked_process_decodes_with_a_decoder_of_its_own() -> None:
    mine = warm_worker()
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if warm_worker() != mine else 1)
        except BaseException:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert warm_worker() == mine


def test_a_warm_decode_costs_little_more_than_decoding() -> None:
    data = encoded(photo(1000, 800), "JPEG")
    warm_worker()
    best = min(timed(data) for _ in range(5))
    assert best < 0.06


def timed(data: bytes) -> float:
    start = time.perf_counter()
    decode_picture(data)
    return time.perf_counter() - start
