"""A chat in a terminal: one room, one person, answers shown as they come."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import aiohttp

from lycatra_appservice.demo.asides import AsideError, Asides, OpenCards
from lycatra_appservice.demo.client_api import ClientApiError
from lycatra_appservice.demo.person_client import PersonClient
from lycatra_appservice.demo.screens import PlainScreen, Screen
from lycatra_appservice.demo.talk import (
    Outcomes,
    edited_event,
    is_live,
    localpart_of,
    message_text,
)
from lycatra_appservice.demo.timeline import Timeline
from lycatra_appservice.model import JSON, EventID, RoomID

# Cards and progress are edited; after this much quiet the text is taken for final.
_QUIET_SECONDS = 1.0
_PATIENCE = timedelta(seconds=30)


@contextmanager
def open_screen(name: str, history_file: Path | None = None) -> Iterator[Screen]:
    """A screen on this process's terminal; plain lines when it is none, or cannot edit lines."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        yield PlainScreen(sys.stdin, sys.stdout)
        return
    try:
        from lycatra_appservice.demo.prompt_screen import PromptScreen  # an extra: demo
    except ImportError:
        plain = PlainScreen(sys.stdin, sys.stdout)
        plain.tell("For line editing install the extra: pip install 'lycatra-appservice[demo]'")
        yield plain
        return
    with PromptScreen(name, history_file) as screen:
        yield screen


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edit:
    """A text that waits to be the last one."""

    name: str
    text: str
    timer: asyncio.TimerHandle


class TerminalChat:
    """Types what the person types into a room and shows what others say there."""

    def __init__(
        self,
        client: PersonClient,
        room_id: RoomID,
        screen: Screen,
        patience: timedelta = _PATIENCE,
        addressed: Callable[[str], str] = str,
        asides: Asides | None = None,
    ) -> None:
        """`addressed` makes a typed line what is sent; `asides` does what is not sent."""
        self._addressed = addressed
        self._asides = asides
        self._cards = OpenCards()
        self._client = client
        self._room_id = room_id
        self._screen = screen
        self._patience = patience
        self._unanswered: set[EventID] = set()
        self._answered: set[EventID] = set()
        self._progress = asyncio.Event()
        self._shown: dict[str, str] = {}  # event id -> the text last shown for it
        self._edits: dict[str, _Edit] = {}  # event id -> what is shown when it is quiet
        self._drafts: set[str] = set()
        self._outcomes = Outcomes()

    async def run(self) -> None:
        """Until /quit or the end of the input; a pipe's end waits for the answers still due.

        Raises ClientApiError when the homeserver logs the person out.
        """
        watching = asyncio.create_task(self._watch(await self._client.timeline()))
        typing = asyncio.create_task(self._type())
        try:
            await asyncio.wait({watching, typing}, return_when=asyncio.FIRST_COMPLETED)
            for task in (watching, typing):
                if task.done():
                    await task
        finally:
            for task in (watching, typing):
                task.cancel()
            await asyncio.gather(watching, typing, return_exceptions=True)
            for original in list(self._edits):
                self._show_edit(original)

    async def _type(self) -> None:
        while (line := await self._screen.read()) is not None:
            if line.strip() == "/quit":
                return
            if line.strip():
                await self._do(line.strip())
        if not self._screen.interactive:
            await self._wait_for_answers()

    async def _do(self, line: str) -> None:
        try:
            done = await self._asides.do(line, self._cards) if self._asides else None
            if done is None:
                event_id = await self._client.send_text(self._room_id, self._addressed(line))
                self._unanswered.add(event_id)
            elif done.request is not None:
                self._unanswered.add(done.request)
        except AsideError as error:
            self._screen.tell(str(error))
        except ClientApiError as error:
            self._screen.tell(f"Not sent: {error}")
        except (aiohttp.ClientError, TimeoutError):
            self._screen.tell("Not sent: the homeserver does not answer. Please try again.")

    async def _wait_for_answers(self) -> None:
        try:
            async with asyncio.timeout(self._patience.total_seconds()):
                while self._unanswered - self._answered:
                    self._progress.clear()
                    await self._progress.wait()
        except TimeoutError:
            due = len(self._unanswered - self._answered)
            self._screen.tell(f"Still without an answer: {due} of {len(self._unanswered)}.")

    async def _watch(self, timeline: Timeline) -> None:
        async for room_id, event in timeline:
            if room_id == self._room_id:
                self._take(event)

    def _take(self, event: JSON) -> None:
        if event.get("type") == "m.typing":
            self._take_typing(event)
            return
        self._cards.note(event)
        text = message_text(event)
        if text is None or "transaction_id" in event.get("unsigned", {}):
            return  # no message, or the echo of what was typed here
        self._show_news(event, text)
        self._note_answer(event)

    def _show_news(self, event: JSON, text: str) -> None:
        """Once when an answer begins and once when it is whole, however often it grew."""
        original = edited_event(event)
        if original is None:
            if is_live(event):
                self._drafts.add(event["event_id"])
            self._show(event["event_id"], localpart_of(event), text)
        elif original not in self._drafts:
            self._show_when_quiet(original, localpart_of(event), text)
        elif not is_live(event):
            self._show(original, localpart_of(event), text)

    def _take_typing(self, event: JSON) -> None:
        others = [user for user in event["content"]["user_ids"] if user != self._client.user_id]
        self._screen.show_typing([localpart_of({"sender": user}) for user in others])

    def _note_answer(self, event: JSON) -> None:
        mark = self._outcomes.mark_of(event)
        if mark is not None and mark.is_outcome:
            self._answered.add(EventID(mark.to))
            self._progress.set()

    def _show_when_quiet(self, original: str, name: str, text: str) -> None:
        if original in self._edits:
            self._edits.pop(original).timer.cancel()
        loop = asyncio.get_running_loop()
        timer = loop.call_later(_QUIET_SECONDS, self._show_edit, original)
        self._edits[original] = _Edit(name=name, text=text, timer=timer)

    def _show_edit(self, original: str) -> None:
        edit = self._edits.pop(original)
        edit.timer.cancel()
        self._show(original, edit.name, edit.text)

    def _show(self, event_id: str, name: str, text: str) -> None:
        if self._shown.get(event_id) != text:
            self._shown[event_id] = text
            self._screen.show(name, text)
