"""The log: what it signs, what it refuses to sign, and receipts."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from provenance.audit import (
    AuditLog,
    Checkpoint,
    CheckpointFile,
    ForkError,
    KeyFileError,
    Leaf,
    LogKeys,
    LogSigner,
    MemoryStore,
    MlDsa44Signer,
    NoteError,
    ProofError,
    Receipt,
    canonical_json,
    leaf_hash,
    open_checkpoint,
    verify_receipt,
)
from provenance.audit.errors import AuditError
from provenance.audit.signers import cosigned_message

Fill = Callable[[AuditLog, int], list[bytes]]


def test_a_checkpoint_states_size_and_root_under_both_keys(log: AuditLog, fill: Fill, origin: str) -> None:
    fill(log, 11)
    signed = log.checkpoint()
    opened = open_checkpoint(signed.note, origin, [signer.verifier for signer in log._signers])
    assert opened.checkpoint == Checkpoint(origin, 11, log.tree.root(11))


def test_a_checkpoint_needs_both_signatures(log: AuditLog, signers: tuple[LogSigner, ...], origin: str) -> None:
    note = log.checkpoint().note
    one_line = note[: note.rindex("\u2014")]
    with pytest.raises(NoteError, match="lacks a signature"):
        open_checkpoint(one_line, origin, [signer.verifier for signer in signers])


def test_nothing_new_is_signed_while_nothing_was_appended(log: AuditLog, store: MemoryStore, fill: Fill) -> None:
    fill(log, 3)
    assert log.checkpoint().note == log.checkpoint().note
    assert len(store.checkpoints) == 1


def test_a_changed_history_is_never_signed(log: AuditLog, store: MemoryStore, fill: Fill) -> None:
    fill(log, 5)
    log.checkpoint()
    forked = MemoryStore()
    other = AuditLog(forked, log.origin, log._signers)
    other.append([Leaf("", leaf_hash(b"another past"))] * 6)
    forked.checkpoints = store.checkpoints
    with pytest.raises(ForkError, match="not consistent"):
        other.checkpoint()


def test_a_log_that_shrank_is_never_signed(log: AuditLog, store: MemoryStore, fill: Fill) -> None:
    fill(log, 5)
    log.checkpoint()
    shorter = MemoryStore()
    shorter.checkpoints = store.checkpoints
    with pytest.raises(ForkError, match="shrank from 5 to 0"):
        AuditLog(shorter, log.origin, log._signers).checkpoint()


def test_a_database_set_back_is_noticed_by_the_file_beside_the_keys(
    log: AuditLog, store: MemoryStore, fill: Fill, tmp_path: Path
) -> None:
    memory = CheckpointFile(tmp_path / "last")
    guarded = AuditLog(store, log.origin, log._signers, memory=memory)
    fill(guarded, 4)
    guarded.checkpoint()
    restored = AuditLog(MemoryStore(), log.origin, log._signers, memory=memory)
    restored.append([Leaf("", leaf_hash(b"something else"))] * 9)
    with pytest.raises(ForkError):
        restored.checkpoint()


def test_a_forged_last_checkpoint_is_not_trusted(log: AuditLog, store: MemoryStore, fill: Fill) -> None:
    fill(log, 2)
    note = log.checkpoint().note
    store.checkpoints[-1] = note.replace("\n2\n", "\n1\n")
    fill(log, 1)
    with pytest.raises(ForkError, match="is wrong"):
        log.checkpoint()


def test_a_log_does_not_take_over_the_checkpoint_of_another(
    log: AuditLog, store: MemoryStore, signers: tuple[LogSigner, ...], fill: Fill
) -> None:
    fill(log, 2)
    log.checkpoint()
    other = AuditLog(store, "log.example/other", signers)
    with pytest.raises(ForkError, match=r"is of the log log\.example/audit"):
        other.checkpoint()


def test_the_message_under_ml_dsa_is_the_specified_structure() -> None:
    # c2sp.org/tlog-cosignature: label, name, time, origin, start, end, root
    message = cosigned_message("n", 258, Checkpoint("or", 3, bytes([7]) * 32))
    assert message.hex() == (
        b"subtree/v1\n\0".hex()
        + "016e"
        + "0000000000000102"
        + "026f72"
        + "0000000000000000"
        + "0000000000000003"
        + "07" * 32
    )


def test_ml_dsa_signs_only_checkpoints(signers: tuple[LogSigner, ...]) -> None:
    assert isinstance(signers[1], MlDsa44Signer)
    with pytest.raises(ProofError):
        signers[1].sign("anything else\n")


@pytest.mark.parametrize(
    "text",
    [
        "origin\n1\nAAAA\n",
        "origin\n01\n" + "A" * 43 + "=\n",
        "origin\n-1\n" + "A" * 43 + "=\n",
        "origin\n\u0661\n" + "A" * 43 + "=\n",
        "origin\n1\n" + "A" * 42 + "B=\n",
        "origin\n1\n" + "A" * 43 + "=\nextension\n",
        "origin\n1\n" + "A" * 43 + "=",
        "\n1\n" + "A" * 43 + "=\n",
        "origin\n9223372036854775808\n" + "A" * 43 + "=\n",
    ],
)
def test_a_malformed_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(ProofError):
        Checkpoint.parse(text)


@pytest.fixture
def receipt(log: AuditLog, fill: Fill) -> str:
    leaves = fill(log, 21)
    note = log.checkpoint().note
    return str(Receipt(13, tuple(log.tree.inclusion(13, 21)), note, leaves[13]))


def test_a_receipt_verifies_offline(receipt: str, log: AuditLog, signers: tuple[LogSigner, ...]) -> None:
    verifiers = [signer.verifier for signer in signers]
    parsed, checkpoint = verify_receipt(receipt, log.origin, verifiers)
    assert (parsed.index, parsed.leaf, checkpoint.size) == (13, b"event 13", 21)
    assert verify_receipt(receipt, log.origin, verifiers, b"event 13")[0] == parsed
    assert receipt.startswith("c2sp.org/tlog-proof@v1\nextra ")


def test_a_receipt_proves_no_other_leaf(receipt: str, log: AuditLog, signers: tuple[LogSigner, ...]) -> None:
    verifiers = [signer.verifier for signer in signers]
    with pytest.raises(ProofError, match="another leaf"):
        verify_receipt(receipt, log.origin, verifiers, b"event 12")
    bare = str(Receipt(13, Receipt.parse(receipt).proof, Receipt.parse(receipt).checkpoint))
    with pytest.raises(ProofError, match="does not lead to the root"):
        verify_receipt(bare, log.origin, verifiers, b"event 12")
    with pytest.raises(ProofError, match="none was given"):
        verify_receipt(bare, log.origin, verifiers)
    with pytest.raises(ProofError, match="of the log"):
        verify_receipt(receipt, "log.example/other", verifiers)


def test_no_changed_line_of_a_receipt_passes(receipt: str, log: AuditLog, signers: tuple[LogSigner, ...]) -> None:
    lines = receipt.split("\n")
    verifiers = [signer.verifier for signer in signers]
    for at, line in enumerate(lines[:-1]):
        changes = {
            "\n".join([*lines[:at], *lines[at + 1 :]]),
            "\n".join([*lines[:at], line, *lines[at:]]),
            "\n".join([*lines[:at], line[:-2] + ("A" if line[-2:-1] != "A" else "B") + line[-1:], *lines[at + 1 :]]),
            "\n".join([*lines[:at], line + " ", *lines[at + 1 :]]),
        }
        for changed in changes - {receipt}:
            if "\u2014" in line and changed.count("\u2014") == 3:
                continue  # the same signature twice is harmless
            with pytest.raises(AuditError):
                verify_receipt(changed, log.origin, verifiers)


def test_keys_are_made_once_and_kept_private(tmp_path: Path, origin: str) -> None:
    folder = tmp_path / "keys"
    keys = LogKeys.open(folder, origin)
    assert LogKeys.open(folder, origin).verifiers == keys.verifiers
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert (modes, stat.S_IMODE(folder.stat().st_mode)) == ({0o600}, 0o700)
    assert "Private" not in repr(keys)


def test_processes_that_start_together_share_their_keys(tmp_path: Path, origin: str) -> None:
    together = threading.Barrier(8)
    found = []

    def begin() -> None:
        together.wait()
        found.append(LogKeys.open(tmp_path / "keys", origin).verifiers)

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["log-keys.json"]


def test_keys_that_others_can_read_are_refused(tmp_path: Path, origin: str) -> None:
    LogKeys.open(tmp_path, origin)
    (tmp_path / "log-keys.json").chmod(0o640)
    with pytest.raises(KeyFileError, match="chmod 600"):
        LogKeys.open(tmp_path, origin)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"format": "assent-log-keys/1", "ed25519": "AA=="}'])
def test_a_damaged_key_file_is_refused_and_kept(tmp_path: Path, origin: str, content: str) -> None:
    path = tmp_path / "log-keys.json"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError):
        LogKeys.open(tmp_path, origin)
    assert path.read_text() == content


def test_canonical_json_is_rfc_8785() -> None:
    value = {"b": [1, True, None, 1e21, 0.000001], "a": "\u20ac\n", "\ufb33": 0, "\U0001f600": 1}
    expected = '{"a":"\u20ac\\n","b":[1,true,null,1e+21,0.000001],"\U0001f600":1,"\ufb33":0}'
    assert canonical_json(value).decode() == expected
    for bad in (float("nan"), 1 << 60, {1: 2}, b"bytes"):
        with pytest.raises(AuditError):
            canonical_json(bad)
