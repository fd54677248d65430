"""Accounts, sessions, API keys and wraps as rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from pai.adapters.storage import tables as t
from pai.adapters.storage.rows import from_row, to_row
from pai.core.identity.values import ApiKey, FailureCount, Session, SetupToken, User
from pai.core.keys.values import Factor, KeyWrap, MemberWrap
from pai.foundation.time import from_text, to_text


def stamp(moment: datetime) -> str:
    """Return the text form that all time columns use."""
    return to_text(moment)


class UserRows:
    """Implements ``core.identity.ports.UserRepository``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add(self, user: User) -> None:
        """Insert an account."""
        self._db.execute(insert(t.users), to_row(user, t.users))

    def get(self, user_id: str) -> User | None:
        """Return an account by id."""
        return self._user(t.users.c.id == user_id)

    def by_email(self, email: str) -> User | None:
        """Return an account by its lower-case address."""
        return self._user(t.users.c.email == email)

    def _user(self, where: Any) -> User | None:
        row = self._db.execute(select(t.users).where(where)).mappings().first()
        return from_row(User, row) if row else None

    def list(self) -> Sequence[User]:
        """Return all accounts, oldest first."""
        return [from_row(User, row) for row in self._db.execute(select(t.users).order_by(t.users.c.id)).mappings()]

    def update(self, user: User) -> None:
        """Replace an account."""
        self._db.execute(update(t.users).where(t.users.c.id == user.id), to_row(user, t.users))

    def add_session(self, session: Session) -> None:
        """Insert a session."""
        self._db.execute(insert(t.sessions), to_row(session, t.sessions))

    def session_by_token(self, token_hash: bytes) -> Session | None:
        """Return the session with this token hash."""
        row = self._db.execute(select(t.sessions).where(t.sessions.c.token_hash == token_hash)).mappings().first()
        return from_row(Session, row) if row else None

    def sessions(self, user_id: str | None = None) -> Sequence[Session]:
        """Return sessions that have not ended, newest first."""
        query = select(t.sessions).where(t.sessions.c.ended_at.is_(None)).order_by(t.sessions.c.id.desc())
        if user_id is not None:
            query = query.where(t.sessions.c.user_id == user_id)
        return [from_row(Session, row) for row in self._db.execute(query).mappings()]

    def touch_session(self, session_id: str, seen_at: datetime) -> None:
        """Note that a session was used."""
        self._db.execute(update(t.sessions).where(t.sessions.c.id == session_id).values(seen_at=stamp(seen_at)))

    def end_sessions(self, at: datetime, *, session_id: str | None = None, user_id: str | None = None) -> int:
        """End one session, a user's, or (with neither) all; return how many ended."""
        query = update(t.sessions).where(t.sessions.c.ended_at.is_(None)).values(ended_at=stamp(at))
        if session_id is not None:
            query = query.where(t.sessions.c.id == session_id)
        if user_id is not None:
            query = query.where(t.sessions.c.user_id == user_id)
        return int(self._db.execute(query).rowcount)

    def add_key(self, key: ApiKey) -> None:
        """Insert an API key."""
        self._db.execute(insert(t.api_keys), to_row(key, t.api_keys))

    def key(self, key_id: str) -> ApiKey | None:
        """Return an API key by id."""
        row = self._db.execute(select(t.api_keys).where(t.api_keys.c.id == key_id)).mappings().first()
        return from_row(ApiKey, row) if row else None

    def keys(self, owner_id: str | None = None) -> Sequence[ApiKey]:
        """Return API keys, newest first."""
        query = select(t.api_keys).order_by(t.api_keys.c.id.desc())
        if owner_id is not None:
            query = query.where(t.api_keys.c.owner_id == owner_id)
        return [from_row(ApiKey, row) for row in self._db.execute(query).mappings()]

    def touch_key(self, key_id: str, used_at: datetime) -> None:
        """Note that a key was used."""
        self._db.execute(update(t.api_keys).where(t.api_keys.c.id == key_id).values(used_at=stamp(used_at)))

    def revoke_keys(self, at: datetime, *, key_id: str | None = None, owner_id: str | None = None) -> int:
        """Revoke one key or an owner's; return how many were revoked."""
        query = update(t.api_keys).where(t.api_keys.c.revoked_at.is_(None)).values(revoked_at=stamp(at))
        if key_id is not None:
            query = query.where(t.api_keys.c.id == key_id)
        if owner_id is not None:
            query = query.where(t.api_keys.c.owner_id == owner_id)
        return int(self._db.execute(query).rowcount)

    def expire_keys(self, at: datetime) -> Sequence[str]:
        """Revoke the keys whose end has come, and delete what they opened content with; return their ids."""
        k = t.api_keys.c
        open_ = select(k.id, k.expires_at).where(k.revoked_at.is_(None), k.expires_at.is_not(None)).order_by(k.id)
        found = [str(key_id) for key_id, end in self._db.execute(open_) if from_text(end) <= at]
        if found:
            self._db.execute(update(t.api_keys).where(k.id.in_(found)).values(revoked_at=stamp(at)))
            w = t.member_wraps.c
            self._db.execute(delete(t.member_wraps).where(w.factor == Factor.API_KEY.value, w.factor_id.in_(found)))
        return found

    def failures(self, key: str) -> FailureCount | None:
        """Return the count of failed log-ins."""
        row = self._db.execute(select(t.login_failures).where(t.login_failures.c.key == key)).mappings().first()
        return from_row(FailureCount, row) if row else None

    def set_failures(self, count: FailureCount) -> None:
        """Insert or replace a count."""
        row = to_row(count, t.login_failures)
        self._db.execute(upsert(t.login_failures).values(row).on_conflict_do_update(index_elements=["key"], set_=row))

    def clear_failures(self, key: str) -> None:
        """Forget a count."""
        self._db.execute(delete(t.login_failures).where(t.login_failures.c.key == key))

    def add_setup_token(self, token: SetupToken) -> None:
        """Keep a one-time link; earlier ones for the address die."""
        self.remove_setup_tokens(token.email)
        self._db.execute(insert(t.setup_tokens), to_row(token, t.setup_tokens))

    def take_setup_token(self, token_hash: bytes, now: datetime) -> SetupToken | None:
        """Use a link up; return it, None when it is unknown or expired."""
        row = (
            self._db.execute(select(t.setup_tokens).where(t.setup_tokens.c.token_hash == token_hash)).mappings().first()
        )
        if row is None:
            return None
        self._db.execute(delete(t.setup_tokens).where(t.setup_tokens.c.token_hash == token_hash))
        token = from_row(SetupToken, row)
        return token if token.expires_at > now else None

    def setup_tokens(self, now: datetime) -> Sequence[SetupToken]:
        """Return the links that are still open."""
        query = select(t.setup_tokens).where(t.setup_tokens.c.expires_at > stamp(now)).order_by(t.setup_tokens.c.email)
        return [from_row(SetupToken, row) for row in self._db.execute(query).mappings()]

    def remove_setup_tokens(self, email: str) -> None:
        """Delete the links of an address."""
        self._db.execute(delete(t.setup_tokens).where(t.setup_tokens.c.email == email))

    def remove_links_by(self, user_id: str) -> None:
        """Delete the links that this account made."""
        self._db.execute(delete(t.setup_tokens).where(t.setup_tokens.c.made_by == user_id))


