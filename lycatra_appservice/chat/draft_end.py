"""The last word of a draft that no answer has replaced, or that somebody has overwritten."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.draft_looks import finished, with_last_word
from lycatra_appservice.chat.language import Tongue
from lycatra_appservice.chat.progress_end import event_of
from lycatra_appservice.chat.retraction import SETTLED_AFTER
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.events import REPLY_MARKER, mapping
from lycatra_appservice.matrix.render import render_message
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.model import (
    JSON,
    Address,
    EventID,
    Outgoing,
    Reply,
    RoomID,
    SendKind,
    UserID,
)
from lycatra_appservice.turns.delivery import SendRow
from lycatra_appservice.turns.drafts import DraftTable, ShownDraft
from lycatra_appservice.turns.echoes import Echoes
from lycatra_appservice.turns.sending import AwaitedError
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.text import Text

_SOONEST: Final = timedelta(seconds=5)
_LATEST: Final = timedelta(seconds=15)
_SHARE: Final = 0.25  # of the time that it has taken so far


class DraftEnd:
    """The job. It looks now and then, and at once when the turn has ended."""

    def __init__(
        self,
        table: DraftTable,
        client: MatrixClient,
        tongue: Tongue,
        rooms: RoomStore,
        settled_after: timedelta = SETTLED_AFTER,
        *,
        decrypts: bool = False,
    ) -> None:
        self._table = table
        self._client = client
        self._tongue = tongue
        self._rooms = rooms
        self._settled_after = settled_after
        self._decrypts = decrypts

    async def run(self, turn: Turn) -> Sequence[Outgoing]:
        """Does nothing for a draft that was answered, or whose words were erased."""
        shown = await self._table.find(turn.input)
        if shown is None or not shown.content or shown.has_ended:
            return ()
        if not (shown.is_over and shown.is_settled):
            raise AwaitedError(_pause(shown.now_ms - turn.created_at_ms), "it goes on")
        event_id = await event_of(turn, shown, self._client, self._settled_after)
        if event_id is None:
            return ()
        if await self._takes_no_words(shown.row.room_id):
            return [_redaction(shown.row, event_id)]
        return [self._edit(shown, event_id, turn.input["language"])]

    async def _takes_no_words(self, room_id: RoomID) -> bool:
        """Whether the room has become encrypted meanwhile: half an answer may not stay there."""
        room = await self._rooms.known(room_id)
        return room is not None and room.encrypted and not self._decrypts

    def _edit(self, shown: ShownDraft, event_id: EventID, language: str) -> Outgoing:
        row = shown.row
        reply = Reply(markdown=self._tongue.say(_over(shown), language), sender=row.sender)
        marker = {"to": mapping(row.content.get(REPLY_MARKER)).get("to"), "kind": "draft"}
        [said] = render_message(reply, Address(room_id=row.room_id), marker)
        keeps_words = shown.state in ("cancelled", "failed")
        content = with_last_word(shown.content, said, keeps_words=keeps_words)
        return _aimed(row.room_id, row.sender, content, event_id)


class DraftRepair:
    """The job that says a draft's last word again: who was frozen had written over it."""

    def __init__(self, echoes: Echoes) -> None:
        self._echoes = echoes

    async def run(self, turn: Turn) -> Sequence[Outgoing]:
        """Does nothing when those words were erased meanwhile."""
        last = await self._echoes.last_word(turn.input)
        if last is None:
            return ()
        row = last.row
        return [_aimed(row.room_id, row.sender, finished(row.content), last.draft)]


def _aimed(
    room_id: RoomID, sender: UserID, content: Mapping[str, JSON], draft: EventID
) -> Outgoing:
    relation = {**content["m.relates_to"], "event_id": draft}
    return Outgoing(
        kind=SendKind.EDIT,
        room_id=room_id,
        sender=sender,
        content={**content, "m.relates_to": relation},
    )


def _redaction(row: SendRow, draft: EventID) -> Outgoing:
    return Outgoing(
        kind=SendKind.REDACTION,
        room_id=row.room_id,
        sender=row.sender,
        content={"redacts": draft},
    )


def _over(shown: ShownDraft) -> Text:
    match shown.state:
        case "cancelled":
            return messages.draft_stopped()
        case "failed":
            return messages.draft_broken_off()
        case "waiting":
            return messages.draft_waits_for_people()
        case _:
            return messages.draft_answered_below()


def _pause(taken_ms: int) -> timedelta:
    return min(max(timedelta(milliseconds=taken_ms) * _SHARE, _SOONEST), _LATEST)
