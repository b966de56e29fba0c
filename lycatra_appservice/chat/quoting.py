"""The message that a question replies to, where it is no exchange with us: its words, as data."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from lycatra_appservice.agent.messages import Attached, AttachedKind
from lycatra_appservice.chat.asking import is_message, is_redacted, present_content
from lycatra_appservice.chat.originals import Originals
from lycatra_appservice.chat.private_answers import PrivateAnswers
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.events import mapping, read_inbound, text
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.sent_media import SentMedia, media_in
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, EventID, Inbound, UserID
from lycatra_appservice.toolkit.toolbox import Toolbox
from lycatra_appservice.turns.known import KnownTurns, OurMessage

_MAX_CHARS: Final = 2000
_CUT: Final = " … (more was left out)"
_SOMEBODY: Final = "somebody"  # when it cannot be seen who wrote it
_SEEN_BY_ALL: Final = frozenset({"shared", "world_readable"})  # who are in the room

# The names of the tools that a turn has called.
ToolsOf: TypeAlias = Callable[[str], Awaitable[Collection[str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """What the question replies to. Without `is_there` nobody may see it, or it was deleted.

    `rests_on` are the tools that it shows results of.
    """

    attached: Attached | None
    media: SentMedia | None = None
    is_there: bool = True
    rests_on: frozenset[str] = frozenset()


class Quoting:
    """Reads it as one of us in the room of the question, and only if the asker can read it."""

    def __init__(
        self,
        client: MatrixClient,
        originals: Originals,
        known: KnownTurns,
        users: VirtualUsers,
        private: PrivateAnswers,
        tools_of: ToolsOf,
    ) -> None:
        self._client = client
        self._originals = originals
        self._known = known
        self._users = users
        self._private = private
        self._tools_of = tools_of

    async def of(
        self, event_id: EventID, toolbox: Toolbox, inbound: Inbound, room: RoomView
    ) -> Quoted:
        """The message, which may be anybody's. Raises what is to be tried again."""
        ours = await self._known.find_message(event_id)
        if ours is not None:
            return await self._of_ours(ours, event_id, toolbox, inbound)
        event = await self._originals.fetch(room.room_id, event_id)
        if event is None or not is_message(event):
            return _left_out(event_id, text(mapping(event).get("sender")))
        if not await self._may_see(inbound.sender, event, room):
            return _left_out(event_id, text(event.get("sender")))
        content = present_content(event)
        words = read_inbound({**event, "content": content}, inbound.age).body
        sender = UserID(event["sender"])
        return Quoted(attached=_quote(event_id, sender, words), media=media_in(content))

    async def _of_ours(
        self, ours: OurMessage, event_id: EventID, toolbox: Toolbox, inbound: Inbound
    ) -> Quoted:
        """A command's output, for example: it rests on its tool, like everything said of it."""
        tools = frozenset(await self._tools_of(ours.turn.trigger_id))
        may_use = ours.room_id == inbound.room_id and toolbox.may_use_all(tools)
        if may_use and toolbox.has_private(tools):
            may_use = await self._private.is_alone(inbound.sender, inbound.room_id)
        words = await self._present_words(ours, event_id) if may_use else ""
        if not words:
            return _left_out(event_id, ours.sender)
        return Quoted(attached=_quote(event_id, ours.sender, words), rests_on=tools)

    async def _present_words(self, ours: OurMessage, event_id: EventID) -> str:
        """As it reads by now: a draft has grown, and other turns end what a turn has begun."""
        if not ours.content:
            return ""
        event = await self._originals.fetch(ours.room_id, event_id)
        if event is None or not is_message(event):
            is_gone = event is not None and is_redacted(event)
            return "" if is_gone else text(ours.content.get("body"))
        return text(present_content(event).get("body"))

    async def _may_see(self, person: UserID, event: Mapping[str, JSON], room: RoomView) -> bool:
        """Whether the person can read it: is in the room, and was by then where that counts."""
        if person not in room.people or person in room.invited:
            return False
        host = room.host(self._users.main)
        rule = await self._client.state_event(
            room.room_id, "m.room.history_visibility", as_user=host
        )
        if mapping(rule).get("history_visibility", "shared") in _SEEN_BY_ALL:
            return True
        members = await self._client.members(room.room_id, as_user=host)
        own = next((each for each in members if each.get("state_key") == person), {})
        since, at = own.get("origin_server_ts"), event.get("origin_server_ts")
        # A changed display name looks like a later arrival: rather too little than too much.
        return isinstance(since, int) and isinstance(at, int) and since <= at


def _quote(event_id: EventID, sender: UserID, words: str) -> Attached | None:
    if not words.strip():
        return None
    bounded = words if len(words) <= _MAX_CHARS else words[:_MAX_CHARS] + _CUT
    return Attached(kind=AttachedKind.QUOTE, name=sender, text=bounded, event_id=event_id)


def _left_out(event_id: EventID, sender: str) -> Quoted:
    unseen = Attached(kind=AttachedKind.QUOTE, name=sender or _SOMEBODY, event_id=event_id)
    return Quoted(attached=unseen, is_there=False)
