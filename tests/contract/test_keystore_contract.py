"""The keystore's port, on the vault in this process and on the real process through its client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import pytest

from pai.adapters.cryptography.keystore import KeyVault
from pai.adapters.cryptography.keystore_process import start_keystore
from pai.adapters.cryptography.signatures import verify_signature
from pai.core.keys.ports import Keystore, KeystoreAdministration
from pai.core.keys.values import NewMember
from pai.foundation.errors import Conflict, Corrupt, Denied, Invalid, NotFound, PaiError, Sealed, Unauthenticated
from pai.foundation.redaction import Secret

PASSPHRASE = Secret(b"a long passphrase for tests only")
PASSWORD = Secret(b"correct horse battery staple 9")
API_KEY = Secret(b"an api key with enough entropy 0123456789")
PRF = Secret(b"\x07" * 32)
KDF = "rfc9106-second"


class FullKeystore(Keystore, KeystoreAdministration, Protocol):
    pass


Start = Callable[[Path], FullKeystore]


@pytest.fixture(params=["vault", "process"])
def start(request: pytest.FixtureRequest) -> Iterator[Start]:
    running = []

    def begin(home: Path) -> FullKeystore:
        if request.param == "vault":
            return KeyVault(home / "keys")
        process = start_keystore(home, {"LANG": "C.UTF-8"})
        running.append(process)
        return process.client

    yield begin
    for process in running:
        process.stop()


@dataclass
class Opened:
    keystore: FullKeystore
    home: Path
    code: Secret


@pytest.fixture
def opened(start: Start, tmp_path: Path) -> Opened:
    keystore = start(tmp_path)
    return Opened(keystore, tmp_path, keystore.create(PASSPHRASE, KDF))


@pytest.fixture
def keystore(opened: Opened) -> FullKeystore:
    return opened.keystore


@pytest.fixture
def owner(keystore: FullKeystore) -> NewMember:
    return keystore.new_member("usr_owner", PASSWORD, console=True)


@pytest.fixture
def stranger(keystore: FullKeystore) -> NewMember:
    return keystore.new_member("usr_stranger", PASSWORD, console=False)


def unlock(keystore: Keystore, user_id: str, member: NewMember, password: Secret = PASSWORD) -> str:
    return keystore.unlock_with_password(
        user_id, password, salt=member.password_salt, verifier=member.password_verifier, wrap=member.password_wrap
    )


def test_a_home_without_keys_is_not_created_and_everything_else_is_sealed(start: Start, tmp_path: Path) -> None:
    keystore = start(tmp_path)
    assert not keystore.status().created
    with pytest.raises(NotFound) as none:
        keystore.open(PASSPHRASE)
    assert none.value.code == "no_keystore"
    for call in (
        keystore.database_key,
        lambda: keystore.seal("audit", b"", b"x"),
        lambda: keystore.sign("checkpoint", b"x"),
        lambda: keystore.new_data_key("collection:c", [bytes(32)]),
        lambda: keystore.spend_password_time(PASSWORD),
        lambda: keystore.new_member("usr_owner", PASSWORD, console=False),
        keystore.renew_recovery,
    ):
        with pytest.raises(Sealed):
            call()


def test_create_opens_and_another_process_opens_the_same_keys(opened: Opened, start: Start) -> None:
    status = opened.keystore.status()
    assert (status.created, status.opened, status.recovery_confirmed, status.kdf) == (True, True, False, KDF)
    again = start(opened.home)
    assert not again.status().opened
    again.open(PASSPHRASE)
    assert again.database_key().reveal() == opened.keystore.database_key().reveal()
    assert again.verify_key("model") == opened.keystore.verify_key("model")
    assert again.status().installation == status.installation


def test_a_wrong_passphrase_opens_nothing(opened: Opened, start: Start) -> None:
    again = start(opened.home)
    with pytest.raises(Unauthenticated) as wrong:
        again.open(Secret(b"another passphrase"))
    assert wrong.value.code == "wrong_passphrase"
    assert not again.status().opened


def test_an_interrupted_creation_can_be_run_again_until_the_code_is_confirmed(opened: Opened, start: Start) -> None:
    key = opened.keystore.database_key().reveal()
    again = start(opened.home)
    with pytest.raises(Unauthenticated):
        again.create(Secret(b"another passphrase"), KDF)
    code = again.create(PASSPHRASE, KDF)
    assert again.database_key().reveal() == key
    with pytest.raises(Unauthenticated) as old:
        again.confirm_recovery(opened.code)
    assert old.value.code == "wrong_recovery_code"
    again.confirm_recovery(code)
    assert again.status().recovery_confirmed
    with pytest.raises(Conflict):
        again.create(PASSPHRASE, KDF)


def test_the_recovery_code_opens_and_a_typing_error_is_told(opened: Opened, start: Start) -> None:
    again = start(opened.home)
    text = bytearray(opened.code.reveal())
    text[3] = ord("0") if text[3] != ord("0") else ord("1")
    with pytest.raises(Invalid) as typo:
        again.open_with_recovery(Secret(bytes(text)))
    assert typo.value.code == "recovery_code_typo"
    again.open_with_recovery(Secret(opened.code.reveal().lower().replace(b"-", b" ")))
    again.set_passphrase(Secret(b"the new passphrase"), KDF)
    third = start(opened.home)
    with pytest.raises(Unauthenticated):
        third.open(PASSPHRASE)
    third.open(Secret(b"the new passphrase"))


def test_a_renewed_recovery_code_replaces_the_old_one(opened: Opened, start: Start) -> None:
    code = opened.keystore.renew_recovery()
    again = start(opened.home)
    with pytest.raises(Unauthenticated):
        again.open_with_recovery(opened.code)
    again.open_with_recovery(code)


@pytest.mark.parametrize(("passphrase", "kdf"), [(b"short", KDF), (b"long enough for us", "md5")])
def test_weak_passphrases_and_unknown_profiles_are_refused(
    start: Start, tmp_path: Path, passphrase: bytes, kdf: str
) -> None:
    with pytest.raises(Invalid):
        start(tmp_path).create(Secret(passphrase), kdf)


def test_each_factor_opens_the_same_member_key(keystore: FullKeystore, owner: NewMember) -> None:
    data = keystore.new_data_key("collection:c", [owner.public_key])
    handle = unlock(keystore, "usr_owner", owner)
    api_wrap = keystore.wrap_for_api_key(handle, "key_1", API_KEY)
    salt, verifier, wrap = keystore.wrap_for_password(handle, "usr_owner", Secret(b"the next password"))
    assert owner.console_wrap is not None
    handles = [
        handle,
        keystore.unlock_with_api_key("key_1", API_KEY, api_wrap),
        keystore.unlock_with_passkey("psk_1", PRF, keystore.wrap_for_passkey(handle, "psk_1", PRF)),
        keystore.unlock_from_console("usr_owner", owner.console_wrap),
        keystore.unlock_from_console("usr_owner", keystore.wrap_for_console(handle, "usr_owner")),
        keystore.unlock_with_recovery("usr_owner", owner.recovery_code, owner.recovery_wrap),
        keystore.unlock_with_password(
            "usr_owner", Secret(b"the next password"), salt=salt, verifier=verifier, wrap=wrap
        ),
    ]
    assert len(set(handles)) == len(handles)
    for one in handles:
        assert keystore.open_data_key(one, "collection:c", data.wraps[0]).reveal() == data.key.reveal()
        keystore.forget(one)
        keystore.forget(one)
        with pytest.raises(Unauthenticated) as gone:
            keystore.open_data_key(one, "collection:c", data.wraps[0])
        assert gone.value.code == "not_unlocked"


def test_without_asking_there_is_no_console_wrap(stranger: NewMember) -> None:
    assert stranger.console_wrap is None


def test_wrong_secrets_open_no_member_key(keystore: FullKeystore, owner: NewMember) -> None:
    with pytest.raises(Unauthenticated) as wrong:
        unlock(keystore, "usr_owner", owner, Secret(b"guess"))
    assert wrong.value.code == "wrong_password"
    handle = unlock(keystore, "usr_owner", owner)
    wrap = keystore.wrap_for_api_key(handle, "key_1", API_KEY)
    with pytest.raises(Unauthenticated):
        keystore.unlock_with_api_key("key_1", Secret(API_KEY.reveal() + b"x"), wrap)
    with pytest.raises(Unauthenticated):
        keystore.unlock_with_api_key("key_2", API_KEY, wrap)
    with pytest.raises(Invalid):
        keystore.wrap_for_api_key(handle, "key_1", Secret(b"short"))
    prf_wrap = keystore.wrap_for_passkey(handle, "psk_1", PRF)
    for passkey, given in (("psk_1", Secret(b"\x08" * 32)), ("psk_2", PRF)):
        with pytest.raises(Unauthenticated):
            keystore.unlock_with_passkey(passkey, given, prf_wrap)
    with pytest.raises(Unauthenticated):  # what a passkey gives is no API key
        keystore.unlock_with_api_key("psk_1", PRF, prf_wrap)
    with pytest.raises(Denied):
        keystore.wrap_for_console(handle, "usr_another")
    other_code = keystore.new_member("usr_other", PASSWORD, console=False).recovery_code
    with pytest.raises(Unauthenticated):
        keystore.unlock_with_recovery("usr_owner", other_code, owner.recovery_wrap)


def test_wraps_moved_to_another_account_do_not_open(
    keystore: FullKeystore, owner: NewMember, stranger: NewMember
) -> None:
    with pytest.raises(Corrupt):
        unlock(keystore, "usr_stranger", owner)
    assert owner.console_wrap is not None
    with pytest.raises(Corrupt):
        keystore.unlock_from_console("usr_stranger", owner.console_wrap)
    with pytest.raises(Unauthenticated):
        keystore.unlock_with_recovery("usr_stranger", owner.recovery_code, owner.recovery_wrap)
    with pytest.raises(Denied):
        keystore.wrap_for_password(unlock(keystore, "usr_owner", owner), "usr_stranger", PASSWORD)


def test_a_data_key_opens_only_for_its_recipients_and_its_context(
    keystore: FullKeystore, owner: NewMember, stranger: NewMember
) -> None:
    data = keystore.new_data_key("collection:c", [owner.public_key])
    mine, other = unlock(keystore, "usr_owner", owner), unlock(keystore, "usr_stranger", stranger)
    for handle, context in ((other, "collection:c"), (mine, "collection:d"), (mine, "conversations:c")):
        with pytest.raises(Corrupt):
            keystore.open_data_key(handle, context, data.wraps[0])
    shared = keystore.share_data_key(mine, "collection:c", data.wraps[0], stranger.public_key)
    assert keystore.open_data_key(other, "collection:c", shared).reveal() == data.key.reveal()
    with pytest.raises(Corrupt):
        keystore.share_data_key(other, "collection:c", data.wraps[0], stranger.public_key)


def test_several_recipients_get_wraps_in_the_order_asked(
    keystore: FullKeystore, owner: NewMember, stranger: NewMember
) -> None:
    data = keystore.new_data_key("collection:c", [stranger.public_key, owner.public_key])
    for user, member, wrap in (("usr_stranger", stranger, data.wraps[0]), ("usr_owner", owner, data.wraps[1])):
        handle = unlock(keystore, user, member)
        assert keystore.open_data_key(handle, "collection:c", wrap).reveal() == data.key.reveal()


@pytest.mark.parametrize("recipients", [[], [b"short"], [bytes(32)]])
def test_unusable_recipients_are_refused(keystore: FullKeystore, recipients: list[bytes]) -> None:
    with pytest.raises(Invalid):
        keystore.new_data_key("collection:c", recipients)


def test_a_job_grant_is_for_one_job_and_context_and_survives_a_restart(
    opened: Opened, owner: NewMember, start: Start
) -> None:
    keystore = opened.keystore
    data = keystore.new_data_key("collection:c", [owner.public_key])
    handle = unlock(keystore, "usr_owner", owner)
    tomorrow = datetime.now(UTC) + timedelta(hours=24)
    grant = keystore.grant_to_job(handle, "collection:c", data.wraps[0], job_id="job_1", expires_at=tomorrow)
    again = start(opened.home)
    again.open(PASSPHRASE)
    assert again.open_job_grant("collection:c", grant, job_id="job_1").reveal() == data.key.reveal()
    for context, job in (("collection:c", "job_2"), ("collection:d", "job_1")):
        with pytest.raises(Unauthenticated):
            keystore.open_job_grant(context, grant, job_id=job)
    with pytest.raises(Unauthenticated):
        keystore.open_job_grant("collection:c", keystore.seal("job", b"", bytes(40)), job_id="job_1")


def test_grants_end_and_cannot_reach_far(keystore: FullKeystore, owner: NewMember) -> None:
    data = keystore.new_data_key("collection:c", [owner.public_key])
    handle = unlock(keystore, "usr_owner", owner)
    now = datetime.now(UTC)
    for expiry in (now - timedelta(seconds=1), now + timedelta(days=8)):
        with pytest.raises(Invalid) as bad:
            keystore.grant_to_job(handle, "collection:c", data.wraps[0], job_id="job_1", expires_at=expiry)
        assert bad.value.code == "bad_expiry"


@pytest.mark.parametrize("purpose", ["audit", "console", "job", "tls", "server"])
def test_sealed_records_open_for_their_purpose_and_context_only(keystore: FullKeystore, purpose: str) -> None:
    sealed = keystore.seal(purpose, b"row 1", b"plain")
    assert b"plain" not in sealed
    assert keystore.unseal(purpose, b"row 1", sealed) == b"plain"
    assert keystore.seal(purpose, b"row 1", b"plain") != sealed
    other = "audit" if purpose != "audit" else "tls"
    for wrong_purpose, associated in ((purpose, b"row 2"), (other, b"row 1")):
        with pytest.raises(Corrupt):
            keystore.unseal(wrong_purpose, associated, sealed)


def test_many_records_open_at_once_and_a_changed_one_alone_does_not(keystore: Keystore) -> None:
    rows = [(f"row {n}".encode(), f"plain {n}".encode() * (2000 if n == 150 else 1)) for n in range(330)]
    sealed = [(associated, keystore.seal("audit", associated, plain)) for associated, plain in rows]
    assert list(keystore.unseal_many("audit", sealed)) == [plain for _, plain in rows]
    sealed[7] = (sealed[7][0], sealed[7][1][:-1] + bytes([sealed[7][1][-1] ^ 1]))
    sealed[200] = (sealed[201][0], sealed[200][1])
    found = keystore.unseal_many("audit", sealed)
    assert [n for n, one in enumerate(found) if one is None] == [7, 200]
    assert list(keystore.unseal_many("audit", [])) == []
    with pytest.raises(Invalid):
        keystore.unseal_many("checkpoint", sealed[:1])


def test_unknown_purposes_are_refused(keystore: FullKeystore) -> None:
    calls: list[Callable[[], object]] = [
        lambda: keystore.seal("database", b"", b""),
        lambda: keystore.unseal("model", b"", b""),
        lambda: keystore.sign("audit", b""),
        lambda: keystore.verify_key("root"),
    ]
    for call in calls:
        with pytest.raises(Invalid) as refused:
            call()
        assert refused.value.code == "unknown_purpose"


@pytest.mark.parametrize("purpose", ["checkpoint", "model"])
def test_signatures_verify_with_the_key_of_their_purpose_only(keystore: FullKeystore, purpose: str) -> None:
    other = "model" if purpose == "checkpoint" else "checkpoint"
    signature = keystore.sign(purpose, b"message")
    assert verify_signature(keystore.verify_key(purpose), b"message", signature)
    assert not verify_signature(keystore.verify_key(purpose), b"massage", signature)
    assert not verify_signature(keystore.verify_key(other), b"message", signature)


def test_errors_and_values_never_show_a_secret(opened: Opened, owner: NewMember, start: Start) -> None:
    shown = repr(owner) + repr(opened.code) + repr(opened.keystore.status())
    again = start(opened.home)
    with pytest.raises(PaiError) as wrong:
        again.open(Secret(b"hunter2hunter2"))
    shown += f"{wrong.value!r} {wrong.value} {wrong.value.hint}"
    for secret in (b"hunter2hunter2", owner.recovery_code.reveal(), opened.code.reveal(), PASSWORD.reveal()):
        assert secret.decode() not in shown
