"""Check an audit log export: `python -I verify.py [--keys KEYS] [--since CHECKPOINT] BUNDLE`.

BUNDLE is the exported folder or zip file. Needs Python 3.9 or later and the package `cryptography`, nothing
else, and no network. Prints one line: OK and what was proven, or FAILED and why (each problem on a line of
its own before). Exit status: 0 proven, 1 not proven, 2 wrong usage.

`--keys` names a file of verifier keys that you trust; without it the bundle's own keys are used, and you
must compare the key ids that this prints with those that the operator published. `--since` names a
checkpoint that you kept from an earlier export: it is proven that the log has only grown since then.

What is checked: the signed manifest with the digest of every file; the signatures of every checkpoint; every
leaf hash; the root at every checkpoint within the range, recomputed; the path from the range to the last
checkpoint; the consistency of an earlier checkpoint; and each payload against the commitment in its leaf.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import re
import sys
import zipfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

try:
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
except ImportError:  # an older `cryptography`: the Ed25519 signatures still prove the log
    HAS_ML_DSA = False
else:
    HAS_ML_DSA = True

ED25519, ML_DSA_44 = 0x01, 0x06
ALGORITHMS = {ED25519: "Ed25519", ML_DSA_44: "ML-DSA-44"}
KEY_LENGTHS = {ED25519: 32, ML_DSA_44: 1312}
MAX_LINE = 1 << 24
MAX_PROBLEMS = 20
# What reading a damaged file can raise
MALFORMED = (
    *(LookupError, TypeError, ValueError, AttributeError, OSError, EOFError, RecursionError),
    *(zipfile.BadZipFile, zlib.error),
)
MANIFEST = "manifest.txt"
MANIFEST_TITLE = "assent audit bundle v1"
MANIFEST_SHAPE = (
    MANIFEST_TITLE + r"\norigin (\S+)\nrange (\d+) (\d+)\nanchor (\d+)\ncreated \S+\n"
    r"((?:file [0-9a-f]{64} [\w.-]+\n)+)"
)


class Refused(Exception):
    """The bundle does not prove what it claims."""


class Key(NamedTuple):
    """A public key under a name. `kind` is a key of ALGORITHMS."""

    name: str
    kind: int
    public: bytes

    @property
    def ident(self) -> bytes:
        """The key's 4-byte id (c2sp.org/signed-note)."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]


class Checkpoint(NamedTuple):
    """A verified checkpoint; `signed_at` is in seconds since 1970, None where no signature states it."""

    origin: str
    size: int
    root: bytes
    signed_at: int | None


# --- Merkle tree (RFC 6962, RFC 9162)


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Edge:
    """A growing tree, of which only the hashes of the complete subtrees on its right edge are kept."""

    def __init__(self, size: int, peaks: list[bytes]) -> None:
        if bin(size).count("1") != len(peaks):
            raise Refused("proof.json: the number of hashes left of the range is wrong")
        self.size, self.peaks = size, peaks

    def push(self, level: int, digest: bytes) -> None:
        """Append a complete subtree of 2**level leaves."""
        position = self.size >> level
        self.size += 1 << level
        while position & 1:
            digest = node_hash(self.peaks.pop(), digest)
            position >>= 1
        self.peaks.append(digest)

    def root(self) -> bytes:
        """Return the root."""
        if not self.peaks:
            return hashlib.sha256(b"").digest()
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root


