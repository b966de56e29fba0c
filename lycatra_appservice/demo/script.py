"""A conversation typed from a file, line by line, each waiting for its answer: `SCRIPT=file`.

`@approve` and `@deny` are not typed: the approver reacts with ✅ or ❌ to the last open card.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from lycatra_appservice.demo.person_client import PersonClient
from lycatra_appservice.demo.talk import (
    Outcomes,
    edited_event,
    is_live,
    localpart_of,
    message_text,
    spoken,
)
from lycatra_appservice.demo.timeline import Timeline
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.model import JSON, EventID, RoomID, UserID

PATIENCE = timedelta(seconds=30)
_VOTES: Final = {"@approve": "\u2705", "@deny": "\u274c"}


class ScriptError(LycatraError):
    """The script cannot be read, or has nothing to type."""

    said = "The script cannot be used."


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptLine:
    """One line to type, and where it stands (counted from 1) so that a failure can name it."""

    number: int
    text: str


def read_script(path: Path) -> list[ScriptLine]:
    """The lines to type: not the blank ones and not those that begin with `#`."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScriptError(f"Cannot read the script {path}: {error}") from error
    lines = [
        ScriptLine(number=number, text=line.strip())
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not lines:
        raise ScriptError(f"The script {path} has no line to type.")
    return lines


async def run_script(
    client: PersonClient,
    room_id: RoomID,
    lines: Sequence[ScriptLine],
    is_ours: Callable[[UserID], bool],
    patience: timedelta = PATIENCE,
    say: Callable[[str], None] = print,
    addressed: Callable[[str], str] = str,
    approver: PersonClient | None = None,
) -> int:
    """Type each line, say what is typed and answered, and wait for each line's outcome.

    `is_ours` tells the appservice's users from everybody else; `addressed` makes a line what is
    sent; `approver` is who reacts to cards. A line without its outcome within `patience` is named
    and the next one is typed. Returns 0 when all came, else 1.
    """
    timeline = await client.timeline()
    reader = _Reader(timeline, room_id, is_ours, say)
    player = _Player(client, approver, room_id, reader, addressed, say)
    missing = 0
    for line in lines:
        event_id = await player.play(line)
        if event_id is None:
            missing += 1
            say(f"There is no open card for line {line.number}: {line.text}")
        elif not await reader.outcome_of(event_id, patience):
            missing += 1
            seconds = patience.total_seconds()
            say(f"No answer within {seconds:g} s to line {line.number}: {line.text}")
    return 1 if missing else 0


class _Player:
    """Does what a line says, as the one who does it."""

    def __init__(
        self,
        client: PersonClient,
        approver: PersonClient | None,
        room_id: RoomID,
        reader: "_Reader",
        addressed: Callable[[str], str],
        say: Callable[[str], None],
    ) -> None:
        self._client = client
        self._approver = approver
        self._room_id = room_id
        self._reader = reader
        self._addressed = addressed
        self._say = say

    async def play(self, line: ScriptLine) -> EventID | None:
        """Return the message that will have an outcome; None for a vote on no card."""
        key = _VOTES.get(line.text)
        if key is None or self._approver is None:
            text = self._addressed(line.text)
            self._say(spoken(self._client.localpart, text))
            return await self._client.send_text(self._room_id, text)
        card = self._reader.last_open_card()
        if card is None:
            return None
        self._say(spoken(self._approver.localpart, key))
        await self._approver.react(self._room_id, card.event_id, key)
        return card.request


@dataclass(frozen=True, slots=True)
class _Card:
    event_id: EventID
    request: EventID


class _Reader:
    """Reads on in the room's timeline, saying what our users say."""

    def __init__(
        self,
        timeline: Timeline,
        room_id: RoomID,
        is_ours: Callable[[UserID], bool],
        say: Callable[[str], None],
    ) -> None:
        self._timeline = timeline
        self._room_id = room_id
        self._is_ours = is_ours
        self._say = say
        self._cards: list[_Card] = []
        self._outcomes = Outcomes()

    def last_open_card(self) -> _Card | None:
        """The card that was shown last and not been edited to its end."""
        return self._cards[-1] if self._cards else None

    async def outcome_of(self, event_id: EventID, patience: timedelta) -> bool:
        """Whether the last part of the answer to this event came in time."""
        try:
            async with asyncio.timeout(patience.total_seconds()):
                async for room_id, event in self._timeline:
                    if room_id == self._room_id and self._is_outcome(event, event_id):
                        return True
        except TimeoutError:
            pass  # the caller says which line it was
        return False

    def _is_outcome(self, event: JSON, event_id: EventID) -> bool:
        if not self._is_ours(UserID(str(event.get("sender", "")))):
            return False
        text, edited = message_text(event), edited_event(event)
        mark = self._outcomes.mark_of(event)
        if is_live(event) or text is None or (edited is not None and mark is None):
            self._cards = [card for card in self._cards if card.event_id != edited]
            return False
        self._say(spoken(localpart_of(event), text))
        if mark is not None and mark.is_card:
            self._cards.append(_Card(EventID(event["event_id"]), EventID(mark.to)))
        return mark is not None and mark.to == event_id and mark.is_outcome
