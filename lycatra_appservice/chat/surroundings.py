"""What a question is asked amid: what was said before, what it replies to, what is attached."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from lycatra_appservice.agent.messages import (
    Attached,
    AttachedKind,
    Message,
    UserMessage,
    attached_from_json,
    attached_to_json,
    message_from_json,
    message_to_json,
)
from lycatra_appservice.chat.conversation import ConversationStore, conversation_of
from lycatra_appservice.chat.looking import Looking, Reason, Unseen
from lycatra_appservice.chat.memory import SURROUNDINGS, Recollection, Remembered, recall
from lycatra_appservice.chat.private_answers import PrivateAnswers
from lycatra_appservice.chat.quoting import Quoting
from lycatra_appservice.chat.room_settings import Context
from lycatra_appservice.matrix.events import mapping
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.sent_media import SentMedia, media_in
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, EventID, Inbound
from lycatra_appservice.toolkit.toolbox import Toolbox
from lycatra_appservice.turns.known import KnownTurns
from lycatra_appservice.turns.turn import Turn

_STILL_SHOWN: Final = timedelta(minutes=10)  # a picture, to the questions that follow it
_LOOKED_BACK: Final = 3  # turns


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What is journaled before a model is asked: a resumed turn asks with the very same words.

    `attached` goes with the question and is remembered with it; `again` are pictures of the
    questions just before, shown once more. `unseen` is what the person is told about. Pictures
    are without their bytes.
    """

    now: datetime
    history: Sequence[Message]
    rests_on: frozenset[str] = frozenset()
    is_private: bool = False
    attached: Sequence[Attached] = ()
    again: Sequence[Attached] = ()
    unseen: Sequence[Unseen] = ()
    went_on_from: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which surroundings: by the room's setting, and by whether a model looks at pictures."""

    context: Context
    pictures: bool


class Gathering:
    """Reads only what is of the question's own room, and what the asker may know."""

    def __init__(
        self,
        conversations: ConversationStore,
        known: KnownTurns,
        quoting: Quoting,
        looking: Looking,
        private: PrivateAnswers,
        users: VirtualUsers,
        now: Callable[[], datetime],
    ) -> None:
        self._conversations = conversations
        self._known = known
        self._quoting = quoting
        self._looking = looking
        self._private = private
        self._users = users
        self._now = now

    async def of(
        self, toolbox: Toolbox, turn: Turn, inbound: Inbound, room: RoomView, wanted: Wanted
    ) -> Surroundings:
        """All of it, journaled. Raises what is to be tried again."""

        async def read() -> JSON:
            return _to_json(await self._read(toolbox, turn, inbound, room, wanted))

        return _from_json(await turn.step(SURROUNDINGS, read))

    async def _read(
        self, toolbox: Toolbox, turn: Turn, inbound: Inbound, room: RoomView, wanted: Wanted
    ) -> Surroundings:
        now = self._now()
        went_on_from, chain = await self._replied_exchange(inbound)
        before = _with_chain(await self._before(inbound, wanted.context), chain)
        known = await self._recalled(before, toolbox, inbound)
        found = Surroundings(
            now=now,
            history=known.messages,
            rests_on=known.rests_on,
            is_private=known.is_private,
            went_on_from=went_on_from,
        )
        if wanted.pictures:
            found = _with_pictures(found, is_reply=bool(chain))
        if inbound.reply_to is not None and not chain:
            found = await self._with_quote(found, toolbox, turn, inbound, room, wanted)
        own = media_in(mapping(mapping(turn.input.get("event")).get("content")))
        if own is not None:
            found = await self._with_media(found, own, inbound.event_id, room, wanted)
        for each in (*found.attached, *found.again):
            await self._bring(each, turn)
        return found

    async def _before(self, inbound: Inbound, context: Context) -> Sequence[Remembered]:
        if context == "room":
            return await self._conversations.load_room(inbound.room_id)
        begins_anew = inbound.thread is None or inbound.thread == inbound.event_id
        if context == "replies" and begins_anew:
            return ()
        return await self._conversations.load(conversation_of(inbound))

    async def _replied_exchange(self, inbound: Inbound) -> tuple[str | None, Sequence[Remembered]]:
        """The turn whose question or answer the person replies to, with what it went on from."""
        if inbound.reply_to is None:
            return None, ()
        ours = await self._known.find_message(inbound.reply_to)
        trigger_id = ours.turn.trigger_id if ours is not None else inbound.reply_to
        chain = await self._conversations.chain(inbound.room_id, trigger_id)
        return (trigger_id if chain else None), chain

    async def _recalled(
        self, turns: Sequence[Remembered], toolbox: Toolbox, inbound: Inbound
    ) -> Recollection:
        has_private = any(each.only_for is not None for each in turns)
        return recall(
            turns,
            inbound.sender,
            is_alone=has_private and await self._private.is_alone(inbound.sender, inbound.room_id),
            may_use_all=toolbox.may_use_all,
        )

    async def _with_quote(
        self,
        found: Surroundings,
        toolbox: Toolbox,
        turn: Turn,
        inbound: Inbound,
        room: RoomView,
        wanted: Wanted,
    ) -> Surroundings:
        replied_to = inbound.reply_to or inbound.event_id
        # Noted before it is read: whoever deletes it meanwhile finds the note, or we nothing.
        await self._conversations.bring(replied_to, turn.trigger_id)
        quoted = await self._quoting.of(replied_to, toolbox, inbound, room)
        if not quoted.is_there:
            await self._conversations.not_brought(replied_to, turn.trigger_id)
        if quoted.attached is not None:
            found = replace(found, attached=[*found.attached, quoted.attached])
        found = replace(
            found,
            rests_on=found.rests_on | quoted.rests_on,
            is_private=found.is_private or toolbox.has_private(quoted.rests_on),
        )
        if quoted.media is None:
            return found
        return await self._with_media(found, quoted.media, replied_to, room, wanted)

    async def _with_media(
        self,
        found: Surroundings,
        media: SentMedia,
        event_id: EventID,
        room: RoomView,
        wanted: Wanted,
    ) -> Surroundings:
        looked = await self._looking.at(
            media,
            event_id,
            round(found.now.timestamp() * 1000),
            as_user=room.host(self._users.main),
            pictures=wanted.pictures,
        )
        unseen = [looked.unseen] if looked.unseen is not None else []
        return replace(
            found,
            attached=[*found.attached, looked.attached],
            unseen=[*found.unseen, *unseen],
        )

    async def _bring(self, attached: Attached, turn: Turn) -> None:
        is_there = attached.text or attached.mxc
        if is_there and attached.event_id not in {None, turn.trigger_id}:
            await self._conversations.bring(EventID(str(attached.event_id)), turn.trigger_id)