class WrapRows:
    """Implements ``core.keys.ports.WrapRepository``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add_member_wrap(self, wrap: MemberWrap) -> None:
        """Insert a wrap, replacing one of the same factor."""
        self.remove_member_wraps(wrap.user_id, wrap.factor, wrap.factor_id)
        self._db.execute(insert(t.member_wraps), to_row(wrap, t.member_wraps))

    def member_wrap(self, user_id: str, factor: Factor, factor_id: str = "") -> MemberWrap | None:
        """Return a member's wrap by factor."""
        w = t.member_wraps.c
        query = select(t.member_wraps).where(w.user_id == user_id, w.factor == factor.value, w.factor_id == factor_id)
        row = self._db.execute(query).mappings().first()
        return from_row(MemberWrap, row) if row else None

    def members_with(self, factor: Factor) -> frozenset[str]:
        """Return the accounts whose private key is wrapped by this kind of factor."""
        query = select(t.member_wraps.c.user_id).where(t.member_wraps.c.factor == factor.value)
        return frozenset(row[0] for row in self._db.execute(query))

    def remove_member_wraps(self, user_id: str, factor: Factor, factor_id: str = "") -> None:
        """Delete a member's wrap of one factor."""
        w = t.member_wraps.c
        self._db.execute(
            delete(t.member_wraps).where(w.user_id == user_id, w.factor == factor.value, w.factor_id == factor_id)
        )

    def add_key_wrap(self, wrap: KeyWrap) -> None:
        """Insert a data key's wrap, replacing one for the same recipient."""
        self.remove_key_wraps(wrap.resource, wrap.recipient)
        self._db.execute(insert(t.key_wraps), to_row(wrap, t.key_wraps))

    def key_wrap(self, resource: str, recipient: str) -> KeyWrap | None:
        """Return the wrap of a resource's data key for a recipient."""
        w = t.key_wraps.c
        query = select(t.key_wraps).where(w.resource == resource, w.recipient == recipient)
        row = self._db.execute(query).mappings().first()
        return from_row(KeyWrap, row) if row else None

    def recipients(self, resource: str) -> Sequence[str]:
        """Return who can open a resource."""
        query = select(t.key_wraps.c.recipient).where(t.key_wraps.c.resource == resource)
        return [row[0] for row in self._db.execute(query)]

    def resources(self, recipient: str) -> Sequence[str]:
        """Return what a recipient has a wrap for."""
        query = select(t.key_wraps.c.resource).where(t.key_wraps.c.recipient == recipient)
        return [str(row[0]) for row in self._db.execute(query.order_by(t.key_wraps.c.resource))]

    def remove_key_wraps(self, resource: str, recipient: str | None = None) -> None:
        """Delete the wraps of a resource, or one recipient's."""
        query = delete(t.key_wraps).where(t.key_wraps.c.resource == resource)
        if recipient is not None:
            query = query.where(t.key_wraps.c.recipient == recipient)
        self._db.execute(query)

    def remove_recipient(self, recipient: str) -> None:
        """Delete all wraps of a recipient."""
        self._db.execute(delete(t.key_wraps).where(t.key_wraps.c.recipient == recipient))
