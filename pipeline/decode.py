"""Turns untrusted bytes into a picture, or refuses them with a reason. Nothing else comes out of here."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from pipeline.decode_worker import MOST_MEMORY, BadAnswer, WorkerDied, WorkerHung, WorkerPool
from pipeline.errors import PictureRefused
from pipeline.faces import Pixels
from pipeline.picture import Picture, PictureLimits
from pipeline.sniff import Header, animated, broken, read_header, truncated

_FORMATS: Final = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
_DEFAULT: Final = PictureLimits()
# What the process needs before it decodes, and bytes a pixel: Pillow holds up to four copies of four bytes.
_BASE_MEMORY: Final = 512 << 20
_BYTES_A_PIXEL: Final = 24
_TOO_COMPLEX: Final = (
    "Decoding the picture takes too long or too much memory.",
    "Save it as a plain JPEG or PNG.",
)


def decode_picture(data: bytes, limits: PictureLimits = _DEFAULT) -> Picture:
    """Decode a JPEG, PNG or WebP still: upright, in sRGB, eight bits a channel, alpha kept apart.

    Size, format and limits are checked on the headers first; decoding happens in a confined process, which
    may crash or hang without harm.

    Raises:
        PictureRefused: `too_many_bytes`, `not_a_picture`, `unsupported_format`, `animated`, `truncated`,
            `broken`, `too_many_pixels`, `too_small`, `too_complex`, or `decoder_unavailable` where no process
            can be started.

    """
    if len(data) > limits.max_bytes:
        raise PictureRefused(
            "too_many_bytes",
            f"The file has {len(data):,} bytes; at most {limits.max_bytes:,} are accepted.",
            "Send a smaller or more strongly compressed picture.",
        )
    header = read_header(data)
    _check_size(header.width, header.height, limits)
    answer, pixels, alpha = _decode(data, _request(header, limits), limits.seconds)
    if pixels is None:
        raise _refusal(answer)
    notices = (*answer["notices"], *(["trailing_data"] if header.trailing else []))
    return Picture(pixels, alpha, header.media_type, notices)


def _check_size(width: int, height: int, limits: PictureLimits) -> None:
    if width * height > limits.max_pixels or max(width, height) > limits.max_side:
        raise PictureRefused(
            "too_many_pixels",
            f"The picture has {width}x{height} pixels; at most {limits.max_pixels:,} in all and "
            f"{limits.max_side:,} along a side are accepted.",
            "Scale the picture down.",
        )
    if min(width, height) < limits.min_side:
        raise PictureRefused(
            "too_small",
            f"The picture has {width}x{height} pixels; each side must have at least {limits.min_side}.",
            "Send a larger picture.",
        )


def _request(header: Header, limits: PictureLimits) -> dict[str, Any]:
    return {
        "format": _FORMATS[header.media_type],
        "max_pixels": limits.max_pixels,
        "max_side": limits.max_side,
        "min_side": limits.min_side,
        "memory": min(MOST_MEMORY, _BASE_MEMORY + limits.max_bytes + _BYTES_A_PIXEL * limits.max_pixels),
        "cpu": int(limits.seconds) + 1,
    }


def _decode(
    data: bytes, request: dict[str, Any], seconds: float
) -> tuple[dict[str, Any], Pixels | None, Pixels | None]:
    """Ask a worker. One that dies may have been ill before, so a fresh one gets a second try."""
    for attempt in (1, 2):
        try:
            with _pool().lend() as worker:
                return worker.decode(data, request, seconds)
        except WorkerDied as death:
            if death.fresh or attempt == 2:
                raise broken("it crashes the decoder") from None
        except WorkerHung:
            raise PictureRefused("too_complex", *_TOO_COMPLEX) from None
        except BadAnswer:
            raise broken("the decoder failed over it") from None
        except (OSError, MemoryError) as error:
            raise PictureRefused(
                "decoder_unavailable", "No picture can be decoded at the moment.", "Try again later."
            ) from error
    raise AssertionError("unreachable")


def _refusal(answer: dict[str, Any]) -> PictureRefused:
    """Translate the confined process's refusal; an unknown code means that the picture is broken."""
    match answer["refused"]:
        case "truncated":
            return truncated()
        case "animated":
            return animated()
        case "too_complex":
            return PictureRefused("too_complex", *_TOO_COMPLEX)
        case "too_many_pixels" | "too_small":
            return PictureRefused(
                answer["refused"],
                f"The picture's true size {answer['message']} breaks the limits.",
                "Scale it.",
            )
    return broken(answer["message"])


@cache
def _pool() -> WorkerPool:
    return WorkerPool()
