"""The turn that forgets: it waits until nobody works on it, erases, and redacts what we said."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.brought_along import BroughtAlong
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.sent import find_sent
from lycatra_appservice.model import JSON, EventID, Outgoing, RoomID, SendKind, UserID
from lycatra_appservice.turns.delivery import SendRow
from lycatra_appservice.turns.forgetting import Forgetting, Forgotten, Trace
from lycatra_appservice.turns.known import KnownTurns, OurMessage
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.catalogue import in_english

FORGET: Final = "forget"  # of the trigger id, before the redacted event's id

# How long after the end of a turn something that was on its way may still arrive in the room.
SETTLED_AFTER: Final = timedelta(seconds=10)
_SEEN: Final = frozenset({SendKind.MESSAGE, SendKind.CARD, SendKind.EDIT, SendKind.REACTION})


class NotYetError(LycatraError):
    """Somebody still works on it, or something may still arrive: later again."""

    retryable = True
    outlasted = True


class Retraction:
    """One redaction's consequences. Every part may run again; only the last one ends the turn."""

    def __init__(
        self,
        known: KnownTurns,
        forgetting: Forgetting,
        brought: BroughtAlong,
        client: MatrixClient,
        settled_after: timedelta = SETTLED_AFTER,
    ) -> None:
        self._known = known
        self._forgetting = forgetting
        self._brought = brought
        self._client = client
        self._settled_after = settled_after

    async def run(self, turn: Turn) -> Sequence[Outgoing]:
        """Forget first, so that nothing is left here even while the homeserver is away."""
        redacted = EventID(turn.trigger_id.partition(":")[2])
        room_id, words_of = RoomID(turn.input["room_id"]), turn.input["words_of"]
        ours = await self._known.find_message(redacted)
        about = [ours.turn.trigger_id if ours else redacted, *([words_of] if words_of else [])]
        was_remembered = await turn.step(
            "remembered", lambda: self._was_remembered(redacted, about)
        )
        await self._forget(redacted, ours, words_of)
        _expect(await self._brought.forget(redacted))
        rooms = await self._rooms(room_id, about) if was_remembered else ()
        readers = await turn.step("readers", lambda: self._readers(rooms))
        await self._redact(turn, await turn.step("sent", lambda: self._sent(redacted, ours)))
        await self._redact(turn, await turn.step("found", lambda: self._found(redacted)))
        for each in rooms:
            _expect(await self._forgetting.forget_repetitions(each, readers))
        return ()

    async def _was_remembered(self, redacted: EventID, about: Sequence[str]) -> JSON:
        """Asked before it is forgotten, and not while it may still be written down."""
        for trigger_id in about:
            known = await self._known.find(trigger_id)
            if known is not None and known.is_open:
                raise NotYetError("its turn has not ended")
            if await self._forgetting.is_being_shown(trigger_id):
                raise NotYetError("its card is being edited")
        was_brought = await self._brought.knows(redacted)
        remembered = [await self._forgetting.is_remembered(each) for each in about]
        return was_brought or any(remembered)

    async def _forget(
        self, redacted: EventID, ours: OurMessage | None, words_of: str | None
    ) -> None:
        if ours is None:
            _expect(await self._forgetting.forget_turn(redacted))
        else:
            _expect(await self._forgetting.forget_message(redacted))
        if words_of is not None:
            _expect(await self._forgetting.forget_words(words_of))

    async def _rooms(self, room_id: RoomID, about: Sequence[str]) -> Sequence[RoomID]:
        """Where it may have been read of: where it was said, and where the answer went."""
        answered = [
            trace.row.room_id for each in about for trace in await self._forgetting.traces(each)
        ]
        return sorted({room_id, *answered})

    async def _readers(self, rooms: Sequence[RoomID]) -> JSON:
        """Who runs now and may have read it; whoever starts later finds nothing."""
        return [reader for each in rooms for reader in await self._forgetting.readers(each)]

    async def _sent(self, redacted: EventID, ours: OurMessage | None) -> JSON:
        """What is in the room, as events to redact: the whole answer, or one message's edits."""
        if ours is None:
            traces = await self._forgetting.traces(redacted)
        else:
            of_turn = await self._forgetting.traces(ours.turn.trigger_id)
            traces = [
                trace
                for trace in of_turn
                if trace.row.target_n == ours.n or trace.of_card == redacted
            ]
        return [
            _target(trace.row, trace.event_id)
            for trace in traces
            if trace.event_id is not None and trace.row.kind in _SEEN
        ]

    async def _found(self, redacted: EventID) -> JSON:
        """What was given up on its way and has arrived all the same."""
        found = []
        for trace in await self._forgetting.traces(redacted):
            if not trace.is_doubtful or trace.row.kind not in _SEEN:
                continue
            event_id = await self._look_for(trace)
            if event_id is not None:
                found.append(_target(trace.row, event_id))
            elif trace.ended_ago < self._settled_after:
                raise NotYetError(f"row {trace.row.n} may still arrive")
        return found

    async def _look_for(self, trace: Trace) -> EventID | None:
        try:
            return await find_sent(self._client, trace.row)
        except MatrixError as error:
            if error.outlasted:
                raise
            return None  # that room does not let us look any more

    async def _redact(self, turn: Turn, targets: JSON) -> None:
        for target in targets:
            content = {
                "redacts": target["event_id"],
                "reason": in_english(messages.question_redacted()),
            }
            await turn.send(
                Outgoing(
                    kind=SendKind.REDACTION,
                    room_id=RoomID(target["room_id"]),
                    sender=UserID(target["sender"]),
                    content=content,
                )
            )


def _expect(forgotten: Forgotten) -> None:
    if forgotten is Forgotten.NOT_YET:
        raise NotYetError("its turn has not ended")


def _target(row: SendRow, event_id: EventID) -> JSON:
    return {"event_id": event_id, "room_id": row.room_id, "sender": row.sender}
