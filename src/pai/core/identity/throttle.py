"""Slowing down guesses at passwords without ever locking an account for good (NIST SP 800-63B section 5.2.2).

Three counts are kept for each attempt: account and address together, the address, the account. Each leaves some attempts free,
then asks for a pause that doubles up to a cap. An attempt during a pause is refused without being counted, so nobody can extend a
pause by trying; a count is forgotten an hour after its last failure, and by a successful log-in.
"""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from pai.core.identity.ports import UserRepository
from pai.core.identity.values import FailureCount
from pai.foundation.errors import Throttled

FORGET = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Count:
    """``free`` attempts, then pauses that double from one second up to ``cap`` seconds."""

    key: str
    free: int
    cap: int
    forget: timedelta = FORGET

    def pause(self, count: int) -> timedelta:
        """Return how long after the last failure the next attempt may come."""
        over = count - self.free
        return timedelta(seconds=min(2.0 ** min(over, 30), self.cap)) if over >= 0 else timedelta(0)


def _counts(account: str, address: str) -> tuple[_Count, ...]:
    def name(kind: str, text: str) -> str:
        # Hashed: the table must not become a list of what strangers typed.
        return f"{kind}:{hashlib.sha256(text.encode()).hexdigest()[:32]}"

    return (
        _Count(name("pair", f"{account}\x00{address}"), 5, 60),
        _Count(name("address", address), 30, 60),
        # Loose on purpose: only guessing from many addresses reaches it, and its owner waits 30 seconds at most.
        _Count(name("account", account), 60, 30),
    )


@dataclass(frozen=True, slots=True)
class Guesses:
    """Guesses by somebody who has got past the first step: at ``what`` (``code``, ``password``), by ``whose``: an account, counted over
    all its log-ins together, or one session. Each has a count of its own: what is right in one place forgives nothing elsewhere, and
    wrong ones in one place make nobody wait elsewhere."""

    what: str
    whose: str

    def counts(self) -> tuple[_Count, ...]:
        """Return the one count. The pause is long because a code has only six digits: three are right at any time, so a day of
        guessing at one in a quarter of an hour finds one of 3,500 accounts."""
        return (_Count(f"{self.what}:{self.whose}", 5, 900, timedelta(days=1)),)


def admit(users: UserRepository, account: str, address: str, now: datetime) -> None:
    """Count an attempt before it is checked, so that parallel guesses count too. Raises Throttled during a pause."""
    _admit(users, _counts(account, address), now)


def admit_guess(users: UserRepository, guesses: Guesses, now: datetime) -> None:
    """As ``admit``, behind the first step. Raises Throttled during a pause."""
    _admit(users, guesses.counts(), now)


def forgive_guesses(users: UserRepository, guesses: Guesses) -> None:
    """Forget these guesses, because what was guessed at was given."""
    for count in guesses.counts():
        users.clear_failures(count.key)


def _admit(users: UserRepository, counts: tuple[_Count, ...], now: datetime) -> None:
    held = {count.key: users.failures(count.key) for count in counts}
    wait = timedelta(0)
    for count in counts:
        failures = held[count.key]
        if failures is not None and _fresh(failures, now, count.forget):
            wait = max(wait, failures.last_at + count.pause(failures.count) - now)
    if wait > timedelta(0):
        seconds = int(wait.total_seconds()) + 1
        raise Throttled(
            "too many attempts to log in", hint=f"wait {seconds} seconds, then try again", retry_after=seconds
        )
    for count in counts:
        failures = held[count.key]
        before = failures.count if failures is not None and _fresh(failures, now, count.forget) else 0
        users.set_failures(FailureCount(count.key, before + 1, now))


def _fresh(failures: FailureCount, now: datetime, forget: timedelta) -> bool:
    # A failure that is yet to come was counted before the clock was set back; waiting for it would keep everybody out.
    return timedelta(0) <= now - failures.last_at < forget


def forgive(users: UserRepository, account: str, address: str) -> None:
    """Take back a counted attempt that turned out right: people behind one address must not slow each other down."""
    pair, shared, whole = _counts(account, address)
    users.clear_failures(pair.key)
    users.clear_failures(whole.key)
    held = users.failures(shared.key)
    if held is not None:
        users.set_failures(dataclasses.replace(held, count=max(0, held.count - 1)))
