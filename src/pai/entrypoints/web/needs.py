"""What the pages need beyond the use cases that the APIs share: browser sessions and conversations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from pai.core.conversations.values import Conversation, Message
from pai.core.identity.api_keys import ApiKeys
from pai.core.identity.values import Session, User
from pai.core.knowledge.answering import Answering
from pai.core.knowledge.collections import Collections
from pai.core.models.inference import Inference
from pai.core.ports.engine import ChatDelta
from pai.foundation.actor import Actor
from pai.foundation.redaction import Secret


class OpenedSession(Protocol):
    """A session that was just begun. ``token`` goes into the cookie and nowhere else."""

    @property
    def session(self) -> Session: ...
    @property
    def token(self) -> Secret: ...


class Sessions(Protocol):
    """Browser sessions: begun by a password, ended by anyone who may, dead at once when ended."""

    async def log_in(self, email: str, password: Secret, *, agent: str, address: str) -> OpenedSession:
        """Begin a session. Raises Unauthenticated (one sentence for every reason), Throttled, Sealed."""
        ...

    def csrf(self, token: str) -> str:
        """Return the CSRF token that belongs to a session's cookie."""
        ...

    def alive(self, actor: Actor) -> bool:
        """Return whether the actor's session still stands; asked while a stream is open, so it costs nothing."""
        ...

    async def account(self, actor: Actor) -> User:
        """Return one's own account."""
        ...

    async def list(self, actor: Actor) -> Sequence[Session]:
        """Return one's own sessions, newest first."""
        ...

    async def end(self, actor: Actor, session_id: str) -> None:
        """End one of one's own sessions, the present one too. Raises NotFound."""
        ...

    async def set_up(self, token: Secret, password: Secret) -> Secret:
        """Take a one-time token, make the first administrator, return the recovery code.

        Raises Unauthenticated for a token that is not alive, Invalid for a weak password.
        """
        ...


class Turn(Protocol):
    """One answer under way. Closing ``deltas`` stops the model; what came until then is kept."""

    @property
    def conversation(self) -> Conversation: ...
    @property
    def model(self) -> str: ...
    @property
    def deltas(self) -> AsyncIterator[ChatDelta]: ...


class Conversations(Protocol):
    """One member's conversations, in their own sealed file."""

    async def list(self, actor: Actor) -> Sequence[Conversation]:
        """Return one's own conversations, the most recently used first."""
        ...

    async def show(self, actor: Actor, conversation_id: str) -> tuple[Conversation, Sequence[Message]]:
        """Return a conversation and its turns. Raises NotFound."""
        ...

    async def delete(self, actor: Actor, conversation_id: str) -> None:
        """Delete a conversation. Raises NotFound."""
        ...

    async def say(self, actor: Actor, conversation_id: str | None, text: str) -> Turn:
        """Keep what the member says (in a new conversation when None) and start the answer.

        Raises NotFound, Invalid, Unavailable.
        """
        ...


class WebServices(Protocol):
    """The use cases behind the pages."""

    @property
    def sessions(self) -> Sessions: ...
    @property
    def conversations(self) -> Conversations: ...
    @property
    def keys(self) -> ApiKeys: ...
    @property
    def collections(self) -> Collections: ...
    @property
    def answering(self) -> Answering: ...
    @property
    def inference(self) -> Inference: ...
    @property
    def ready(self) -> Callable[[], str]: ...
