from __future__ import annotations

import hmac

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from pai.adapters.cryptography.aead import OVERHEAD, bind, derive, open_record, seal_record
from pai.foundation.errors import Corrupt

KEY = bytes(range(32))


def hkdf(key: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869, written out again from the text of the RFC."""
    pseudo = hmac.digest(salt, key, "sha256")
    block, output = b"", b""
    for number in range(1, -(-length // 32) + 1):
        block = hmac.digest(pseudo, block + info + bytes([number]), "sha256")
        output += block
    return output[:length]


def test_derive_gives_the_first_vector_of_rfc_5869() -> None:
    expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    salt, info = bytes(range(13)), bytes(range(0xF0, 0xFA))
    assert derive(b"\x0b" * 22, salt=salt, info=info, length=42).hex() == expected
    assert hkdf(b"\x0b" * 22, salt, info, 42).hex() == expected


def test_a_record_can_be_opened_from_its_description_alone() -> None:
    sealed = seal_record(KEY, b"plain", purpose="seal/audit", associated=b"row 1")
    material = hkdf(KEY, sealed[1:33], b"pai/record/1\x00seal/audit", 44)
    associated = b"\x00\x00\x00\x01\x01\x00\x00\x00\x05row 1"
    assert sealed[0] == 1
    assert AESGCM(material[:32]).decrypt(material[32:], sealed[33:], associated) == b"plain"
    assert len(sealed) == OVERHEAD + 5


@given(st.binary(max_size=200), st.binary(max_size=40))
def test_records_round_trip(plaintext: bytes, associated: bytes) -> None:
    sealed = seal_record(KEY, plaintext, purpose="p", associated=associated)
    assert open_record(KEY, sealed, purpose="p", associated=associated) == plaintext


def test_every_flipped_bit_and_every_cut_is_refused() -> None:
    sealed = seal_record(KEY, b"some plaintext", purpose="p", associated=b"a")
    for at in range(len(sealed)):
        for bit in range(8):
            changed = bytearray(sealed)
            changed[at] ^= 1 << bit
            with pytest.raises(Corrupt):
                open_record(KEY, changed, purpose="p", associated=b"a")
        with pytest.raises(Corrupt):
            open_record(KEY, sealed[:at], purpose="p", associated=b"a")
    with pytest.raises(Corrupt):
        open_record(KEY, sealed + b"\x00", purpose="p", associated=b"a")


@pytest.mark.parametrize(
    ("key", "purpose", "associated"), [(bytes(32), "p", b"a"), (KEY, "q", b"a"), (KEY, "p", b"b"), (KEY, "p", b"")]
)
def test_another_key_purpose_or_context_opens_nothing(key: bytes, purpose: str, associated: bytes) -> None:
    sealed = seal_record(KEY, b"x", purpose="p", associated=b"a")
    with pytest.raises(Corrupt):
        open_record(key, sealed, purpose=purpose, associated=associated)


def test_records_never_repeat() -> None:
    assert len({seal_record(KEY, b"same", purpose="p")[1:33] for _ in range(1000)}) == 1000


@given(st.lists(st.binary(max_size=4), max_size=4), st.lists(st.binary(max_size=4), max_size=4))
def test_binding_is_unambiguous(one: list[bytes], other: list[bytes]) -> None:
    assert (bind(*one) == bind(*other)) == (one == other)
