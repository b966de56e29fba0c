"""What replicas tell each other of sessions: answers, cancellations, ends and changes."""

from collections.abc import Callable
from typing import Final, Protocol

from mcp.server.subscriptions import InMemorySubscriptionBus, ServerEvent

from lycatra_appservice.mcp.here import Here
from lycatra_appservice.mcp.sessions import Session
from lycatra_appservice.model import JSON

CANCELLED: Final = -32800  # as the Language Server Protocol numbers it; MCP names no code
CANCELLED_WORDS: Final = "Request cancelled"


class Hub(Protocol):
    """Brings what reached one replica to the one that it concerns."""

    async def answer(self, session: Session, request_id: JSON, message: JSON) -> None:
        """A client has answered a question, which any replica may have asked."""

    async def cancel(self, session: Session, request_id: JSON) -> None:
        """A client gives up a call."""

    async def revoke(self, session: Session) -> None:
        """A client has ended its session."""

    async def is_revoked(self, session: Session) -> bool:
        """Whether that has happened, as far as this replica has heard."""

    async def watch(self, session: Session, uri: str, *, on: bool) -> None:
        """A client of the handshake revisions wants to hear of a resource, or no longer."""

    async def watched(self, session: Session) -> frozenset[str]:
        """Which resources those are."""

    async def publish(self, event: ServerEvent) -> None:
        """Tell all streams of all replicas that something has changed."""

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """Hear what is published; what comes back ends that."""


class LocalHub:
    """For one process that remembers nothing of an earlier one."""

    def __init__(self, here: Here) -> None:
        self._here = here
        self._bus = InMemorySubscriptionBus()
        self._revoked: dict[str, int] = {}
        self._watched: dict[str, frozenset[str]] = {}

    async def answer(self, session: Session, request_id: JSON, message: JSON) -> None:
        """See Hub."""
        self._here.answer(session.nonce, request_id, message)

    async def cancel(self, session: Session, request_id: JSON) -> None:
        """See Hub."""
        self._here.cancel(session.nonce, request_id, CANCELLED, CANCELLED_WORDS)

    async def revoke(self, session: Session) -> None:
        """See Hub."""
        self._revoked[session.nonce] = session.expires
        self._here.close_streams(session.nonce)

    async def is_revoked(self, session: Session) -> bool:
        """See Hub."""
        return session.nonce in self._revoked

    async def watch(self, session: Session, uri: str, *, on: bool) -> None:
        """See Hub."""
        before = self._watched.get(session.nonce, frozenset())
        self._watched[session.nonce] = before | {uri} if on else before - {uri}

    async def watched(self, session: Session) -> frozenset[str]:
        """See Hub."""
        return self._watched.get(session.nonce, frozenset())

    async def publish(self, event: ServerEvent) -> None:
        """See Hub."""
        await self._bus.publish(event)

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """See Hub."""
        return self._bus.subscribe(listener)
