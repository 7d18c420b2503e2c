"""Signed notes (c2sp.org/signed-note): text with one or more signature lines under it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from provenance.audit.encoding import from_base64, to_base64
from provenance.audit.errors import NoteError

KEY_ID_SIZE = 4
MAX_SIGNATURES = 64  # the specification asks for at least 16
MAX_NOTE_BYTES = 1 << 20  # 64 post-quantum signatures and a large text fit
_DASH = "\u2014 "


class NoteSigner(Protocol):
    """A key that signs notes. The private half may live in an HSM behind `sign`."""

    @property
    def name(self) -> str:
        """The key's name, for a log its origin."""

    @property
    def key_id(self) -> bytes:
        """The 4 bytes that tell this key and its algorithm from others of the same name."""

    def sign(self, text: str) -> bytes:
        """Return the signature bytes over the note's text, without the key id."""


class NoteVerifier(Protocol):
    """A public key that checks notes."""

    @property
    def name(self) -> str:
        """The key's name."""

    @property
    def key_id(self) -> bytes:
        """The key's 4-byte id."""

    def verify(self, text: str, signature: bytes) -> bool:
        """Say whether `signature` (without key id) is this key's over the note's text."""


@dataclass(frozen=True)
class NoteSignature:
    """One signature line: who, which key, and the bytes after the key id."""

    name: str
    key_id: bytes
    signature: bytes

    def line(self) -> str:
        """Return the line as it stands in the note, with its newline."""
        return f"{_DASH}{self.name} {to_base64(self.key_id + self.signature)}\n"


@dataclass(frozen=True)
class Note:
    """A parsed note; nothing in it is to be believed before `open_note`."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def __str__(self) -> str:
        return self.text + "\n" + "".join(signature.line() for signature in self.signatures)


def check_name(name: str) -> str:
    """Return a key name that a note can carry; raise NoteError otherwise."""
    if not name or "+" in name or any(char.isspace() or ord(char) < 0x20 for char in name):
        raise NoteError("a key name must be non-empty, without spaces, control characters and '+'")
    return name


def sign_note(text: str, signers: Iterable[NoteSigner]) -> Note:
    """Sign `text`, which must end in a newline, with every signer."""
    _check_text(text)
    return Note(text, tuple(NoteSignature(check_name(s.name), s.key_id, s.sign(text)) for s in signers))


def parse_note(data: str | bytes) -> Note:
    """Split a note into its text and signatures; raise NoteError where it is not well formed."""
    document = _decode(data)
    text, blank, signatures = document.rpartition("\n\n")
    if not blank:
        raise NoteError("a note needs a blank line before its signatures")
    if not signatures.endswith("\n"):
        raise NoteError("a note must end in a newline")
    lines = signatures[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise NoteError(f"a note may carry at most {MAX_SIGNATURES} signatures")
    return Note(_check_text(text + "\n"), tuple(_parse_signature(line) for line in lines))


def open_note(data: str | bytes | Note, verifiers: Sequence[NoteVerifier]) -> tuple[Note, list[NoteVerifier]]:
    """Return the note and the keys that signed it; raise NoteError unless at least one of `verifiers` did.

    Lines of unknown keys are ignored. A wrong signature by a known key refuses the whole note.
    """
    note = data if isinstance(data, Note) else parse_note(data)
    known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    signed: list[NoteVerifier] = []
    for signature in note.signatures:
        verifier = known.get((signature.name, signature.key_id))
        if verifier is None:
            continue
        if not verifier.verify(note.text, signature.signature):
            raise NoteError(f"the signature by {signature.name} ({signature.key_id.hex()}) is wrong")
        if verifier not in signed:
            signed.append(verifier)
    if not signed:
        raise NoteError("no known key signed this note")
    return note, signed


def _decode(data: str | bytes) -> str:
    try:
        raw = data.encode("utf-8") if isinstance(data, str) else data
        if len(raw) > MAX_NOTE_BYTES:
            raise NoteError(f"a note may be at most {MAX_NOTE_BYTES} bytes")
        document = raw.decode("utf-8")
    except UnicodeError as error:
        raise NoteError("a note must be UTF-8") from error
    _refuse_control_characters(document)
    return document


def _check_text(text: str) -> str:
    if not text.endswith("\n"):
        raise NoteError("a note's text must end in a newline")
    _refuse_control_characters(text)
    return text


def _refuse_control_characters(text: str) -> None:
    if any(char < " " and char != "\n" for char in text):
        raise NoteError("a note must not contain control characters")


def _parse_signature(line: str) -> NoteSignature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space:
        raise NoteError("a signature line must be an em dash, the key's name and the signature")
    try:
        blob = from_base64(encoded)
    except ValueError as error:
        raise NoteError(f"a signature is {error}") from error
    if len(blob) <= KEY_ID_SIZE:
        raise NoteError("a signature is too short")
    return NoteSignature(check_name(name), blob[:KEY_ID_SIZE], blob[KEY_ID_SIZE:])
