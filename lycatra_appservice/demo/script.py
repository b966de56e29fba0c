"""A conversation typed from a file, line by line, each waiting for its outcome: `SCRIPT=file`."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from lycatra_appservice.demo.asides import AsideError, Asides, OpenCards
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
    asides: Asides | None = None,
) -> int:
    """Type each line, say what is typed and answered, and wait for each line's outcome.

    `is_ours` tells the appservice's users from everybody else; `addressed` makes a line what is
    sent; `asides` does the lines that are not typed. A line without its outcome within `patience`
    is named and the next one is done. Returns 0 when all came, else 1.
    """
    reader = _Reader(await client.timeline(), room_id, is_ours, say)
    player = _Player(client, asides, room_id, reader.cards, addressed, say)
    missing = 0
    for line in lines:
        try:
            request = await player.play(line.text)
        except AsideError as error:
            missing += 1
            say(f"Line {line.number} cannot be done: {line.text}\n{error}")
            continue
        if not await reader.outcome_of(request, patience):
            missing += 1
            seconds = patience.total_seconds()
            say(f"No answer within {seconds:g} s to line {line.number}: {line.text}")
    return 1 if missing else 0


class _Player:
    """Does what a line says, as the one who does it."""

    def __init__(
        self,
        client: PersonClient,
        asides: Asides | None,
        room_id: RoomID,
        cards: OpenCards,
        addressed: Callable[[str], str],
        say: Callable[[str], None],
    ) -> None:
        self._client = client
        self._asides = asides
        self._room_id = room_id
        self._cards = cards
        self._addressed = addressed
        self._say = say

    async def play(self, line: str) -> EventID | None:
        """Return what will have an outcome; None where that is a card. Raises AsideError."""
        done = await self._asides.do(line, self._cards) if self._asides else None
        if done is not None:
            self._say(spoken(done.who, done.what))
            return done.request
        text = self._addressed(line)
        self._say(spoken(self._client.localpart, text))
        return await self._client.send_text(self._room_id, text)


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
        self._outcomes = Outcomes()
        self.cards = OpenCards()

    async def outcome_of(self, request: EventID | None, patience: timedelta) -> bool:
        """Whether the last part of the answer, or else any card, came in time."""
        try:
            async with asyncio.timeout(patience.total_seconds()):
                async for room_id, event in self._timeline:
                    if room_id == self._room_id and self._is_outcome(event, request):
                        return True
        except TimeoutError:
            pass  # the caller says which line it was
        return False

    def _is_outcome(self, event: JSON, request: EventID | None) -> bool:
        if not self._is_ours(UserID(str(event.get("sender", "")))):
            return False
        self.cards.note(event)
        text, edited = message_text(event), edited_event(event)
        mark = self._outcomes.mark_of(event)
        if is_live(event) or text is None or (edited is not None and mark is None):
            return False
        self._say(spoken(localpart_of(event), text))
        if mark is None or not mark.is_outcome:
            return False
        return mark.is_card if request is None else mark.to == request
