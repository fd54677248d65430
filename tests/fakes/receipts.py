"""What makes receipts, with the key and the policies of no installation."""

from __future__ import annotations

from pai.core.audit.receipts import Receipts

RECEIPTS = Receipts("pai-models+00000000+AAAA", "ab" * 32)
