"""The development PKI: made once, renewed in time, shared by processes, and closed to other users."""

from __future__ import annotations

import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID

from provenance.pki import CLAIM_SIGNING, DevelopmentPki, PkiError, SigningIdentity

START = datetime(2027, 3, 1, tzinfo=UTC)


def _certificates(identity: SigningIdentity) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates((identity.chain_pem + identity.trust_pem).encode())


def _open(folder: Path, when: datetime = START) -> DevelopmentPki:
    return DevelopmentPki.open(folder, clock=lambda: when)


def test_the_chain_leads_from_the_leaf_to_the_root(identity: SigningIdentity) -> None:
    leaf, intermediate, root = _certificates(identity)
    leaf.verify_directly_issued_by(intermediate)
    intermediate.verify_directly_issued_by(root)
    root.verify_directly_issued_by(root)


def test_the_leaf_is_what_c2pa_wants_of_a_claim_signer(identity: SigningIdentity) -> None:
    leaf = _certificates(identity)[0]
    purposes = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage)
    assert set(purposes) == {ExtendedKeyUsageOID.EMAIL_PROTECTION, CLAIM_SIGNING}
    assert (usage.critical, usage.value.digital_signature, usage.value.key_cert_sign) == (True, True, False)
    assert leaf.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    assert leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc <= timedelta(days=366)


def test_the_callback_signs_for_the_leaf(identity: SigningIdentity) -> None:
    signature = identity.sign(b"claim")
    der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    key = _certificates(identity)[0].public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(der, b"claim", ec.ECDSA(hashes.SHA256()))


def test_opening_again_gives_the_same_identity(tmp_path: Path) -> None:
    assert _open(tmp_path).identity().chain_pem == _open(tmp_path).identity().chain_pem


def test_nobody_else_may_read_the_keys(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    _open(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


@pytest.mark.parametrize("days", [336, 400])
def test_a_leaf_near_or_past_its_end_is_renewed_by_the_same_root(tmp_path: Path, days: int) -> None:
    first = _open(tmp_path)
    later = START + timedelta(days=days)
    renewed = _open(tmp_path, later)
    assert renewed.expires > later + timedelta(days=300)
    assert renewed.identity().chain_pem != first.identity().chain_pem
    assert renewed.trust_pem == first.trust_pem


def test_a_leaf_with_months_left_stays(tmp_path: Path) -> None:
    assert _open(tmp_path).expires == _open(tmp_path, START + timedelta(days=200)).expires


def test_an_expired_intermediate_is_renewed_with_its_leaf(tmp_path: Path) -> None:
    first = _open(tmp_path)
    renewed = _open(tmp_path, START + timedelta(days=1900))
    assert renewed.trust_pem == first.trust_pem
    _certificates(renewed.identity())[0].verify_directly_issued_by(_certificates(renewed.identity())[1])


def test_no_certificate_outlives_its_issuer(tmp_path: Path) -> None:
    late = _open(tmp_path, START) and _open(tmp_path, START + timedelta(days=1780))
    leaf, intermediate, root = _certificates(late.identity())
    assert leaf.not_valid_after_utc <= intermediate.not_valid_after_utc <= root.not_valid_after_utc


@pytest.mark.parametrize("days", [-30, 4000])
def test_a_root_that_is_not_valid_now_is_an_error_with_a_hint(tmp_path: Path, days: int) -> None:
    _open(tmp_path)
    with pytest.raises(PkiError) as refused:
        _open(tmp_path, START + timedelta(days=days))
    assert (refused.value.code, "clock" in refused.value.hint) == ("pki_root_expired", True)


@pytest.mark.parametrize("damage", [b"", b"not a key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"])
def test_a_damaged_file_is_an_error_not_a_new_root(tmp_path: Path, damage: bytes) -> None:
    _open(tmp_path)
    (tmp_path / "root.pem").write_bytes(damage)
    with pytest.raises(PkiError) as refused:
        _open(tmp_path)
    assert refused.value.code == "pki_corrupt"


def test_a_key_of_another_certificate_is_noticed(tmp_path: Path) -> None:
    _open(tmp_path / "a")
    _open(tmp_path / "b")
    mine, other = (tmp_path / name / "leaf.pem" for name in "ab")
    certificate = mine.read_text().split("-----BEGIN PRIVATE")[0]
    mine.write_text(certificate + "-----BEGIN PRIVATE" + other.read_text().split("-----BEGIN PRIVATE")[1])
    with pytest.raises(PkiError, match="does not belong"):
        _open(tmp_path / "a")


def test_a_leaf_of_a_foreign_intermediate_is_replaced(tmp_path: Path) -> None:
    _open(tmp_path / "a")
    _open(tmp_path / "b")
    (tmp_path / "a" / "leaf.pem").write_bytes((tmp_path / "b" / "leaf.pem").read_bytes())
    leaf, intermediate, _ = _certificates(_open(tmp_path / "a").identity())
    leaf.verify_directly_issued_by(intermediate)


def test_processes_that_open_at_once_agree(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from provenance.pki import DevelopmentPki;"
        "print(DevelopmentPki.open(pathlib.Path(sys.argv[1])).identity().chain_pem)"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).resolve().parents[2],
        )
        for _ in range(4)
    ]
    chains = {process.communicate(timeout=60)[0] for process in started}
    assert len(chains) == 1
    assert b"BEGIN CERTIFICATE" in chains.pop()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith((".root", ".leaf", ".inter"))]
