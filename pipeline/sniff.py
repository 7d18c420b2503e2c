"""Reads a picture's format, size and animation from its headers, in plain Python, decoding nothing.

Nothing here trusts what it reads: every offset is checked, and the decoder checks format and size once more.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from pipeline.errors import PictureRefused

_MOST_CHUNKS = 200_000
_PNG = b"\x89PNG\r\n\x1a\n"
_ALLOWED = "Send a JPEG, PNG or WebP file."

# Formats that are recognised only to say why they are refused: (offset, magic, name).
_OTHERS = (
    (0, b"BM", "BMP"),
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
    (4, b"ftypavi", "AVIF"),
    (4, b"ftyphei", "HEIC"),
    (4, b"ftypmif1", "HEIF"),
    (4, b"ftyp", "MP4"),
    (0, b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (0, b"8BPS", "Photoshop"),
    (0, b"%PDF-", "PDF"),
    (0, b"\x1aE\xdf\xa3", "Matroska"),
    (0, b"\x00\x00\x01\x00", "icon"),
    (0, b"<svg", "SVG"),
)
# In entropy-coded JPEG data a marker is ff followed by anything but a stuffed zero, a restart or another ff.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


@dataclass(frozen=True)
class Header:
    """What the headers say: media type, size in pixels as stored, and whether bytes follow the end."""

    media_type: str
    width: int
    height: int
    trailing: bool = False


def read_header(data: bytes) -> Header:
    """Return the header of a JPEG, PNG or WebP still.

    Raises:
        PictureRefused: `not_a_picture`, `unsupported_format`, `animated`, `truncated` or `broken`.

    """
    if not data:
        raise PictureRefused("not_a_picture", "The file is empty.", _ALLOWED)
    try:
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg(data)
        if data.startswith(_PNG):
            return _png(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
        if data[:6] in (b"GIF87a", b"GIF89a"):
            raise _gif(data)
    except (IndexError, struct.error):
        raise truncated() from None
    for offset, magic, name in _OTHERS:
        if data.startswith(magic, offset):
            raise PictureRefused("unsupported_format", f"{name} files are not accepted.", _ALLOWED)
    raise PictureRefused("not_a_picture", "The file is not a picture, whatever its name says.", _ALLOWED)


def truncated() -> PictureRefused:
    """Build the refusal of a file that ends too early."""
    return PictureRefused("truncated", "The file ends before the picture does.", "Send the complete file.")


def broken(detail: str) -> PictureRefused:
    """Build the refusal of a file whose content breaks its own format."""
    return PictureRefused("broken", f"The picture cannot be decoded: {detail}.", "Save it again and retry.")


def animated() -> PictureRefused:
    """Build the refusal of a moving picture."""
    return PictureRefused("animated", "The picture is animated.", "Send one still frame, or use a video job.")


def _jpeg(data: bytes) -> Header:
    size: tuple[int, int] | None = None
    at = 2
    for _ in range(_MOST_CHUNKS):
        while data[at : at + 2] == b"\xff\xff":
            at += 1
        if at + 2 > len(data):
            break
        if data[at] != 0xFF:
            raise broken("a JPEG marker is missing")
        marker = data[at + 1]
        if marker == 0xD9:
            if size is None:
                raise broken("it has no frame")
            return Header("image/jpeg", *size, trailing=at + 2 < len(data))
        if marker == 0x01 or 0xD0 <= marker <= 0xD7:
            at += 2
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and size is None:
            height, width = struct.unpack_from(">HH", data, at + 5)
            size = width, height
        at += 2 + length
        if marker == 0xDA:  # the scan's data has no length; go to the marker behind it
            found = _MARKER.search(data, at)
            at = found.start() if found else len(data)
    else:
        raise broken("it has too many segments")
    if size is None:
        raise truncated()
    return Header("image/jpeg", *size)  # the end is missing: the decoder decides whether anything else is


def _png(data: bytes) -> Header:
    at = len(_PNG)
    size: tuple[int, int] | None = None
    for _ in range(_MOST_CHUNKS):
        length, kind = struct.unpack_from(">I4s", data, at)
        body = at + 8
        at = body + length + 4
        if at > len(data):
            raise truncated()
        if kind == b"IHDR":
            size = struct.unpack_from(">II", data, body)
        elif size is None:
            raise broken("its first chunk is not IHDR")
        elif kind == b"acTL" and struct.unpack_from(">I", data, body)[0] > 1:
            raise animated()
        elif kind == b"IEND":
            return Header("image/png", *size, trailing=at < len(data))
    raise broken("it has too many chunks")


def _webp(data: bytes) -> Header:
    (riff,) = struct.unpack_from("<I", data, 4)
    end = 8 + riff + (riff & 1)
    if 8 + riff > len(data):
        raise truncated()
    kind, body = data[12:16], 20
    if kind == b"VP8X":
        if data[body] & 0x02:
            raise animated()
        width, height = (1 + int.from_bytes(data[body + i : body + i + 3], "little") for i in (4, 7))
    elif kind == b"VP8 ":
        width, height = (value & 0x3FFF for value in struct.unpack_from("<HH", data, body + 6))
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, body + 1)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        raise broken("its first WebP chunk is unknown")
    return Header("image/webp", width, height, trailing=end < len(data))


def _gif(data: bytes) -> PictureRefused:
    """Refuse every GIF, and say so if it is animated (it holds a second image)."""
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    images = 0
    while data[at] != 0x3B:
        if data[at] == 0x2C:
            images += 1
            if images == 2:
                return animated()
            at += 11 + (3 << (data[at + 9] & 7) + 1 if data[at + 9] & 0x80 else 0)
        else:
            at += 2
        while data[at]:
            at += 1 + data[at]
        at += 1
    return PictureRefused("unsupported_format", "GIF files are not accepted.", _ALLOWED)
