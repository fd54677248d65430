"""TLS of this installation: a local certificate authority and the server certificate (ECDSA P-256, RFC 5280).

The authority may only sign for the names it was made for (critical name constraints), so trusting it on a device does
not trust it for the rest of the web. Its key is sealed; the server's key is an encrypted PKCS #8 file whose random
password is sealed. A second certificate, with a key that is not encrypted, is for saying that PAI is sealed.
"""

from __future__ import annotations

import contextlib
import ipaddress
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pai.adapters.cryptography.files import sweep, write_whole
from pai.core.keys.ports import Keystore
from pai.foundation.errors import Corrupt, Invalid
from pai.foundation.redaction import Secret

STANDARD_NAMES: Final = ("localhost", "127.0.0.1", "::1")
CA_DAYS: Final = 3650
SERVER_DAYS: Final = 397
SEALED_DAYS: Final = 90
RENEW_DAYS: Final = 30
_BACKDATE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What a server needs.

    ``certificate`` holds the chain; ``password`` opens ``key``; ``ca`` is what clients trust.
    """

    ca: Path
    certificate: Path
    key: Path
    password: Secret
    expires_at: datetime
    fingerprint: str


def ensure_certificates(
    folder: Path, keystore: Keystore, *, now: datetime, extra_names: Sequence[str] = ()
) -> TlsFiles:
    """Return the TLS files of ``folder``; make or renew what is missing, ends within 30 days or has other names.

    The authority is kept as long as it may sign for all names; else a new one is made, which clients must trust anew.
    """
    names = _all(extra_names)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    sweep(folder)
    _to_newest_key(folder, keystore)
    authority = _read_authority(folder, keystore, names, now)
    if authority is None:
        authority = _make_authority(folder, keystore, names, now)
    _ensure_sealed(folder, authority, names, now)
    found = _read_server(folder, keystore, authority[0], names, now)
    return found or _make_server(folder, keystore, authority, names, now)


def _to_newest_key(folder: Path, keystore: Keystore) -> None:
    """Move what is sealed here to the newest version of its key. Rotation reaches it at the next start; one that does not open is left
    for the readers, which tell what to do."""
    for name in ("ca.key", "server.password"):
        path = folder / f"{name}.sealed"
        with contextlib.suppress(FileNotFoundError, Corrupt):
            held = path.read_bytes()
            (new,) = keystore.rewrap("seal/tls", [(name.encode(), held)])
            if new != held:
                write_whole(path, [new])


def sealed_certificates(folder: Path, spare: Path, names: Sequence[str], *, now: datetime) -> tuple[Path, Path]:
    """Return (certificate, key) for serving while sealed, when no sealed key can be opened. Where an older release left none, they are
    made anew in ``spare`` for this one time, signed by nobody.
    """
    if (folder / "sealed.pem").exists() and (folder / "sealed.key").exists():
        return folder / "sealed.pem", folder / "sealed.key"
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "PAI, sealed")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(now + timedelta(days=SEALED_DAYS))
        .add_extension(x509.SubjectAlternativeName([_general_name(one) for one in _all(names)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_whole(spare / "sealed.key", [_plain(key)])
    write_whole(spare / "sealed.pem", [certificate.public_bytes(serialization.Encoding.PEM)])
    return spare / "sealed.pem", spare / "sealed.key"


def _all(names: Sequence[str]) -> tuple[str, ...]:
    return (*STANDARD_NAMES, *(name for name in names if name not in STANDARD_NAMES))


_Authority = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def _make_authority(folder: Path, keystore: Keystore, names: Sequence[str], now: datetime) -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "PAI"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"PAI local authority {secrets.token_hex(4)}"),
        ]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(now + timedelta(days=CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .add_extension(x509.NameConstraints([_constraint(name) for name in names], None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_whole(folder / "ca.key.sealed", [keystore.seal("tls", b"ca.key", private)])
    write_whole(folder / "ca.pem", [certificate.public_bytes(serialization.Encoding.PEM)])
    return certificate, key


def _ensure_sealed(folder: Path, authority: _Authority, names: Sequence[str], now: datetime) -> None:
    """Keep a certificate whose key is not encrypted, so that a sealed PAI can say so. It is valid for a short time."""
    try:
        found = x509.load_pem_x509_certificate((folder / "sealed.pem").read_bytes())
        key = serialization.load_pem_private_key((folder / "sealed.key").read_bytes(), None)
        found.verify_directly_issued_by(authority[0])
        good = found.not_valid_after_utc - timedelta(days=RENEW_DAYS) > now and key.public_key() == found.public_key()
        if good and set(_names_of(found)) == {_general_name(name) for name in names}:
            return
    except (FileNotFoundError, ValueError, TypeError, x509.InvalidVersion, InvalidSignature):
        pass  # it is made again
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _issue(authority, key, names, now, SEALED_DAYS)
    write_whole(folder / "sealed.key", [_plain(key)])
    write_whole(
        folder / "sealed.pem", [one.public_bytes(serialization.Encoding.PEM) for one in (certificate, authority[0])]
    )


def _plain(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _issue(
    authority: _Authority, key: ec.EllipticCurvePrivateKey, names: Sequence[str], now: datetime, days: int
) -> x509.Certificate:
    ca, ca_key = authority
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]))
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(min(now + timedelta(days=days), ca.not_valid_after_utc))
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def _make_server(
    folder: Path, keystore: Keystore, authority: _Authority, names: Sequence[str], now: datetime
) -> TlsFiles:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _issue(authority, key, names, now, SERVER_DAYS)
    password = secrets.token_urlsafe(32).encode()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password),
    )
    # The certificate comes last: files that do not belong together (after a crash) are found out and made again.
    write_whole(folder / "server.password.sealed", [keystore.seal("tls", b"server.password", password)])
    write_whole(folder / "server.key", [private])
    chain = [one.public_bytes(serialization.Encoding.PEM) for one in (certificate, authority[0])]
    write_whole(folder / "server.pem", chain)
    return _files(folder, Secret(password), certificate)


def _read_authority(folder: Path, keystore: Keystore, names: Sequence[str], now: datetime) -> _Authority | None:
    try:
        certificate = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
        sealed = (folder / "ca.key.sealed").read_bytes()
    except FileNotFoundError:
        return None
    except ValueError:
        raise Corrupt(
            "the certificate of the local authority cannot be read", hint="remove tls/ and trust the new one"
        ) from None
    key = serialization.load_der_private_key(keystore.unseal("tls", b"ca.key", sealed), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        return None  # a crash between the two files: the authority was never handed to anyone
    if certificate.not_valid_after_utc - timedelta(days=RENEW_DAYS) < now or not _may_sign(certificate, names):
        return None
    return certificate, key


def _read_server(
    folder: Path, keystore: Keystore, ca: x509.Certificate, names: Sequence[str], now: datetime
) -> TlsFiles | None:
    try:
        certificate = x509.load_pem_x509_certificate((folder / "server.pem").read_bytes())
        encrypted = (folder / "server.key").read_bytes()
        password = keystore.unseal("tls", b"server.password", (folder / "server.password.sealed").read_bytes())
        key = serialization.load_pem_private_key(encrypted, password)
        certificate.verify_directly_issued_by(ca)
    except (FileNotFoundError, Corrupt, ValueError, TypeError, x509.InvalidVersion, InvalidSignature):
        return None  # missing, or files that do not belong together: they are made again
    fresh = certificate.not_valid_after_utc - timedelta(days=RENEW_DAYS) > now
    same = set(_names_of(certificate)) == {_general_name(name) for name in names}
    if not (fresh and same and key.public_key() == certificate.public_key()):
        return None
    return _files(folder, Secret(password), certificate)


def _files(folder: Path, password: Secret, certificate: x509.Certificate) -> TlsFiles:
    return TlsFiles(
        ca=folder / "ca.pem",
        certificate=folder / "server.pem",
        key=folder / "server.key",
        password=password,
        expires_at=certificate.not_valid_after_utc.astimezone(UTC),
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
    )


def _names_of(certificate: x509.Certificate) -> list[x509.GeneralName]:
    return list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)


def _may_sign(ca: x509.Certificate, names: Sequence[str]) -> bool:
    try:
        allowed = ca.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    except x509.ExtensionNotFound:
        return False
    return all(_constraint(name) in allowed for name in names)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(_dns(name))


def _constraint(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_network(name))  # one address: /32 or /128
    except ValueError:
        return x509.DNSName(_dns(name))


def _dns(name: str) -> str:
    labels = name.split(".")
    plain = all(len(label) <= 63 and label.replace("-", "").isalnum() and label == label.strip("-") for label in labels)
    if not name.isascii() or not plain or len(name) > 253:
        raise Invalid(f"{name[:80]!r} is no host name", code="bad_host_name", hint="use a name such as pai.example.org")
    return name.lower()


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
