"""Keys and certificates for signing Content Credentials: the identity that signs, and a PKI for development.

In production a `SigningIdentity` wraps a KMS or HSM: its `sign` callback sends the bytes there and no private
key is ever in this process. `DevelopmentPki` makes a root, an intermediate and a claim-signing leaf on disk,
so that a fresh installation signs and verifies by itself. Nobody else trusts its root.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeGuard

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# C2PA 2.4, "Credential types": a claim-signing certificate names this purpose.
CLAIM_SIGNING = x509.ObjectIdentifier("1.3.6.1.4.1.62558.2.1")
ROOT_DAYS = 3650
INTERMEDIATE_DAYS = 1825
# Verifiers refuse claim-signing leaves that live longer than 366 days.
LEAF_DAYS = 365
RENEW_BEFORE = timedelta(days=30)
# Certificates start a little in the past, so that a verifier whose clock is slow accepts them.
CLOCK_SLACK = timedelta(minutes=10)

Clock = Callable[[], datetime]


class PkiError(Exception):
    """The signing keys cannot be used. `code` is stable; `hint` says what would help."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.hint = code, message, hint


@dataclass(frozen=True, slots=True)
class SigningIdentity:
    """Who signs: `chain_pem` leaf first then intermediates, `trust_pem` the root(s) that verify it.

    `sign` takes the bytes to sign and returns an ECDSA P-256 SHA-256 signature, raw r‖s (64 bytes) or DER.
    """

    chain_pem: str
    sign: Callable[[bytes], bytes]
    trust_pem: str


@dataclass(frozen=True, slots=True)
class _Holder:
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def pem(self) -> bytes:
        key = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return self.certificate.public_bytes(serialization.Encoding.PEM) + key


class DevelopmentPki:
    """A root, an intermediate and a claim-signing leaf in a folder, made when first opened and renewed in time.

    Private keys lie in the folder unencrypted with mode 0600: for development and demonstration only.
    """

    def __init__(self, root: x509.Certificate, intermediate: x509.Certificate, leaf: _Holder) -> None:
        self._root, self._intermediate, self._leaf = root, intermediate, leaf

    @classmethod
    def open(cls, folder: Path, *, clock: Clock = lambda: datetime.now(UTC)) -> DevelopmentPki:
        """Load the PKI in `folder`, creating or renewing what is missing or about to expire.

        Each certificate is written together with its key in one atomic step, under a lock that other
        processes respect. Raises `PkiError` where the folder holds something unreadable or the root itself
        has expired.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        now = clock()
        with _locked(folder):
            root = _load(folder / "root.pem") or _save(folder / "root.pem", _make_root(now))
            if not _current(root.certificate, now):
                raise PkiError(
                    "pki_root_expired",
                    "the development root certificate is not valid now",
                    f"Check the clock, or move {folder} away; files signed so far then lose their trust.",
                )
            intermediate = _load(folder / "intermediate.pem")
            if not _usable(intermediate, root, now):
                intermediate = _save(folder / "intermediate.pem", _make_intermediate(root, now))
            leaf = _load(folder / "leaf.pem")
            if not _usable(leaf, intermediate, now):
                leaf = _save(folder / "leaf.pem", _make_leaf(intermediate, now))
            _write(folder / "trust.pem", root.certificate.public_bytes(serialization.Encoding.PEM))
        return cls(root.certificate, intermediate.certificate, leaf)

    @property
    def trust_pem(self) -> str:
        """The root certificate, PEM: what a verifier has to trust."""
        return _pem(self._root)

    @property
    def expires(self) -> datetime:
        """When the claim-signing certificate expires, in UTC; opening the PKI again within 30 days renews it."""
        return self._leaf.certificate.not_valid_after_utc

    def identity(self) -> SigningIdentity:
        """Return the identity that signs with the leaf's key."""
        chain = _pem(self._leaf.certificate) + _pem(self._intermediate)
        return SigningIdentity(chain, self._sign, self.trust_pem)

    def _sign(self, data: bytes) -> bytes:
        r, s = decode_dss_signature(self._leaf.key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _current(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc


def _usable(holder: _Holder | None, issuer: _Holder, now: datetime) -> TypeGuard[_Holder]:
    """Return whether a certificate was issued by `issuer`, is valid, and stays so beyond the time to renew."""
    if holder is None or not _current(holder.certificate, now):
        return False
    try:
        holder.certificate.verify_directly_issued_by(issuer.certificate)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return holder.certificate.not_valid_after_utc - now > RENEW_BEFORE


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Assent development (not for production)"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _key_usage(*, signs_documents: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs_documents,
        content_commitment=signs_documents,
        key_cert_sign=not signs_documents,
        crl_sign=not signs_documents,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _issue(
    name: str,
    days: int,
    now: datetime,
    issuer: _Holder | None,
    extensions: list[tuple[x509.ExtensionType, bool]],
) -> _Holder:
    """Return a new P-256 key and its certificate by `issuer` or itself, which never outlives the issuer."""
    key = ec.generate_private_key(ec.SECP256R1())
    end = now + timedelta(days=days)
    if issuer is not None:
        end = min(end, issuer.certificate.not_valid_after_utc)
    signer = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(issuer.certificate.subject if issuer else _name(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SLACK)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return _Holder(builder.sign(signer, hashes.SHA256()), key)


def _make_root(now: datetime) -> _Holder:
    constraints = x509.BasicConstraints(ca=True, path_length=1)
    usage = _key_usage(signs_documents=False)
    return _issue("Assent development root", ROOT_DAYS, now, None, [(constraints, True), (usage, True)])


def _make_intermediate(root: _Holder, now: datetime) -> _Holder:
    constraints = x509.BasicConstraints(ca=True, path_length=0)
    usage = _key_usage(signs_documents=False)
    name = "Assent development intermediate"
    return _issue(name, INTERMEDIATE_DAYS, now, root, [(constraints, True), (usage, True)])


def _make_leaf(intermediate: _Holder, now: datetime) -> _Holder:
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION, CLAIM_SIGNING])
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_key_usage(signs_documents=True), True),
        (purposes, False),
    ]
    return _issue("Assent development claim signer", LEAF_DAYS, now, intermediate, extensions)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; it ends with the process that holds it, however that ends."""
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _load(path: Path) -> _Holder | None:
    """Return the certificate and key in a file, None where there is no file; `PkiError` where it is not ours."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        key = serialization.load_pem_private_key(data[data.index(b"-----BEGIN PRIVATE KEY") :], None)
        certificate = x509.load_pem_x509_certificate(data)
    except ValueError as error:
        raise PkiError("pki_corrupt", f"{path} does not hold a certificate and its key", f"Remove {path}.") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise PkiError("pki_corrupt", f"the key in {path} does not belong to its certificate", f"Remove {path}.")
    return _Holder(certificate, key)


def _save(path: Path, holder: _Holder) -> _Holder:
    _write(path, holder.pem())
    return holder


def _write(path: Path, data: bytes) -> None:
    """Write a file of mode 0600 in one atomic step: readers see the old content or the new, never a part."""
    if path.exists() and path.read_bytes() == data:
        return
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp makes it 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