def levels_between(start: int, end: int) -> Iterator[int]:
    """Yield the levels of the complete subtrees that grow a tree from `start` to `end` leaves."""
    while start < end:
        level = (end - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        yield level
        start += 1 << level


def consistent(old: Checkpoint, new: Checkpoint, proof: list[bytes]) -> bool:
    """Say whether the proof shows that `new` extends `old` (RFC 9162, 2.1.4.2)."""
    if old.size in (0, new.size):
        return not proof and (old.size == 0 or old.root == new.root)
    steps = [old.root, *proof] if old.size & (old.size - 1) == 0 else proof
    if old.size > new.size or not steps:
        return False
    position, last = old.size - 1, new.size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    first = second = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            first, second = node_hash(step, first), node_hash(step, second)
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            second = node_hash(second, step)
        position, last = position >> 1, last >> 1
    return last == 0 and first == old.root and second == new.root


# --- Keys, signed notes and checkpoints (C2SP)


def from_base64(text: str) -> bytes:
    """Read standard base64 that is written in the one canonical way."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Refused("malformed base64") from error
    if base64.b64encode(data).decode() != text:
        raise Refused("base64 in an unusual spelling")
    return data


def from_decimal(text: str) -> int:
    """Read an unsigned ASCII decimal without leading zeroes."""
    if not re.fullmatch(r"0|[1-9][0-9]{0,17}", text):
        raise Refused("a number is malformed")
    return int(text)


def read_keys(text: str) -> list[Key]:
    """Read verifier keys, one on each line: name+id+base64(type, public key)."""
    keys = []
    for line in text.split("\n"):
        if not line or line.startswith("#"):
            continue
        name, _, rest = line.partition("+")
        ident, _, encoded = rest.partition("+")
        material = from_base64(encoded)
        key = Key(name, material[0] if material else 0, material[1:])
        if KEY_LENGTHS.get(key.kind) != len(key.public) or key.ident.hex() != ident:
            raise Refused(f"the key {name}+{ident} is malformed or has another id")
        keys.append(key)
    if not keys:
        raise Refused("there are no keys")
    return keys


def verified_text(note: str, keys: list[Key], kinds: set[int], what: str) -> tuple[str, int | None]:
    """Return a note's text and signed time if at least one key of each of `kinds` signed it."""
    text, _, lines = note.rpartition("\n\n")
    text += "\n"
    known = {(key.name, key.ident): key for key in keys if key.kind in kinds}
    signed, signed_at = set(), None
    for line in lines.removesuffix("\n").split("\n"):
        dash, name, blob = [*line.split(" "), "", ""][:3]
        if dash != "\u2014" or line.count(" ") != 2 or not lines.endswith("\n"):
            raise Refused(f"{what}: a signature line is malformed")
        raw = from_base64(blob)
        key = known.get((name, raw[:4]))
        if key is None:
            continue
        if not signature_holds(key, text, raw[4:]):
            raise Refused(f"{what}: the {ALGORITHMS[key.kind]} signature is wrong")
        signed.add(key.kind)
        if key.kind == ML_DSA_44:
            signed_at = int.from_bytes(raw[4:12], "big")
    for kind in sorted(kinds - signed):
        raise Refused(f"{what}: no trusted {ALGORITHMS[kind]} key signed it")
    return text, signed_at


def signature_holds(key: Key, text: str, signature: bytes) -> bool:
    """Say whether the signature over a note's text is the key's."""
    try:
        if key.kind == ED25519:
            Ed25519PublicKey.from_public_bytes(key.public).verify(signature, text.encode())
        else:  # c2sp.org/tlog-cosignature: time, then a signature over a structure of the checkpoint's values
            origin, size, root = checkpoint_values(text)
            parts = [b"subtree/v1\n\0", bytes([len(key.name.encode())]), key.name.encode(), signature[:8]]
            parts += [bytes([len(origin.encode())]), origin.encode(), bytes(8), size.to_bytes(8, "big"), root]
            MLDSA44PublicKey.from_public_bytes(key.public).verify(signature[8:], b"".join(parts))
    except (InvalidSignature, ValueError):
        return False
    return True


def checkpoint_values(text: str) -> tuple[str, int, bytes]:
    """Return origin, size and root of a checkpoint's text."""
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] or not lines[0]:
        raise Refused("a checkpoint must have three lines")
    root = from_base64(lines[2])
    if len(root) != 32:
        raise Refused("a checkpoint's root must be 32 bytes")
    return lines[0], from_decimal(lines[1]), root


def hashes(values: list[str]) -> list[bytes]:
    """Read SHA-256 hashes in hexadecimal."""
    found = [bytes.fromhex(value) for value in values]
    if any(len(value) != 32 for value in found):
        raise Refused("a hash is not 32 bytes")
    return found


# --- The bundle


class Bundle:
    """The files of a bundle, in a folder or a zip file."""

    def __init__(self, path: Path) -> None:
        self._root: Path | zipfile.Path = zipfile.Path(zipfile.ZipFile(path)) if path.is_file() else path

    def open(self, name: str) -> IO[bytes]:
        """Open one file for reading."""
        try:
            return (self._root / name).open("rb")
        except OSError as error:
            raise Refused(f"{name} is missing") from error

    def text(self, name: str) -> str:
        """Return one file's text."""
        with self.open(name) as file:
            try:
                return file.read().decode("utf-8")
            except UnicodeDecodeError as error:
                raise Refused(f"{name} is not UTF-8") from error

    def digest(self, name: str) -> str:
        """Return one file's SHA-256."""
        digest = hashlib.sha256()
        with self.open(name) as file:
            for chunk in iter(lambda: file.read(1 << 20), b""):
                digest.update(chunk)
        return digest.hexdigest()

    def lines(self, name: str) -> Iterator[tuple[int, Any]]:
        """Yield the number and value of each line of a JSON Lines file."""
        with self.open(name) as file:
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE), b""), 1):
                try:
                    yield number, json.loads(line.decode("utf-8"))
                except ValueError as error:
                    raise Refused(f"{name} line {number} is not JSON: the file was changed") from error


