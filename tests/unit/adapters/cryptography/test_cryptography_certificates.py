from __future__ import annotations

import socket
import ssl
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from pai.adapters.cryptography.certificates import TlsFiles, ensure_certificates, sealed_certificates
from pai.adapters.cryptography.keystore import KeyVault
from pai.foundation.errors import Corrupt, Invalid
from pai.foundation.redaction import Secret

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> KeyVault:
    vault = KeyVault(tmp_path_factory.mktemp("keys"))
    vault.create(Secret(b"a long passphrase for tests only"), "rfc9106-second")
    return vault


def handshake(files: TlsFiles, name: str) -> str | None:
    """Do a real TLS handshake with a client that trusts the authority only; return the protocol version."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(files.certificate, files.key, files.password.reveal())
    client = ssl.create_default_context(cafile=str(files.ca))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    ours, theirs = socket.socketpair()

    def serve() -> None:
        try:
            with server.wrap_socket(theirs, server_side=True) as connection:
                connection.recv(1)
        except OSError:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(ours, server_hostname=name) as connection:
            version = connection.version()
            connection.send(b"x")
            return version
    finally:
        ours.close()
        thread.join(5)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_a_strict_client_that_trusts_the_authority_accepts_the_server(
    vault: KeyVault, tmp_path: Path, name: str
) -> None:
    assert handshake(ensure_certificates(tmp_path, vault, now=NOW), name) == "TLSv1.3"


def test_extra_names_are_served_and_others_are_not(vault: KeyVault, tmp_path: Path) -> None:
    files = ensure_certificates(tmp_path, vault, now=NOW, extra_names=("pai.example.org",))
    assert handshake(files, "pai.example.org") == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(files, "bank.example.org")


def test_files_are_private_and_the_keys_are_not_plain(vault: KeyVault, tmp_path: Path) -> None:
    files = ensure_certificates(tmp_path, vault, now=NOW)
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        # One key is plain, of the certificate for saying that PAI is sealed: there is nothing that could open it then.
        assert (b"BEGIN PRIVATE KEY" in path.read_bytes()) == (path.name == "sealed.key")
    assert files.key.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    with pytest.raises(ssl.SSLError):
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(files.certificate, files.key, b"guess")


def test_the_authority_may_only_sign_for_our_names(vault: KeyVault, tmp_path: Path) -> None:
    files = ensure_certificates(tmp_path, vault, now=NOW)
    authority = x509.load_pem_x509_certificate(files.ca.read_bytes())
    constraints = authority.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert sorted(str(name.value) for name in constraints.value.permitted_subtrees or []) == [
        "127.0.0.1/32", "::1/128", "localhost",
    ]  # fmt: skip
    basic = authority.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (basic.ca, basic.path_length) == (True, 0)
    assert (authority.not_valid_after_utc - NOW).days in (3649, 3650)
    assert (files.expires_at - NOW).days in (396, 397)


def test_a_second_run_keeps_everything(vault: KeyVault, tmp_path: Path) -> None:
    first = ensure_certificates(tmp_path, vault, now=NOW)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    ensure_certificates(tmp_path, vault, now=NOW + timedelta(days=50))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    again = ensure_certificates(tmp_path, vault, now=NOW + timedelta(days=300))
    assert again.fingerprint == first.fingerprint
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {name for name in after if after[name] != before[name]} == {"sealed.pem", "sealed.key"}


def test_after_a_rotation_the_next_start_moves_what_is_sealed_to_the_new_key(vault: KeyVault, tmp_path: Path) -> None:
    first = ensure_certificates(tmp_path, vault, now=NOW)
    before = [(tmp_path / f"{name}.sealed").read_bytes() for name in ("ca.key", "server.password")]
    vault.rotate_keys()
    again = ensure_certificates(tmp_path, vault, now=NOW)
    assert (again.fingerprint, again.expires_at) == (first.fingerprint, first.expires_at)
    after = [(tmp_path / f"{name}.sealed").read_bytes() for name in ("ca.key", "server.password")]
    assert all(new != old for new, old in zip(after, before, strict=True))
    assert list(vault.rewrap("seal/tls", [(b"ca.key", after[0]), (b"server.password", after[1])])) == after
    ensure_certificates(tmp_path, vault, now=NOW)
    assert (tmp_path / "ca.key.sealed").read_bytes() == after[0], "nothing is written when nothing changed"


def test_the_certificate_for_being_sealed_is_of_the_authority_and_short_lived(vault: KeyVault, tmp_path: Path) -> None:
    files = ensure_certificates(tmp_path, vault, now=NOW, extra_names=("pai.example.org",))
    pem, key = sealed_certificates(tmp_path, tmp_path, ("pai.example.org",), now=NOW)
    sealed = x509.load_pem_x509_certificate(pem.read_bytes())
    sealed.verify_directly_issued_by(x509.load_pem_x509_certificate(files.ca.read_bytes()))
    assert sealed.not_valid_after_utc - NOW <= timedelta(days=90)
    assert sealed.public_key() != x509.load_pem_x509_certificate(files.certificate.read_bytes()).public_key()
    assert key.name == "sealed.key"


def test_the_server_is_renewed_before_it_expires_under_the_same_authority(vault: KeyVault, tmp_path: Path) -> None:
    first = ensure_certificates(tmp_path, vault, now=NOW)
    authority = first.ca.read_bytes()
    later = ensure_certificates(tmp_path, vault, now=NOW + timedelta(days=370))
    assert later.fingerprint != first.fingerprint
    assert later.ca.read_bytes() == authority
    assert later.expires_at > first.expires_at


def test_a_new_name_needs_a_new_authority(vault: KeyVault, tmp_path: Path) -> None:
    authority = ensure_certificates(tmp_path, vault, now=NOW).ca.read_bytes()
    files = ensure_certificates(tmp_path, vault, now=NOW, extra_names=("pai.example.org", "192.0.2.7"))
    assert files.ca.read_bytes() != authority
    assert handshake(files, "192.0.2.7") == "TLSv1.3"


@pytest.mark.parametrize("lost", ["ca.key.sealed", "ca.pem", "server.pem", "server.key", "server.password.sealed"])
def test_files_that_a_crash_lost_are_made_again(vault: KeyVault, tmp_path: Path, lost: str) -> None:
    ensure_certificates(tmp_path, vault, now=NOW)
    (tmp_path / lost).unlink()
    assert handshake(ensure_certificates(tmp_path, vault, now=NOW), "localhost") == "TLSv1.3"


def test_a_changed_authority_key_is_corrupt(vault: KeyVault, tmp_path: Path) -> None:
    ensure_certificates(tmp_path, vault, now=NOW)
    sealed = bytearray((tmp_path / "ca.key.sealed").read_bytes())
    sealed[50] ^= 1
    (tmp_path / "ca.key.sealed").write_bytes(sealed)
    with pytest.raises(Corrupt):
        ensure_certificates(tmp_path, vault, now=NOW)


@pytest.mark.parametrize("name", ["", "a b", "-", "a..b", "x" * 64, "ü.example", "*.example.org", "a/b"])
def test_what_is_no_host_name_is_refused(vault: KeyVault, tmp_path: Path, name: str) -> None:
    with pytest.raises(Invalid):
        ensure_certificates(tmp_path, vault, now=NOW, extra_names=(name,))
