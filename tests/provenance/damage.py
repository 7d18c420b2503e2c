"""Ways to damage a signed file, one part at a time."""

from __future__ import annotations

import zlib

import cv2
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from provenance.pki import SigningIdentity
from tests.provenance.pictures import FACTS, decode


def flipped(data: bytes, position: int) -> bytes:
    """Return the bytes with the lowest bit of one of them changed."""
    changed = bytearray(data)
    changed[position] ^= 1
    return bytes(changed)


def in_pixels(data: bytes, identity: SigningIdentity) -> bytes:
    """Change a byte of the compressed pixels, which in all three containers end the file."""
    return flipped(data, len(data) - 60)


def in_assertion(data: bytes, identity: SigningIdentity) -> bytes:
    """Change the policy's name in our own assertion."""
    return flipped(data, data.index(FACTS.policy_version.encode()))


def in_claim(data: bytes, identity: SigningIdentity) -> bytes:
    """Change the title, which stands in the claim."""
    return flipped(data, data.index(FACTS.title.encode()))


def in_certificate(data: bytes, identity: SigningIdentity) -> bytes:
    """Change the issuer's signature on the claim-signing certificate."""
    leaf = x509.load_pem_x509_certificate(identity.chain_pem.encode())
    start = data.index(leaf.public_bytes(Encoding.DER))
    return flipped(data, start + len(leaf.public_bytes(Encoding.DER)) - 5)


DAMAGES = {"pixels": in_pixels, "assertion": in_assertion, "claim": in_claim, "certificate": in_certificate}


def with_one_changed_pixel(png: bytes) -> bytes:
    """Return a well-formed PNG with the same manifest in which one pixel is one level brighter."""
    pixels = decode(png)
    pixels[10, 20, 1] ^= 1
    done, fresh = cv2.imencode(".png", pixels)
    assert done
    manifest = next(chunk for chunk in _chunks(png) if chunk[0] == b"caBX")
    kept = [chunk for chunk in _chunks(fresh.tobytes()) if chunk[0] != b"caBX"]
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, [kept[0], manifest, *kept[1:]]))


def _chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    chunks, position = [], 8
    while position < len(png):
        length = int.from_bytes(png[position : position + 4], "big")
        chunks.append((png[position + 4 : position + 8], png[position + 8 : position + 8 + length]))
        position += 12 + length
    return chunks


def _chunk(chunk: tuple[bytes, bytes]) -> bytes:
    kind, body = chunk
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")
