"""Exports verify offline with nothing but their own verifier, and no change to them goes unnoticed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provenance.audit import Checkpoint, Leaf, LogKeys, bundle_verify, leaf_hash, sign_note
from provenance.audit.merkle import root_of
from service.audit.export import Export, ExportError, export_bundle
from service.audit.tables import AuditEvent
from service.platform.ids import new_id
from service.platform.vault import KeyOwner, VaultError
from tests.service.audit.conftest import World, create_tables, make_world

SECRET = {"name": "Jane Doe", "score": 1e-7, "note": "\u20ac\n"}


def verify(bundle: Path, *arguments: object) -> tuple[bool, str]:
    """Run the verifier in this process; return whether it passed, and its last line."""
    options = iter(map(str, arguments))
    named = dict(zip(options, options, strict=True))
    keys = Path(named["--keys"]).read_text() if "--keys" in named else None
    since = Path(named["--since"]).read_text() if "--since" in named else None
    problems, line = bundle_verify.check(bundle, keys, since)
    return not problems, "\n".join(problems) or line


def run_alone(bundle: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the bundle's own verifier as a stranger would."""
    command = [sys.executable, "-I", "-W", "error", "verify.py", *map(str, arguments), "."]
    return subprocess.run(command, cwd=bundle, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def export(world: World, tmp_path: Path) -> Callable[..., Export]:
    def make(name: str = "bundle", **options: object) -> Export:
        return export_bundle(world.database, world.vault, world.keys, tmp_path / name, **options)  # type: ignore[arg-type]

    return make


def _rows(export: Export) -> list[dict[str, Any]]:
    lines = (export.path / "events.jsonl").read_text().split("\n")
    return [json.loads(line) for line in lines[:-1]]


@pytest.fixture
def filled(world: World) -> World:
    """A log of 24 leaves with checkpoints of 5, 12, 13, 20 and 24."""
    _fill(world)
    return world


def _fill(world: World) -> None:
    for size in (5, 7, 1, 7, 4):
        world.events(size - 1, SECRET)
        world.event()
        world.sequencer.checkpoint()


def test_a_whole_export_verifies_on_its_own(filled: World, export: Callable[..., Export]) -> None:
    done = export()
    result = run_alone(done.path)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("OK: .: leaves 0 to 23 of log.example/audit are in the tree of 24 leaves signed")
    assert "19 opened, 0 erased, 0 withheld, 0 of others" in result.stdout
    assert result.stdout.count("\n") == 1
    names = {path.name for path in done.path.iterdir()}
    assert names == {
        "events.jsonl", "checkpoints.jsonl", "proof.json", "keys.txt", "README.txt", "verify.py", "manifest.txt"
    }  # fmt: skip


def test_a_failed_verification_says_so_in_its_status(filled: World, export: Callable[..., Export]) -> None:
    done = export()
    events = done.path / "events.jsonl"
    events.write_text(events.read_text().replace("Jane", "Joan", 1))
    result = run_alone(done.path)
    assert result.returncode == 1
    assert result.stdout.splitlines()[-1].startswith(
        "FAILED: .: 2 problem(s), the first: events.jsonl line 1 (event evt_"
    )


def test_every_range_verifies(filled: World, export: Callable[..., Export]) -> None:
    for first in range(24):
        for end in range(first + 1, 25, 1 if first in (0, 7, 12) else 5):
            done = export(f"bundle-{first}-{end}", first=first, end=end)
            assert verify(done.path)[0], verify(done.path)


def test_a_zip_verifies_and_holds_the_same_files(filled: World, export: Callable[..., Export]) -> None:
    done = export("bundle.zip")
    assert verify(done.path)[0]
    with zipfile.ZipFile(done.path) as archive:
        assert len(archive.namelist()) == 7


def test_payloads_open_read_erased_or_are_withheld(filled: World, export: Callable[..., Export]) -> None:
    other = KeyOwner("subject", new_id("sub"))
    mine, filled.subject = filled.subject, other
    kept = filled.event({"kept": True})
    hidden = filled.event({"kept": False})
    filled.subject = mine
    filled.erase()
    filled.sequencer.checkpoint()

    def may_read(event: AuditEvent) -> bool:
        return event.id != hidden

    done = export(may_read=may_read)
    assert "1 opened, 19 erased, 1 withheld, 0 of others" in verify(done.path)[1]
    rows = _rows(done)
    found = {json.loads(row["leaf"])["id"]: row.get("payload") for row in rows}
    assert found[kept] == '{"kept":true}'
    assert found[hidden] == "withheld"
    assert "Jane" not in (done.path / "events.jsonl").read_text()


def test_a_tenants_export_shows_only_hashes_of_others(filled: World, export: Callable[..., Export]) -> None:
    stranger = new_id("ten")
    filled.tenant, before = stranger, filled.tenant
    filled.event({"name": "John"})
    filled.sequencer.checkpoint()
    done = export(tenant_id=stranger)
    assert "1 opened, 0 erased, 0 withheld, 24 of others" in verify(done.path)[1]
    assert before not in (done.path / "events.jsonl").read_text()


def test_only_what_is_signed_can_be_exported(world: World, export: Callable[..., Export]) -> None:
    world.events(3)
    world.sequencer.sequence()
    with pytest.raises(ExportError):
        export()
    world.sequencer.checkpoint()
    for first, end in ((0, 4), (3, 3), (-1, 2), (2, 1)):
        with pytest.raises(ExportError):
            export(first=first, end=end)


def test_a_failed_export_leaves_nothing(filled: World, export: Callable[..., Export], tmp_path: Path) -> None:
    with filled.database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_event_no_update")
        connection.exec_driver_sql("UPDATE audit_event SET payload = zeroblob(64) WHERE payload IS NOT NULL")
    before = set(tmp_path.iterdir())
    for name in ("bundle", "bundle.zip"):
        with pytest.raises(VaultError):
            export(name)
    assert set(tmp_path.iterdir()) == before


def test_nothing_is_overwritten(filled: World, export: Callable[..., Export]) -> None:
    export()
    with pytest.raises(FileExistsError):
        export()


def test_progress_is_told(filled: World, export: Callable[..., Export]) -> None:
    seen: list[tuple[int, int]] = []
    export(progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (24, 24)


def test_a_later_export_proves_that_the_log_only_grew(
    filled: World, export: Callable[..., Export], tmp_path: Path
) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_text(export("first").checkpoint)
    filled.events(6)
    filled.sequencer.checkpoint()
    for number, first in enumerate((0, 24, 25)):
        later = export(f"later-{number}", first=first)
        assert verify(later.path, "--since", kept)[0], first
    early = export("early", first=26, end=28)
    assert verify(early.path, "--since", kept)[0]
    middle = export("middle", first=2, end=7)
    assert "nothing here shows" in verify(middle.path, "--since", kept)[1]


def test_a_fork_is_told_from_growth(filled: World, export: Callable[..., Export], tmp_path: Path) -> None:
    done = export()
    forked = tmp_path / "forked.txt"
    root = root_of(leaf_hash(bytes([n])) for n in range(13))
    forked.write_text(str(sign_note(Checkpoint(filled.keys.origin, 13, root).text(), filled.keys.signers)))
    assert "not what was signed in the checkpoint of 13" in verify(done.path, "--since", forked)[1]
    # A range that begins after it has a consistency proof from 13, which a forked 13 does not fit.
    later = export("later", first=14)
    assert "a fork" in verify(later.path, "--since", forked)[1]
    longer = str(sign_note(Checkpoint(filled.keys.origin, 99, root).text(), filled.keys.signers))
    forked.write_text(longer)
    assert "states another size" in verify(done.path, "--since", forked)[1]


def test_trusted_keys_refuse_a_bundle_of_anybody_else(
    filled: World, export: Callable[..., Export], tmp_path: Path
) -> None:
    done = export()
    trusted = tmp_path / "keys.txt"
    shutil.copy(done.path / "keys.txt", trusted)
    passed, line = verify(done.path, "--keys", trusted)
    assert passed
    assert "compare their ids" not in line
    assert "compare their ids" in verify(done.path)[1]
    strangers = LogKeys.open(tmp_path / "strangers", filled.keys.origin)
    trusted.write_text("".join(key.vkey() + "\n" for key in strangers.verifiers))
    assert "no trusted Ed25519 key signed it" in verify(done.path, "--keys", trusted)[1]


def _rewrite(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    path.write_text("".join(change(path.read_text().splitlines(keepends=True))))


def _edit(number: int, **values: object) -> Callable[[list[str]], list[str]]:
    def change(lines: list[str]) -> list[str]:
        row = json.loads(lines[number]) | values
        lines[number] = json.dumps({key: value for key, value in row.items() if value is not None}) + "\n"
        return lines

    return change


def _forge_leaf(lines: list[str]) -> list[str]:
    """Change a leaf and its hash together, so that the line agrees with itself."""
    row = json.loads(lines[8])
    leaf = row["leaf"].replace('"allow"', '"refuse"')
    return _edit(8, leaf=leaf, hash=leaf_hash(leaf.encode()).hex())(lines)


MUTATIONS: dict[str, tuple[str, Callable[[list[str]], list[str]], str]] = {
    "a line removed": ("events.jsonl", lambda r: r[:6] + r[7:], "line 7: leaf 7 where 6 belongs"),
    "a line doubled": ("events.jsonl", lambda r: r[:7] + r[6:], "line 8: leaf 6 where 7 belongs"),
    "lines swapped": ("events.jsonl", lambda r: [*r[:3], r[4], r[3], *r[5:]], "line 4: leaf 4 where 3 belongs"),
    "the end cut": ("events.jsonl", lambda r: r[:-2], "lines were cut or added"),
    "a line cut": ("events.jsonl", lambda r: [*r[:-1], r[-1][:40]], "line 24 is not JSON"),
    "a leaf changed": ("events.jsonl", _edit(8, leaf='{"id":"evt_x","commitment":null}'), "line 9 (event evt_x)"),
    "a leaf forged": ("events.jsonl", _forge_leaf, "leaves 5 to 11: something there is not what was signed"),
    "a payload changed": ("events.jsonl", _edit(5, payload="{}"), "payload is not the one that was recorded"),
    "an opening changed": ("events.jsonl", _edit(5, opening="00" * 32), "payload is not the one"),
    "a payload removed": ("events.jsonl", _edit(5, payload=None, opening=None), "was added or lost its proof"),
    "an opening removed": ("events.jsonl", _edit(5, opening=None), "was added or lost its proof"),
    "a payload added": ("events.jsonl", _edit(4, payload='{"a":1}'), "was added or lost its proof"),
    "a payload called erased": ("events.jsonl", _edit(5, payload="erased", opening=None), "not the file"),
    "a hash too short": ("events.jsonl", _edit(5, hash="00"), "not 32 bytes"),
    "a hash of no hexadecimal": ("events.jsonl", _edit(5, hash="x"), "malformed"),
    "a checkpoint removed": ("checkpoints.jsonl", lambda r: r[:-1], "states another size"),
    "an older checkpoint removed": ("checkpoints.jsonl", lambda r: r[1:], "not the file that was exported"),
    "checkpoints swapped": ("checkpoints.jsonl", lambda r: r[::-1], "line 2: the checkpoints are not in order"),
    "a key removed": ("keys.txt", lambda r: r[:1], "keys.txt is not the file that was exported"),
    "no key left": ("keys.txt", lambda r: [], "there are no keys"),
    "the README changed": ("README.txt", lambda r: [*r, "Trust me.\n"], "README.txt is not the file"),
    "the verifier changed": ("verify.py", lambda r: [*r, "#\n"], "verify.py is not the file"),
    "the manifest's range": ("manifest.txt", lambda r: [x.replace("range 0", "range 1") for x in r], "signature"),
}  # fmt: skip


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One sound bundle, to be copied and spoiled."""
    folder = tmp_path_factory.mktemp("sound")
    world = make_world(f"sqlite:///{folder / 'audit.db'}", folder)
    create_tables(world.database)
    _fill(world)
    done = export_bundle(world.database, world.vault, world.keys, folder / "bundle")
    world.database.close()
    return done.path


@pytest.mark.parametrize("what", MUTATIONS)
def test_each_change_is_found_with_its_own_message(sound: Path, tmp_path: Path, what: str) -> None:
    name, change, message = MUTATIONS[what]
    bundle = shutil.copytree(sound, tmp_path / "bundle")
    _rewrite(bundle / name, change)
    passed, text = verify(bundle)
    assert not passed
    assert message in text


def test_a_missing_file_is_named(filled: World, export: Callable[..., Export]) -> None:
    done = export()
    for path in sorted(done.path.iterdir()):
        kept = path.read_bytes()
        path.unlink()
        assert f"{path.name} is missing" in verify(done.path)[1]
        path.write_bytes(kept)
    assert verify(done.path)[0]


def test_a_changed_proof_leads_nowhere(filled: World, export: Callable[..., Export]) -> None:
    done = export(first=7, end=15)
    path = done.path / "proof.json"
    proof = json.loads(path.read_text())
    changed = [
        proof | {"left": proof["left"][::-1]},
        proof | {"right": proof["right"][::-1]},
        proof | {"left": proof["left"][1:]},
        proof | {"right": proof["right"][1:]},
        proof | {"consistency": {}},
        proof | {"consistency": {"5": proof["consistency"]["5"][::-1]}},
    ]
    for bad in changed:
        path.write_text(json.dumps(bad))
        text = verify(done.path)[1]
        assert "something there" in text or "number of hashes" in text or "fork" in text or "nothing" in text


@given(st.data())
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_single_bit_of_a_bundle_can_change(
    filled: World, export: Callable[..., Export], tmp_path: Path, data: st.DataObject
) -> None:
    bundle = tmp_path / "bits"
    if not bundle.exists():
        export("bits", first=6, end=19)
    path = data.draw(st.sampled_from(sorted(bundle.iterdir())))
    whole = path.read_bytes()
    at, bit = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 7))
    path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << bit)]) + whole[at + 1 :])
    try:
        assert not verify(bundle)[0]
    finally:
        path.write_bytes(whole)


def test_the_verifier_says_when_it_cannot_check_ml_dsa(
    filled: World, export: Callable[..., Export], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle_verify, "HAS_ML_DSA", False)
    passed, line = verify(export().path)
    assert passed
    assert "ML-DSA-44 was NOT checked" in line


def test_the_command_line_explains_itself(filled: World, export: Callable[..., Export], tmp_path: Path) -> None:
    done = export()
    kept = tmp_path / "kept.txt"
    kept.write_text(done.checkpoint)
    result = run_alone(done.path, "--keys", done.path / "keys.txt", "--since", kept)
    assert result.returncode == 0, result.stdout
    assert run_alone(done.path, "--nonsense").returncode == 2
    shutil.rmtree(tmp_path / "bundle")
    done = export("bundle.zip")
    done.path.write_bytes(done.path.read_bytes()[:200])
    assert "malformed" in verify(done.path)[1]
    assert "missing" in verify(tmp_path / "nothing")[1]


def test_leaves_carry_their_event_ids(filled: World, export: Callable[..., Export]) -> None:
    rows = _rows(export())
    assert [row["index"] for row in rows] == list(range(24))
    assert all(Leaf("", leaf_hash(row["leaf"].encode())).hash.hex() == row["hash"] for row in rows)