def _with_chain(turns: Sequence[Remembered], chain: Sequence[Remembered]) -> Sequence[Remembered]:
    """The exchange that is replied to stands right before the question, and is forgotten last."""
    in_chain = {each.trigger_id for each in chain}
    return [*(each for each in turns if each.trigger_id not in in_chain), *chain]


def _with_pictures(found: Surroundings, *, is_reply: bool) -> Surroundings:
    """Pictures that came alone, right before the question, or that it replies to, go with it.

    Those of questions that were answered just now are shown once more.
    """
    asked = [each for each in found.history if isinstance(each, UserMessage)]
    latest = found.now - _STILL_SHOWN
    attached: list[Attached] = []
    again: list[Attached] = []
    seen: set[str | None] = set()  # a picture that came alone is also its question's
    for back, message in enumerate(reversed(asked[-_LOOKED_BACK:])):
        is_replied_to = is_reply and back == 0
        pictures = [
            each
            for each in message.attached
            if each.kind is AttachedKind.IMAGE
            and each.mxc
            and each.event_id not in seen
            and (is_replied_to or each.at_ms >= latest.timestamp() * 1000)
        ]
        seen |= {each.event_id for each in pictures}
        goes_with_it = is_replied_to or (not message.text and not again)
        if goes_with_it:
            attached = [*pictures, *attached]
        else:
            again = [*pictures, *again]
    return replace(found, attached=[*attached, *found.attached], again=again)


def _to_json(found: Surroundings) -> JSON:
    return {
        "now": found.now.isoformat(),
        "history": [message_to_json(message) for message in found.history],
        "rests_on": sorted(found.rests_on),
        "is_private": found.is_private,
        "attached": [attached_to_json(each) for each in found.attached],
        "again": [attached_to_json(each) for each in found.again],
        "unseen": [[each.reason.value, each.name] for each in found.unseen],
        "went_on_from": found.went_on_from,
    }


def _from_json(row: Mapping[str, JSON]) -> Surroundings:
    """Also of earlier versions, which knew less."""
    return Surroundings(
        now=datetime.fromisoformat(row["now"]),
        history=[message_from_json(each) for each in row["history"]],
        rests_on=frozenset(row.get("rests_on", ())),
        is_private=bool(row.get("is_private")),
        attached=[attached_from_json(each) for each in row.get("attached", ())],
        again=[attached_from_json(each) for each in row.get("again", ())],
        unseen=[Unseen(Reason(reason), name) for reason, name in row.get("unseen", ())],
        went_on_from=row.get("went_on_from"),
    )
