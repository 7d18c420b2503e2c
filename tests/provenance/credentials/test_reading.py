"""Reading credentials of files from strangers: hostile bytes, rules the engine leaves to us, and no network."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from provenance.credentials import EngineUnavailable, Ingredient, isolation, read, verify_second
from provenance.credentials.rules import problems
from provenance.pki import SigningIdentity
from tests.provenance.credentials.crafted import CREATED, signed
from tests.provenance.pictures import Pixels, encode


@pytest.fixture(scope="module")
def plain(picture: Pixels) -> bytes:
    return encode(picture)


def test_a_file_without_credentials_has_none(plain: bytes, identity: SigningIdentity) -> None:
    assert read(plain, "image/jpeg", identity.trust_pem).state == "none"
    second = verify_second(plain, "image/jpeg", identity.trust_pem)
    assert (second.state, second.valid) == ("none", False)


@pytest.mark.parametrize("data", [b"", b"text named .jpg", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
@pytest.mark.parametrize("kind", ["image/jpeg", "image/png", "image/webp"])
def test_hostile_bytes_are_never_sound(data: bytes, kind: str) -> None:
    assert not read(data, kind, None).sound
    assert not verify_second(data, kind, None).valid


def test_a_truncated_signed_file_is_not_sound(plain: bytes, identity: SigningIdentity) -> None:
    whole = signed(plain, identity)
    for length in (30, 200, 4000, len(whole) - 100):
        assert not read(whole[:length], "image/jpeg", identity.trust_pem).sound
        assert not verify_second(whole[:length], "image/jpeg", identity.trust_pem).valid


def test_two_parents_are_found_out(plain: bytes, identity: SigningIdentity) -> None:
    parents = tuple(({"title": name, "relationship": "parentOf"}, plain) for name in ("one", "two"))
    report = read(signed(plain, identity, ingredients=parents), "image/jpeg", identity.trust_pem)
    assert report.state == "Trusted"
    assert report.problems == ("assent.multipleParents",)
    assert not report.sound


def test_an_action_that_c2pa_does_not_know_is_found_out(plain: bytes, identity: SigningIdentity) -> None:
    data = signed(plain, identity, actions=[CREATED, {"action": "c2pa.beautified"}])
    report = read(data, "image/jpeg", identity.trust_pem)
    assert (report.state, report.problems) == ("Trusted", ("assent.unknownAction",))


def test_an_own_action_of_somebody_is_no_problem(plain: bytes, identity: SigningIdentity) -> None:
    data = signed(plain, identity, actions=[CREATED, {"action": "org.example.beautified"}])
    assert read(data, "image/jpeg", identity.trust_pem).sound


def test_a_tampered_ingredient_is_found_out(plain: bytes, identity: SigningIdentity) -> None:
    parent = bytearray(signed(plain, identity))
    parent[-60] ^= 1
    opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": ["parent"]}}
    ingredient = ({"title": "parent", "relationship": "parentOf", "label": "parent"}, bytes(parent))
    data = signed(plain, identity, actions=[opened], ingredients=(ingredient,))
    report = read(data, "image/jpeg", identity.trust_pem)
    assert report.state == "Trusted"
    assert report.problems == ("assent.ingredientTampered",)
    assert report.ingredients[0].failures == ("assertion.dataHash.mismatch",)


def test_an_ingredient_of_an_unknown_signer_is_no_problem() -> None:
    failure = [{"code": "signingCredential.untrusted"}]
    ingredient = {"relationship": "parentOf", "validation_results": {"activeManifest": {"failure": failure}}}
    assert problems({"ingredients": [ingredient]}) == ()


def test_failures_of_old_manifests_count_too() -> None:
    ingredient = {"relationship": "parentOf", "validation_status": [{"code": "claimSignature.mismatch"}]}
    assert problems({"ingredients": [ingredient]}) == ("assent.ingredientTampered",)


def test_a_manifest_kept_elsewhere_is_not_fetched(plain: bytes, identity: SigningIdentity) -> None:
    callers = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.3)

        def listen() -> None:
            try:
                while True:
                    connection, _ = server.accept()
                    callers.append(connection)
                    connection.close()
            except OSError:
                return

        listener = threading.Thread(target=listen)
        listener.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/manifest.c2pa"
        data = signed(plain, identity, remote_url=url)
        assert url.encode() in data
        assert not read(data, "image/jpeg", identity.trust_pem).sound
        assert not verify_second(data, "image/jpeg", identity.trust_pem).valid
        listener.join()
    assert callers == []


def _child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    path = tmp_path / "child.py"
    path.write_text(program)
    monkeypatch.setattr(isolation, "_CHILD", path)


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("import time; time.sleep(60)", "verifier_timeout"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "verifier_failed"),
        ("print('hello')", "verifier_failed"),
        ("print('{}')", "verifier_failed"),
        ("print('{\"report\": []}')", "verifier_failed"),
        ('print(\'{"report": {"state": "Trusted", "present": true}}\')', "verifier_failed"),
    ],
)
def test_an_engine_that_hangs_crashes_or_babbles_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, code: str
) -> None:
    _child(tmp_path, monkeypatch, program)
    for call in (read, verify_second):
        with pytest.raises(EngineUnavailable) as raised:
            call(b"\xff\xd8\xff", "image/jpeg", None, limit_s=1.0 if code == "verifier_timeout" else 20.0)
        assert raised.value.code == code


def test_a_second_verifier_that_went_online_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _child(tmp_path, monkeypatch, 'print(\'{"report": {"network": {"requests": [1]}}}\')')
    with pytest.raises(EngineUnavailable) as raised:
        verify_second(b"", "image/jpeg", None)
    assert raised.value.code == "verifier_went_online"


def test_the_engines_leave_nothing_in_the_home_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plain: bytes, identity: SigningIdentity
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    data = signed(plain, identity)
    read(data, "image/jpeg", identity.trust_pem)
    verify_second(data, "image/jpeg", identity.trust_pem)
    assert list(tmp_path.iterdir()) == []


def test_an_ingredients_bytes_stay_out_of_logs() -> None:
    assert "secret" not in repr(Ingredient.source(b"secret", "image/png"))
