"""The confined process that decodes pictures. `pipeline.decode_worker` runs this file and talks to it.

It stands alone on purpose: it imports nothing of Assent, opens nothing once it is confined, and knows no
secret. For each picture it reads a request from standard input and writes an answer to standard output:

    request   >IQ length of the JSON, length of the data
              JSON {format, max_pixels, max_side, min_side, memory, cpu}; data
    answer    >I length of the JSON
              JSON {width, height, alpha, notices}; BGR bytes; alpha bytes where alpha is true
              or JSON {refused: code, message}
"""

from __future__ import annotations

import ctypes
import io
import json
import os
import resource
import struct
import sys
from typing import Any

from PIL import Image, ImageCms, JpegImagePlugin, MpoImagePlugin, PngImagePlugin, WebPImagePlugin

# Named so that they are loaded before the process may no longer open files.
_PLUGINS = (JpegImagePlugin, MpoImagePlugin, PngImagePlugin, WebPImagePlugin)

_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SPACES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}


class Refused(Exception):
    """The picture is refused: `code`, `message`."""


def main(seccomp: bytes) -> None:
    """Serve requests until standard input ends."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    Image.MAX_IMAGE_PIXELS = None  # checked below, against the request's own limit
    Image.init()
    confine(seccomp)
    while True:
        try:
            json_length, data_length = struct.unpack(">IQ", read(12))
        except EOFError:
            return
        request = json.loads(read(json_length))
        data = read(data_length)
        allow(request["memory"], request["cpu"])
        try:
            answer, planes = decode(data, request, srgb)
        except Refused as refusal:
            answer, planes = {"refused": refusal.args[0], "message": refusal.args[1]}, []
        del data
        header = json.dumps(answer).encode()
        write(struct.pack(">I", len(header)) + header)
        for plane in planes:
            write(plane)


def confine(seccomp: bytes) -> None:
    """Give up, for good, whatever decoding does not need.

    Resource limits take new files and sockets, processes, written bytes and core dumps; the seccomp filter
    takes every other system call. Where the kernel refuses the filter the limits still hold.
    """
    for limit, value in (
        (resource.RLIMIT_NOFILE, 3),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    if seccomp:
        code = ctypes.create_string_buffer(seccomp, len(seccomp))
        program = struct.pack("=H6xQ", len(seccomp) // 8, ctypes.addressof(code))  # struct sock_fprog
        libc = ctypes.CDLL(None)
        libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
        libc.prctl(22, 2, program, 0, 0)  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER


def allow(memory: int, cpu: int) -> None:
    """Bound the address space, and the processor time of this one request."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (memory, hard))
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(usage.ru_utime + usage.ru_stime) + 1 + cpu, hard))


def decode(data: bytes, request: dict[str, Any], srgb: Any) -> tuple[dict[str, Any], list[bytes]]:
    """Return the answer's JSON and its planes; raises Refused for whatever is wrong with the picture."""
    notices: list[str] = []
    try:
        image = Image.open(io.BytesIO(data), formats=[request["format"]])
        check_size(image, request)
        if image.format == "MPO":
            notices.append("first_of_several_pictures")
        elif getattr(image, "is_animated", False):
            raise Refused("animated", "the picture is animated")  # noqa: TRY301 - leaves through the handler
        image.load()
        picture, alpha = upright(*to_srgb(image, srgb, notices), notices)
        planes = [picture.tobytes("raw", "BGR")]
        if alpha is not None:
            planes.append(alpha.tobytes())
    except Refused:
        raise
    except MemoryError:
        raise Refused("too_complex", "decoding needs too much memory") from None
    except Exception as error:
        # Pillow reports bad pictures with OSError, SyntaxError, ValueError, struct.error and many others.
        code = "truncated" if isinstance(error, EOFError) or "truncated" in str(error) else "broken"
        raise Refused(code, f"{type(error).__name__}: {error}"[:200]) from None
    size = {"width": picture.width, "height": picture.height}
    return {**size, "alpha": alpha is not None, "notices": notices}, planes


def check_size(image: Image.Image, request: dict[str, Any]) -> None:
    """Compare the decoder's own idea of the size with the limits, in case the parent's parser was fooled."""
    if image.width * image.height > request["max_pixels"] or max(image.size) > request["max_side"]:
        raise Refused("too_many_pixels", f"{image.width}x{image.height}")
    if min(image.size) < request["min_side"]:
        raise Refused("too_small", f"{image.width}x{image.height}")


def to_srgb(image: Image.Image, srgb: Any, notices: list[str]) -> tuple[Image.Image, Image.Image | None]:
    """Return an RGB picture in sRGB, and its alpha (L) unless it is opaque everywhere."""
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I"):  # 16-bit grey; 65535 becomes 255
        notices.append("depth_reduced")
        image = image.convert("I").point(lambda value: value * (255 / 65535) + 0.5).convert("L")
    alpha = None
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
        image = image.convert("RGB")
        if alpha.getextrema() == (255, 255):
            alpha = None
    elif image.mode not in ("RGB", "L", "CMYK"):
        image = image.convert("RGB")
    if profile:
        image = convert_profile(image, profile, srgb, notices)
    return image if image.mode == "RGB" else image.convert("RGB"), alpha


def convert_profile(image: Image.Image, profile: bytes, srgb: Any, notices: list[str]) -> Image.Image:
    """Bring the picture from its embedded profile to sRGB; one that does not fit is left out and named."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = _SPACES.get(source.profile.xcolor_space)
        if space == "L" and image.mode == "RGB":  # grey with transparency
            image = image.convert("L")
        if space == "RGB" and image.mode == "L":
            image = image.convert("RGB")
        if space != image.mode:
            notices.append("colour_profile_ignored")
            return image
        if (source.profile.profile_description or "").startswith("sRGB"):
            return image
        converted = ImageCms.profileToProfile(
            image,
            source,
            srgb,
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        notices.append("colour_profile_ignored")
        return image
    notices.append("colours_converted")
    return converted or image


def upright(
    image: Image.Image, alpha: Image.Image | None, notices: list[str]
) -> tuple[Image.Image, Image.Image | None]:
    """Apply the orientation that the camera noted. It survives in `info`, which conversions carry along."""
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:
        notices.append("metadata_unreadable")
        return image, alpha
    turn = _UPRIGHT.get(orientation)
    if turn is None:
        return image, alpha
    notices.append("orientation_applied")
    return image.transpose(turn), None if alpha is None else alpha.transpose(turn)


def read(count: int) -> bytes:
    """Read exactly `count` bytes from standard input."""
    buffer = bytearray(count)
    view = memoryview(buffer)
    while view:
        got = os.readv(0, [view])
        if not got:
            raise EOFError
        view = view[got:]
    return bytes(buffer)


def write(data: bytes) -> None:
    """Write all of `data` to standard output."""
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


if __name__ == "__main__":
    # The parent names the memory that no request may exceed; imports above have their own needs.
    most = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    main(bytes.fromhex(sys.argv[2]))