class Manifest(NamedTuple):
    """The manifest's values: the log, the range of leaves, the anchoring checkpoint's size, digests by file."""

    origin: str
    first: int
    end: int
    anchor: int
    files: dict[str, str]


def read_manifest(bundle: Bundle, keys: list[Key]) -> Manifest:
    """Check the manifest's signature and return its values."""
    text, _ = verified_text(bundle.text(MANIFEST), keys, {ED25519}, MANIFEST)
    found = re.fullmatch(MANIFEST_SHAPE, text, re.ASCII)
    if not found:
        raise Refused(f"{MANIFEST} is malformed")
    rows = [line.split(" ") for line in found[5].splitlines()]
    files = {name: digest for _, digest, name in rows}
    return Manifest(found[1], int(found[2]), int(found[3]), int(found[4]), files)


class Verification:
    """One run over one bundle. `problems` has a sentence for each thing that is wrong."""

    def __init__(self, bundle: Bundle, keys: list[Key], since: str | None) -> None:
        self.bundle, self.keys = bundle, keys
        self.kinds = {key.kind for key in keys} - (set() if HAS_ML_DSA else {ML_DSA_44})
        self.manifest = read_manifest(bundle, keys)
        self.problems: list[str] = []
        self.counts = dict.fromkeys(("opened", "erased", "withheld", "of others"), 0)
        self.anchor: Checkpoint | None = None  # the last checkpoint that was compared
        self._stream = self._checkpoints(since)
        self._next = next(self._stream, None)
        self._proof = json.loads(bundle.text("proof.json"))
        self._earlier: list[Checkpoint] = []
        self._compared_to = self.manifest.first
        self._diverged = False

    def run(self) -> None:
        """Check everything; raise Refused where going on makes no sense."""
        first, end, size = self.manifest.first, self.manifest.end, self.manifest.anchor
        edge = Edge(first, hashes(self._proof["left"]))
        self._compare(edge)
        for number, row in self.bundle.lines("events.jsonl"):
            edge.push(0, self._check_row(f"events.jsonl line {number}", row, edge.size))
            self._compare(edge)
        if edge.size != end:
            raise Refused(f"events.jsonl ends before leaf {edge.size}, not {end}: lines were cut or added")
        levels, rest = list(levels_between(end, size)), hashes(self._proof["right"])
        if len(levels) != len(rest):
            raise Refused("proof.json: the number of hashes right of the range is wrong")
        for level, digest in zip(levels, rest):  # noqa: B905 (checked above; Python 3.9 has no strict=)
            edge.push(level, digest)
        self._compare(edge)
        if self._next is not None or self.anchor is None or self.anchor.size != size:
            raise Refused(f"the bundle ends at {size} leaves, but a checkpoint states another size")
        for earlier in self._earlier:
            self._check_proof(earlier, self.anchor)
        for name, expected in self.manifest.files.items():
            if self.bundle.digest(name) != expected:
                self.problems.append(f"{name} is not the file that was exported")

    def _check_row(self, where: str, row: dict[str, Any], index: int) -> bytes:
        """Check one event on its own and return the leaf hash that it states."""
        if row["index"] != index:
            raise Refused(f"{where}: leaf {row['index']} where {index} belongs: lines were moved or removed")
        digest, text = hashes([row["hash"]])[0], row.get("leaf")
        if text is None:
            self.counts["of others"] += 1
            return digest
        leaf = json.loads(text)
        where += f" (event {leaf['id']})"
        if leaf_hash(text.encode()) != digest:
            self.problems.append(f"{where}: the leaf was changed")
        payload, opening, commitment = row.get("payload"), row.get("opening"), leaf["commitment"]
        if opening is None:
            if (commitment is None) != (payload is None) or payload not in (None, "erased", "withheld"):
                self.problems.append(f"{where}: the payload was added or lost its proof")
            elif payload is not None:
                self.counts[payload] += 1
            return digest
        proven = hmac.new(bytes.fromhex(opening), str(payload).encode(), hashlib.sha256).hexdigest()
        if proven != commitment:
            self.problems.append(f"{where}: the payload is not the one that was recorded")
        self.counts["opened"] += 1
        return digest

    def _compare(self, edge: Edge) -> None:
        """Compare the tree with all checkpoints of its present size; smaller ones need a proof instead."""
        while self._next is not None and self._next.size <= edge.size:
            checkpoint, self._next = self._next, next(self._stream, None)
            if checkpoint.size < edge.size:
                self._earlier.append(checkpoint)
            elif checkpoint.root != edge.root() and not self._diverged:
                self._diverged = True
                self.problems.append(
                    f"leaves {self._compared_to} to {edge.size - 1}: something there is not what was signed "
                    f"in the checkpoint of {edge.size} leaves"
                )
            self._compared_to, self.anchor = checkpoint.size, checkpoint

    def _check_proof(self, old: Checkpoint, new: Checkpoint) -> None:
        """Check that the log that states `new` has grown from `old`, by a consistency proof."""
        proof = self._proof["consistency"].get(str(old.size))
        if proof is None:
            self.problems.append(f"nothing here shows that the log grew from the {old.size} leaves it had")
        elif not consistent(old, new, hashes(proof)):
            self.problems.append(f"the log no longer contains the {old.size} leaves that it signed: a fork")

    def _checkpoints(self, since: str | None) -> Iterator[Checkpoint]:
        """Yield the verified checkpoints by size; the one from `since` takes its place among them."""
        kept = [self._checkpoint(since, "the checkpoint given with --since")] if since else []
        size = 0
        for number, row in self.bundle.lines("checkpoints.jsonl"):
            checkpoint = self._checkpoint(row["note"], f"checkpoints.jsonl line {number}")
            if checkpoint.size < size:
                raise Refused(f"checkpoints.jsonl line {number}: the checkpoints are not in order")
            size = checkpoint.size
            if kept and kept[0].size <= size:
                yield kept.pop()
            yield checkpoint
        yield from kept

    def _checkpoint(self, note: str, what: str) -> Checkpoint:
        text, signed_at = verified_text(note, self.keys, self.kinds, what)
        checkpoint = Checkpoint(*checkpoint_values(text), signed_at)
        if checkpoint.origin != self.manifest.origin:
            raise Refused(f"{what}: it is of another log, {checkpoint.origin}")
        return checkpoint


