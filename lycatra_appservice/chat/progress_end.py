"""The turn that ends the message about a slow call, when nobody is at work on it any more."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final, Protocol

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.language import Tongue
from lycatra_appservice.chat.retraction import SETTLED_AFTER
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.events import HOPS_MARKER, REPLY_MARKER, mapping
from lycatra_appservice.matrix.render import MAX_EDIT_BYTES, as_edit, render_message
from lycatra_appservice.matrix.sent import find_sent
from lycatra_appservice.model import JSON, Address, EventID, Outgoing, Reply, SendKind
from lycatra_appservice.turns.delivery import SendRow
from lycatra_appservice.turns.progress import ProgressTable, ShownProgress
from lycatra_appservice.turns.sending import AwaitedError
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.text import Text

_SOONEST: Final = timedelta(seconds=1)
_LATEST: Final = timedelta(seconds=15)
_SHARE: Final = 0.05  # of the time that it has taken so far


class ProgressEnd:
    """The job. It looks now and then, the rarer the longer it takes, and edits once."""

    def __init__(
        self,
        table: ProgressTable,
        client: MatrixClient,
        tongue: Tongue,
        settled_after: timedelta = SETTLED_AFTER,
    ) -> None:
        self._table = table
        self._client = client
        self._tongue = tongue
        self._settled_after = settled_after

    async def run(self, turn: Turn) -> Sequence[Outgoing]:
        """Does nothing for a message that never was, or whose words were erased."""
        shown = await self._table.find(turn.input)
        if shown is None or not shown.row.content:
            return ()
        if not (shown.is_over and shown.is_settled):
            raise AwaitedError(_pause(shown.now_ms - turn.created_at_ms), "it goes on")
        event_id = await event_of(turn, shown, self._client, self._settled_after)
        if event_id is None:
            return ()
        return [self._edit(shown, event_id, turn.input["language"])]

    def _edit(self, shown: ShownProgress, event_id: EventID, language: str) -> Outgoing:
        row = shown.row
        reply = Reply(
            markdown=self._tongue.say(_over(shown), language), sender=row.sender, notice=True
        )
        marker = {"to": _answered(row.content), "kind": "progress"}
        address = Address(room_id=row.room_id)
        content = as_edit(render_message(reply, address, marker, max_bytes=MAX_EDIT_BYTES)[0])
        relation = {**content["m.relates_to"], "event_id": event_id}
        hops = row.content.get(HOPS_MARKER, 1)
        return Outgoing(
            kind=SendKind.EDIT,
            room_id=row.room_id,
            sender=row.sender,
            content={**content, "m.relates_to": relation, HOPS_MARKER: hops},
        )


class Shown(Protocol):
    """A message that somebody else's turn has sent, or tried to."""

    @property
    def row(self) -> SendRow:
        """Its row."""

    @property
    def event_id(self) -> EventID | None:
        """Its event, if that is known."""

    @property
    def is_doubtful(self) -> bool:
        """Whether it was given up, perhaps on its way to the room."""

    @property
    def now_ms(self) -> int:
        """When this was looked up."""


async def event_of(
    turn: Turn, shown: Shown, client: MatrixClient, settled_after: timedelta
) -> EventID | None:
    """The message. What was given up on its way may arrive after us, if we do not wait.

    Raises AwaitedError while it is to be waited for.
    """
    if not shown.is_doubtful:
        return shown.event_id

    async def now() -> JSON:
        return shown.now_ms

    since = await turn.step("doubtful", now)
    waited = timedelta(milliseconds=shown.now_ms - since)
    if waited < settled_after:
        raise AwaitedError(settled_after - waited, "something may still arrive")
    return shown.event_id or await find_sent(client, shown.row)


def _over(shown: ShownProgress) -> Text:
    if shown.is_asked_anew or shown.state == "cancelled":
        return messages.progress_stopped()
    if shown.state == "failed":
        return messages.progress_broken_off()
    return messages.progress_finished()


def _answered(content: Mapping[str, JSON]) -> JSON:
    return mapping(content.get(REPLY_MARKER)).get("to")


def _pause(taken_ms: int) -> timedelta:
    return min(max(timedelta(milliseconds=taken_ms) * _SHARE, _SOONEST), _LATEST)
