"""Signed notes: against Go's implementation, and against everything malformed."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.audit import (
    Ed25519Verifier,
    LogSigner,
    NoteError,
    open_note,
    parse_note,
    parse_vkey,
    sign_note,
)
from provenance.audit.note import MAX_SIGNATURES

# The example key and note of Go's golang.org/x/mod/sumdb/note.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
TEXT = "log.example/audit\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"


@pytest.fixture(scope="module")
def note(signers: tuple[LogSigner, ...]) -> str:
    return str(sign_note(TEXT, signers))


def test_a_note_of_another_implementation_opens() -> None:
    key = parse_vkey(GO_KEY)
    opened, signed = open_note(GO_NOTE, [key])
    assert (signed, opened.text.count("\n"), str(opened)) == ([key], 2, GO_NOTE)
    assert key.vkey() == GO_KEY


def test_both_signatures_are_checked(note: str, signers: tuple[LogSigner, ...]) -> None:
    verifiers = [signer.verifier for signer in signers]
    assert open_note(note, verifiers)[1] == verifiers


def test_keys_keep_their_text_form(signers: tuple[LogSigner, ...]) -> None:
    for signer in signers:
        assert parse_vkey(signer.verifier.vkey()) == signer.verifier


def test_signatures_of_unknown_keys_are_ignored(note: str, signers: tuple[LogSigner, ...]) -> None:
    stranger = "\u2014 witness.example " + base64.b64encode(bytes(72)).decode() + "\n"
    same_name = f"\u2014 {signers[0].name} " + base64.b64encode(bytes(72)).decode() + "\n"
    assert open_note(note + stranger + same_name, [signers[0].verifier])[1] == [signers[0].verifier]


def test_a_note_without_a_known_signature_is_refused(note: str) -> None:
    with pytest.raises(NoteError, match="no known key"):
        open_note(note, [parse_vkey(GO_KEY)])


def test_one_wrong_signature_of_a_known_key_refuses_the_note(note: str, signers: tuple[LogSigner, ...]) -> None:
    other = str(sign_note(TEXT.replace("\n0\n", "\n1\n"), signers[1:])).split("\n\n")[1]
    mixed = note[: note.rindex("\u2014")] + other
    with pytest.raises(NoteError, match="is wrong"):
        open_note(mixed, [signer.verifier for signer in signers])


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_no_changed_byte_passes(note: str, signers: tuple[LogSigner, ...], data: st.DataObject) -> None:
    raw = bytearray(note.encode())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= 1 << data.draw(st.integers(0, 7))
    verifiers = [signer.verifier for signer in signers]
    try:
        signed = open_note(bytes(raw), verifiers)[1]
    except NoteError:
        return
    # The change made a line one of an unknown key, which is ignored; the other line still holds.
    assert len(signed) == 1
    assert bytes(raw).startswith(TEXT.encode())


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300)))
def test_arbitrary_input_is_refused_in_order(data: str | bytes) -> None:
    try:
        parsed = parse_note(data)
    except NoteError:
        return
    assert str(parsed) == (data if isinstance(data, str) else data.decode())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no signature\n",
        "text\n\n",
        "text\n\n\u2014 name\n",
        "text\n\n\u2014  AAAAAAA=\n",
        "text\n\n\u2014 a+b AAAAAAA=\n",
        "text\n\n\u2014 a\u00a0b AAAAAAA=\n",
        "text\n\n- name AAAAAAA=\n",
        "text\n\n\u2014 name AAAAAAA=",
        "text\n\n\u2014 name AAAAAAB=\n",
        "text\n\n\u2014 name AAAA AAA=\n",
        "text\n\n\u2014 name AAAAAA==\n",
        "text\t\n\n\u2014 name AAAAAAA=\n",
        "text\r\n\n\u2014 name AAAAAAA=\n",
        "text\n\n" + "\u2014 name AAAAAAA=\n" * (MAX_SIGNATURES + 1),
    ],
)
def test_a_malformed_note_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        parse_note(text)


def test_a_note_may_have_empty_lines_and_many_signatures() -> None:
    parsed = parse_note("one\n\ntwo\n\n" + "\u2014 name AAAAAAA=\n" * 16)
    assert (parsed.text, len(parsed.signatures)) == ("one\n\ntwo\n", 16)


def test_a_note_that_is_not_utf8_or_too_large_is_refused() -> None:
    for data in (b"text\xff\n\n", b"a" * (1 << 20) + b"\n"):
        with pytest.raises(NoteError):
            parse_note(data)


def test_only_text_that_ends_in_a_newline_is_signed(signers: tuple[LogSigner, ...]) -> None:
    for text in ("no newline", "bell\a\n"):
        with pytest.raises(NoteError):
            sign_note(text, signers[:1])


@pytest.mark.parametrize(
    "vkey",
    [
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+AhpC",
        "PeterNeumann+c74f20a3+",
        "PeterNeumann",
        "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ],
)
def test_a_malformed_key_is_refused(vkey: str) -> None:
    with pytest.raises(NoteError):
        parse_vkey(vkey)


def test_a_short_signature_of_a_known_key_is_wrong(signers: tuple[LogSigner, ...]) -> None:
    for signer in signers:
        line = base64.b64encode(signer.key_id + b"x").decode()
        with pytest.raises(NoteError, match="is wrong"):
            open_note(f"{TEXT}\n\u2014 {signer.name} {line}\n", [signer.verifier])


def test_keys_of_the_same_name_have_different_ids(signers: tuple[LogSigner, ...]) -> None:
    assert signers[0].key_id != signers[1].key_id
    assert Ed25519Verifier("other", signers[0].verifier.public).key_id != signers[0].key_id
