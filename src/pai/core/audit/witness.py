"""A witness: a second party, elsewhere, that co-signs a log only while it grows (C2SP tlog-cosignature).

It keeps the newest checkpoint that it co-signed. A log that comes back shorter, or with another past, as after its whole disk was put
back, is refused and remembered.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pai.core.audit import notes, tree
from pai.core.audit.ports import WitnessStore
from pai.core.audit.values import Alarm, Standing
from pai.foundation.errors import Corrupt, Invalid


@dataclass(frozen=True, slots=True)
class Witness:
    """Use cases of a witness."""

    store: WitnessStore
    verify: notes.Verify
    now: Callable[[], datetime]

    def cosign(self, shown: Mapping[str, Any]) -> str:
        """Return the checkpoint ``new`` of a proof of consistency (docs/audit.md) with the signature of this witness.

        The first one is taken as it is, when the log's key signed it; ``path`` and ``old`` are not needed for it. Raises Invalid for what
        is not a proof, Corrupt (``witness_signature``, ``witness_fork``, ``witness_rolled_back``) for a log that did not just grow.
        """
        known = self.store.standing()
        note, path = _read(shown)
        try:
            new = self._growth(known, note, path)
        except Corrupt as error:
            self.refused(error.code, error.message)
            raise
        stamp = int(self.now().timestamp())
        signature = self.store.sign(notes.cosignature_message(new.text, stamp))
        cosigned = notes.cosigned(note, known.name, known.public_key, stamp, signature)
        # Kept before it is given out: after a crash the witness must not co-sign another log of this size.
        self.store.keep(cosigned)
        return cosigned

    def refused(self, kind: str, reason: str) -> None:
        """Remember that a log did not just grow."""
        self.store.alarm(Alarm(self.now(), kind, reason))

    def _growth(self, known: Standing, note: str, path: Sequence[bytes]) -> notes.SignedNote:
        name, _, public = notes.read_verifier_key(known.log_key)
        new = notes.parse(note)
        if not new.signed_by(name, public, self.verify):
            raise _no("signature", f"the checkpoint of {new.size} events is not signed by the log's key")
        if not known.latest:
            return new
        old = notes.parse(known.latest)
        if new.size < old.size:
            raise _no(
                "rolled_back", f"the log has {new.size} events, and {old.size} were co-signed: it was rolled back"
            )
        if new.origin != old.origin:
            raise _no("fork", f"this is another log: {new.origin}")
        if old.size and not tree.verify_consistency(old.size, new.size, path, old.root, new.root):
            raise _no("fork", f"the log of {old.size} events that was co-signed is not the beginning of this one")
        return new


def _no(kind: str, sentence: str) -> Corrupt:
    return Corrupt(
        sentence, code=f"witness_{kind}", hint="do not trust this log: compare it with backups and other copies"
    )


def _read(shown: Mapping[str, Any]) -> tuple[str, list[bytes]]:
    try:
        note, path = shown["new"], [base64.b64decode(one, validate=True) for one in shown.get("path", ())]
    except (KeyError, TypeError, ValueError, binascii.Error):
        note, path = None, []
    if not isinstance(note, str) or any(len(one) != 32 for one in path):
        raise Invalid("this is no proof of consistency", hint="as `pai audit prove --since NOTE` writes it")
    return note, path
