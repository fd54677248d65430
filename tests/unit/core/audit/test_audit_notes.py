from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pai.adapters.cryptography.signatures import new_signing_seed, public_key_of, sign_message, verify_signature
from pai.core.audit import notes
from pai.foundation.errors import Corrupt

NAME = "pai.local/ins_0/audit"


def test_key_hash_and_signature_agree_with_the_known_note_of_the_go_implementation() -> None:
    # Public example of golang.org/x/mod/sumdb/note.
    key = base64.b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")[1:]
    assert notes.key_hash("PeterNeumann", key).hex() == "c74f20a3"
    text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    signature = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    blob = base64.b64decode(signature)
    assert verify_signature(key, text.encode(), blob[4:])
    assert notes.signed(text, "PeterNeumann", key, blob[4:]).endswith(f"\n\n— PeterNeumann {signature}\n")


@given(st.integers(0, 2**63), st.binary(min_size=32, max_size=32))
def test_a_checkpoint_round_trips(size: int, root: bytes) -> None:
    seed = new_signing_seed()
    key = public_key_of(seed)
    text = notes.note_text(NAME, size, root)
    note = notes.parse(notes.signed(text, NAME, key, sign_message(seed, text.encode())))
    assert (note.origin, note.size, note.root) == (NAME, size, root)
    assert note.signed_by(NAME, key, verify_signature)
    assert not note.signed_by("another", key, verify_signature)
    assert not note.signed_by(NAME, public_key_of(new_signing_seed()), verify_signature)


def test_a_witness_adds_its_signature_and_renews_it() -> None:
    log, witness, other = (new_signing_seed() for _ in range(3))
    key = public_key_of(witness)
    text = notes.note_text(NAME, 7, bytes(32))
    note = notes.signed(text, NAME, public_key_of(log), sign_message(log, text.encode()))
    for stamp in (1_700_000_000, 1_800_000_000):
        signature = sign_message(witness, notes.cosignature_message(text, stamp))
        note = notes.cosigned(note, "w.test/one", key, stamp, signature)
        parsed = notes.parse(note)
        assert len(parsed.signatures) == 2
        assert parsed.cosigned_by("w.test/one", key, verify_signature) == stamp
        assert parsed.signed_by(NAME, public_key_of(log), verify_signature)
    assert parsed.cosigned_by("w.test/one", public_key_of(other), verify_signature) is None
    assert parsed.cosigned_by("w.test/two", key, verify_signature) is None
    moved = notes.parse(note.replace("\n7\n", "\n8\n"))
    assert moved.cosigned_by("w.test/one", key, verify_signature) is None


GOOD = notes.signed(notes.note_text(NAME, 5, bytes(32)), NAME, bytes(32), bytes(64))


@pytest.mark.parametrize(
    "bad",
    [
        "",
        GOOD.replace("\n\n", "\n"),
        GOOD.replace("—", "-"),
        GOOD.replace("\n5\n", "\n-5\n"),
        GOOD.replace("\n5\n", "\n5.0\n"),
        GOOD.replace("\n5\n", "\nfive\n"),
        GOOD.replace("\n5\n", "\n05\n"),
        GOOD.replace("\n5\n", "\n\N{ARABIC-INDIC DIGIT FIVE}\n"),
        GOOD[:-20],
        GOOD.replace("AAAA", "!!!!"),
        GOOD + GOOD,
    ],
)
def test_malformed_notes_are_refused(bad: str) -> None:
    with pytest.raises(Corrupt):
        notes.parse(bad)
