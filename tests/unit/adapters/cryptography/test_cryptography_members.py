from __future__ import annotations

import contextlib

import pytest
from argon2.profiles import RFC_9106_HIGH_MEMORY, RFC_9106_LOW_MEMORY
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from hypothesis import given
from hypothesis import strategies as st

from pai.adapters.cryptography import passphrase
from pai.adapters.cryptography.members import (
    OpenMember,
    new_member_key,
    password_keys,
    unwrap_data_key,
    unwrap_member,
    verifier_matches,
    wrap_data_key,
    wrap_member,
)
from pai.foundation.errors import Corrupt, Invalid
from pai.foundation.redaction import Secret

KEY = bytes(range(32))


def test_profiles_are_those_of_rfc_9106() -> None:
    for name, published in (("rfc9106-first", RFC_9106_HIGH_MEMORY), ("rfc9106-second", RFC_9106_LOW_MEMORY)):
        ours = passphrase.profile_named(name)
        assert (ours.memory, ours.passes, ours.lanes) == (
            published.memory_cost,
            published.time_cost,
            published.parallelism,
        )


@pytest.mark.real_argon2
def test_stretching_agrees_with_another_implementation() -> None:
    profile = passphrase.PASSWORD_PROFILE
    other = Argon2id(
        salt=bytes(16), length=32, iterations=profile.passes, lanes=profile.lanes, memory_cost=profile.memory
    )
    assert passphrase.stretch(Secret(b"password"), bytes(16), profile) == other.derive(b"password")


@given(st.binary(min_size=20, max_size=20))
def test_recovery_codes_round_trip_however_they_are_typed(secret: bytes) -> None:
    code = passphrase.format_recovery_code(secret)
    text = code.reveal().decode()
    assert len(text) == 44
    assert [len(group) for group in text.split("-")] == [4] * 9
    for typed in (text, text.lower(), text.replace("-", ""), text.replace("-", " ") + "\n", text.replace("0", "o")):
        assert passphrase.read_recovery_code(Secret(typed.encode())) == secret
    assert passphrase.read_recovery_code(Secret(text.replace("1", "l").encode())) == secret


@given(st.binary(min_size=20, max_size=20), st.data())
def test_a_mistyped_character_is_told(secret: bytes, data: st.DataObject) -> None:
    characters = list(passphrase.format_recovery_code(secret).reveal().decode().replace("-", ""))
    at = data.draw(st.integers(0, 35))
    old = characters[at]
    characters[at] = data.draw(st.sampled_from([c for c in "0123456789ABCDEFGHJKMNPQRSTVWXYZ" if c != old]))
    typed = "".join(characters).encode()
    # 20 bits of checksum: one wrong code in a million passes for well-typed, and then opens nothing.
    with contextlib.suppress(Invalid):
        assert passphrase.read_recovery_code(Secret(typed)) != secret


def test_a_typing_error_is_told_without_the_code() -> None:
    typed = b"0123-4567-89AB-CDEF-GHJK-MNPQ-RSTV-WXYZ-0000"
    with pytest.raises(Invalid) as refused:
        passphrase.read_recovery_code(Secret(typed))
    assert refused.value.code == "recovery_code_typo"
    assert "0123" not in refused.value.message


@pytest.mark.parametrize("typed", [b"", b"ABCD", b"U" * 36, b"0" * 37, b"\xff" * 36, "ß".encode() * 36])
def test_what_is_no_recovery_code_is_told(typed: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        passphrase.read_recovery_code(Secret(typed))
    assert refused.value.code == "recovery_code_typo"


def test_verifier_and_wrapping_key_tell_nothing_of_each_other() -> None:
    keys = password_keys(KEY, bytes(16))
    assert keys.verifier != keys.wrapping_key
    assert verifier_matches(keys, keys.verifier)
    assert not verifier_matches(keys, keys.wrapping_key)
    assert not verifier_matches(keys, b"")
    assert "wrapping_key=" not in repr(keys)


def test_a_changed_member_wrap_never_opens() -> None:
    member, _ = new_member_key("usr_1")
    wrap = wrap_member(member, KEY, factor="password", bound_to="usr_1")
    assert unwrap_member(wrap, KEY, factor="password", bound_to="usr_1") == member
    for at in range(len(wrap)):
        changed = wrap[:at] + bytes([wrap[at] ^ 0x40]) + wrap[at + 1 :]
        with pytest.raises(Corrupt):
            unwrap_member(changed, KEY, factor="password", bound_to="usr_1")
    for factor, bound in (("recovery", "usr_1"), ("password", "usr_2")):
        with pytest.raises(Corrupt):
            unwrap_member(wrap, KEY, factor=factor, bound_to=bound)


def test_a_changed_data_key_wrap_never_opens() -> None:
    member, public = new_member_key("usr_1")
    wrap = wrap_data_key(KEY, "collection:c", public)
    assert unwrap_data_key(member, "collection:c", wrap) == KEY
    for at in range(len(wrap)):
        changed = wrap[:at] + bytes([wrap[at] ^ 0x01]) + wrap[at + 1 :]
        with pytest.raises(Corrupt):
            unwrap_data_key(member, "collection:c", changed)
        with pytest.raises(Corrupt):
            unwrap_data_key(member, "collection:c", wrap[:at])
    with pytest.raises(Corrupt):
        unwrap_data_key(member, "collection:c", wrap + b"\x00")


def test_wiping_overwrites_and_showing_hides() -> None:
    member = OpenMember("usr_1", bytearray(b"k" * 32))
    assert "kkkk" not in repr(member)
    member.wipe()
    assert member.private_key == bytearray(32)
