"""Blocks of the key-value cache: who may use them again, and that nothing is left in those that nobody may.

A block holds the keys and values of ``BLOCK`` tokens. A full one may be used again for the same beginning of a prompt, by the owner who
filled it and by nobody else: its name is a keyed hash over the owner, the block before it and its tokens, so that neither an answer
nor its timing tells of another user's prompts. Blocks that are not remembered are wiped as soon as their answer ends.
"""

from __future__ import annotations

import hashlib
import secrets
from array import array
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

BLOCK: Final = 32
"""Tokens in a block: what OpenVINO's CPU plug-in lays out."""


class Blocks:
    """``count`` blocks. ``wipe`` clears the contents of a block."""

    def __init__(self, count: int, wipe: Callable[[int], None]) -> None:
        self._wipe = wipe
        self._free = list(range(count))
        self._uses = [0] * count
        self._names: dict[bytes, int] = {}
        self._of: dict[int, tuple[str, bytes]] = {}
        self._idle: OrderedDict[int, None] = OrderedDict()  # remembered and unused, the longest unused first
        self._key = secrets.token_bytes(32)  # names tell nothing to who reads this memory elsewhere

    @property
    def available(self) -> int:
        """Blocks that can be taken now."""
        return len(self._free) + len(self._idle)

    def names(self, owner: str, tokens: Sequence[int]) -> list[bytes]:
        """Return the name of every full block of a prompt; none without an owner, who shares with nobody."""
        if not owner:
            return []
        found = []
        name = hashlib.blake2b(owner.encode(), key=self._key, digest_size=16).digest()
        for start in range(0, len(tokens) - BLOCK + 1, BLOCK):
            part = array("q", tokens[start : start + BLOCK]).tobytes()
            name = hashlib.blake2b(name + part, key=self._key, digest_size=16).digest()
            found.append(name)
        return found

    def found(self, names: Sequence[bytes]) -> list[int]:
        """Return the blocks that hold the beginning of a prompt, as far as remembered, and use them."""
        blocks = []
        for name in names:
            block = self._names.get(name)
            if block is None:
                break
            self._idle.pop(block, None)
            self._uses[block] += 1
            blocks.append(block)
        return blocks

    def take(self, count: int) -> list[int]:
        """Return ``count`` empty blocks; what has not been used for longest is forgotten for them. The caller looked at ``available``."""
        while len(self._free) < count:
            block, _ = self._idle.popitem(last=False)
            self._drop(block)
        taken = [self._free.pop() for _ in range(count)]
        for block in taken:
            self._uses[block] = 1
        return taken

    def remember(self, owner: str, name: bytes, block: int) -> None:
        """Let the owner use a full block again. A block that holds the same already stays the one."""
        if name not in self._names and block not in self._of:
            self._names[name] = block
            self._of[block] = (owner, name)

    def release(self, blocks: Sequence[int]) -> None:
        """Give blocks back; those that are not remembered are wiped now."""
        for block in blocks:
            self._uses[block] -= 1
            if self._uses[block]:
                continue
            if block in self._of:
                self._idle[block] = None
            else:
                self._clear(block)

    def forget(self, owner: str) -> None:
        """Forget all blocks of an owner. Those in use are wiped when their answer has ended."""
        for block in [block for block, (whose, _) in self._of.items() if whose == owner]:
            if block in self._idle:
                del self._idle[block]
                self._drop(block)
            else:
                del self._names[self._of.pop(block)[1]]

    def _drop(self, block: int) -> None:
        del self._names[self._of.pop(block)[1]]
        self._clear(block)

    def _clear(self, block: int) -> None:
        self._wipe(block)
        self._free.append(block)
