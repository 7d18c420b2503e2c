"""Writes export bundles: a folder or zip file with a signed manifest, its own README and its own verifier."""

import hashlib
import secrets
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from provenance.audit import bundle_verify
from provenance.audit.note import NoteSigner, sign_note

EVENTS = "events.jsonl"
CHECKPOINTS = "checkpoints.jsonl"
PROOF = "proof.json"
KEYS = "keys.txt"
README = "README.txt"
VERIFIER = "verify.py"
MANIFEST = bundle_verify.MANIFEST

_README = """\
Audit log export of {origin}
Leaves {first} to {last} of the log, proven to be in its tree of {anchor} leaves.

Verify it (Python 3.9 or later with the package `cryptography`; no network):

    python -I verify.py .

The verifier uses keys.txt of this bundle unless you name keys that you trust: `--keys FILE`. Otherwise
compare the key ids that it prints with those that the operator published. Keep the last line of
checkpoints.jsonl: with its note saved as a file, `--since FILE` proves of any later export from the same
place or earlier that the log only grew.

events.jsonl       one line for each leaf: `leaf` is the exact JSON text that was hashed, `hash` its leaf
hash, `payload` the exact JSON text that the leaf's `commitment` commits to, with the `opening` that proves
it: commitment = HMAC-SHA-256(opening, payload). A payload reads "erased" once the key of the person whom it
describes was destroyed, "withheld" where this export's reader may not see it. A line without `leaf` is an
event of somebody else, of which only the hash is needed. checkpoints.jsonl  the signed checkpoints
(c2sp.org/tlog-checkpoint) that cover the range; the last one anchors it proof.json         the hashes left
and right of the range, and consistency proofs from checkpoints before it keys.txt           the log's public
keys (c2sp.org/signed-note verifier keys): Ed25519 and ML-DSA-44 manifest.txt       the SHA-256 of every file
here, signed with the log's Ed25519 key
"""


@dataclass(frozen=True)
class BundleHead:
    """What a bundle covers: leaves `first` to `end` (exclusive) of `origin`, in the tree of `anchor` leaves."""

    origin: str
    first: int
    end: int
    anchor: int
    created: datetime


class BundleWriter:
    """Writes a bundle's files one after another, in constant memory.

    Used as a context manager: at its end the bundle appears at `path` whole, or not at all. A path ending in
    `.zip` gives a zip file. Raises FileExistsError where something is there already.
    """

    def __init__(self, path: Path) -> None:
        if path.exists():
            raise FileExistsError(f"{path} exists already")
        self._path = path
        self._draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
        self._zip: zipfile.ZipFile | None = None
        self._digests: dict[str, str] = {}

    def __enter__(self) -> Self:
        if self._path.suffix == ".zip":
            self._draft.touch(mode=0o600)
            self._zip = zipfile.ZipFile(self._draft, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        else:
            self._draft.mkdir(mode=0o700)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._zip is not None:
            self._zip.close()
        if error is None:
            self._draft.rename(self._path)
        elif self._draft.is_dir():
            shutil.rmtree(self._draft)
        else:
            self._draft.unlink(missing_ok=True)

    @contextmanager
    def file(self, name: str) -> Iterator["HashingFile"]:
        """Open a new file of the bundle for writing text; its digest goes into the manifest."""
        target: IO[bytes]
        if self._zip is not None:
            target = self._zip.open(name, "w", force_zip64=True)
        else:
            target = (self._draft / name).open("xb")
        with target:
            writer = HashingFile(target)
            yield writer
        self._digests[name] = writer.digest()

    def write(self, name: str, text: str) -> None:
        """Write a small file at once."""
        with self.file(name) as file:
            file.write(text)

    def finish(self, head: BundleHead, vkeys: list[str], signer: NoteSigner) -> None:
        """Write keys, README, verifier and the signed manifest. `signer` is the log's Ed25519 key."""
        self.write(KEYS, "".join(f"{vkey}\n" for vkey in vkeys))
        self.write(
            README,
            _README.format(origin=head.origin, first=head.first, last=head.end - 1, anchor=head.anchor),
        )
        self.write(VERIFIER, Path(bundle_verify.__file__).read_text(encoding="utf-8"))
        files = "".join(f"file {digest} {name}\n" for name, digest in self._digests.items())
        text = (
            f"{bundle_verify.MANIFEST_TITLE}\norigin {head.origin}\nrange {head.first} {head.end}\n"
            f"anchor {head.anchor}\ncreated {head.created.isoformat(timespec='seconds')}\n{files}"
        )
        self.write(MANIFEST, str(sign_note(text, [signer])))


class HashingFile:
    """A file for text that computes the SHA-256 of what is written."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target
        self._hash = hashlib.sha256()

    def write(self, text: str) -> None:
        """Write text as UTF-8."""
        data = text.encode()
        self._hash.update(data)
        self._target.write(data)

    def digest(self) -> str:
        """Return the SHA-256 so far, in hexadecimal."""
        return self._hash.hexdigest()
