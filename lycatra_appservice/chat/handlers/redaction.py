"""Something is taken back: what it asked for stops at once, and what is known of it goes."""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.asking import is_redacted
from lycatra_appservice.chat.brought_along import BroughtAlong
from lycatra_appservice.chat.handlers.reaction import pick_of
from lycatra_appservice.chat.originals import Originals
from lycatra_appservice.chat.retraction import FORGET
from lycatra_appservice.chat.rewording import Rewording
from lycatra_appservice.matrix.events import age_of, is_id, mapping
from lycatra_appservice.model import JSON, EventID, LaneKind, Outgoing, RoomID
from lycatra_appservice.turns.inbox import Inbox
from lycatra_appservice.turns.known import KnownTurn, KnownTurns
from lycatra_appservice.turns.records import Trigger, lane_of_job
from lycatra_appservice.turns.revisions import Revisions
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.text import Said

logger = logging.getLogger(__name__)


class Votes(Protocol):
    """Hears of what was taken back."""

    async def take_back(self, event_id: EventID) -> None:
        """It may have been a vote, or a card."""

    async def goes_on(self, turn: Turn, trigger_id: str, said: Said) -> Sequence[Outgoing]:
        """Say this, once, if the change that a turn makes has begun."""


class Unread(Protocol):
    """Events that nobody could read yet."""

    async def is_waiting(self, event_id: EventID) -> bool:
        """Whether this is one of them."""

    async def redact(self, event_id: EventID) -> None:
        """Never read it."""


class RedactionHandler:
    """Follows redactions of what people asked, and of what we said.

    Says nothing itself, unless a change has begun that goes on all the same.
    """

    def __init__(
        self,
        known: KnownTurns,
        originals: Originals,
        revisions: Revisions,
        rewording: Rewording,
        votes: Votes,
        inbox: Inbox,
        brought: BroughtAlong,
        unread: Unread | None = None,
    ) -> None:
        """`unread` is what waits for its key, where encrypted rooms are read."""
        self._known = known
        self._originals = originals
        self._revisions = revisions
        self._rewording = rewording
        self._votes = votes
        self._inbox = inbox
        self._brought = brought
        self._unread = unread

    async def handle(self, turn: Turn, event: Mapping[str, JSON]) -> Sequence[Outgoing]:
        """Stop it, and have it forgotten in a turn of its own, which may wait."""
        redacted = _redacted(event)
        if redacted is None:
            return ()
        await self._forget_unread(event, redacted)
        known = await self._known.find(redacted)
        if known is None and not await self._concerns_us(redacted):
            return ()
        room_id = RoomID(event["room_id"])
        if not await self._is_honest(event, known, redacted):
            logger.info("redaction_ignored", extra={"room_id": room_id, "sender": event["sender"]})
            return ()
        for trigger_id in (redacted, pick_of(redacted)):
            await self._revisions.cancel(trigger_id)
        await self._brought.ask_anew(redacted)
        await self._votes.take_back(redacted)
        age = age_of(event, turn.input["age_ms"], turn.created_at_ms)
        reworded = await self._rewording.back(redacted, room_id, age)
        goes_on = await self._votes.goes_on(turn, redacted, messages.removed_after_start())
        await self._inbox.store([_forget(redacted, room_id, words_of=reworded)])
        return goes_on

    async def _forget_unread(self, event: Mapping[str, JSON], redacted: EventID) -> None:
        unread = self._unread
        if unread is None or not await unread.is_waiting(redacted):
            return
        if await self._is_gone(event, redacted):
            await unread.redact(redacted)

    async def _concerns_us(self, redacted: EventID) -> bool:
        """Whether we have said it, or a question brought it along."""
        if await self._known.find_message(redacted) is not None:
            return True
        return await self._brought.knows(redacted)

    async def _is_honest(
        self, event: Mapping[str, JSON], known: KnownTurn | None, redacted: EventID
    ) -> bool:
        """Its author may always; of others only the homeserver can tell, which knows who may."""
        original = mapping(known.input.get("event")) if known is not None else {}
        if all(original.get(key) == event[key] for key in ("sender", "room_id")):
            return True
        return await self._is_gone(event, redacted)

    async def _is_gone(self, event: Mapping[str, JSON], redacted: EventID) -> bool:
        present = await self._originals.fetch(RoomID(event["room_id"]), redacted)
        return present is not None and is_redacted(present)


def _redacted(event: Mapping[str, JSON]) -> EventID | None:
    """Since room version 11 it stands in the content."""
    inside = mapping(event.get("content")).get("redacts")
    redacted = inside if is_id(inside) else event.get("redacts")
    return EventID(redacted) if is_id(redacted) else None


def _forget(redacted: EventID, room_id: RoomID, *, words_of: str | None) -> Trigger:
    return Trigger(
        id=f"{FORGET}:{redacted}",
        lane=lane_of_job(f"{FORGET}|{redacted}"),
        kind=LaneKind.JOB,
        input=json.dumps({"room_id": room_id, "words_of": words_of}),
    )