def summary(run: Verification, path: str, trusted: bool) -> str:
    """Return the one line that says what was proven."""
    manifest, anchor = run.manifest, run.anchor
    at = "at an unstated time"
    if anchor is not None and anchor.signed_at:
        at = "on " + datetime.fromtimestamp(anchor.signed_at, UTC).isoformat()
    payloads = ", ".join(f"{count} {name}" for name, count in run.counts.items())
    keys = ", ".join(f"{key.ident.hex()} ({ALGORITHMS[key.kind]})" for key in run.keys)
    note = "" if trusted else ": compare their ids with the published ones"
    if not HAS_ML_DSA:
        note += "; ML-DSA-44 was NOT checked, as this `cryptography` is too old"
    return (
        f"OK: {path}: leaves {manifest.first} to {manifest.end - 1} of {manifest.origin} are in the tree of "
        f"{manifest.anchor} leaves signed {at}; payloads: {payloads}; keys {keys}{note}"
    )


def check(path: Path, keys: str | None, since: str | None) -> tuple[list[str], str]:
    """Check the bundle at `path`; return its problems and, where there are none, the line that says what holds."""
    try:
        bundle = Bundle(path)
        run = Verification(bundle, read_keys(bundle.text("keys.txt") if keys is None else keys), since)
        run.run()
        return run.problems, summary(run, str(path), keys is not None)
    except Refused as error:
        return [str(error)], ""
    except MALFORMED as error:
        return [f"a file is malformed ({type(error).__name__}: {error})"], ""


def main() -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(description="Check an Assent audit log export.")
    parser.add_argument("bundle", type=Path, help="the exported folder or zip file")
    parser.add_argument("--keys", type=Path, help="verifier keys that you trust (default: the bundle's own)")
    parser.add_argument("--since", type=Path, help="a checkpoint that you kept from an earlier export")
    options = parser.parse_args()
    keys = options.keys.read_text("utf-8") if options.keys else None
    since = options.since.read_text("utf-8") if options.since else None
    problems, line = check(options.bundle, keys, since)
    for problem in problems[:MAX_PROBLEMS]:
        print(f"  {problem}")
    if problems:
        line = f"FAILED: {options.bundle}: {len(problems)} problem(s), the first: {problems[0]}"
    print(line)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
