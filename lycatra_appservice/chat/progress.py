"""What a slow tool says of itself, in one message in the room that is edited now and then."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from time import monotonic
from typing import Final

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.errors import LycatraError, StoreUnavailableError
from lycatra_appservice.matrix.events import HOPS_MARKER, REPLY_MARKER
from lycatra_appservice.matrix.render import as_edit
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.model import Inbound, Outgoing, Reply, UserID
from lycatra_appservice.toolkit.base import Audience
from lycatra_appservice.toolkit.progress import OnProgress, unheard
from lycatra_appservice.toolkit.registry import AnyTool
from lycatra_appservice.turns.progress import Showing
from lycatra_appservice.turns.sending import SendLaterError
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.text import Said

logger = logging.getLogger(__name__)

_LONGEST: Final = 200  # characters: one line, also on a phone


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressTiming:
    """When something is shown. A homeserver lets each user send one event in some seconds."""

    after: timedelta = timedelta(seconds=2)  # of a call; what is quicker makes no noise
    every: timedelta = timedelta(seconds=5)
    # Of the time since the first: someone who waits half an hour looks less often.
    share: float = 0.1

    def pause(self, since_first: float) -> float:
        """Seconds from one event to the next."""
        return max(self.every.total_seconds(), since_first * self.share)


class ProgressNotices:
    """Opens the message of one run of a turn."""

    def __init__(self, composer: Composer, timing: ProgressTiming | None = None) -> None:
        self._composer = composer
        self._timing = timing or ProgressTiming()

    @asynccontextmanager
    async def open(
        self, turn: Turn, inbound: Inbound, room: RoomView, speaker: UserID
    ) -> AsyncIterator["ProgressNotice"]:
        """Show what calls say until the block ends; that takes no time of an answer's."""
        notice = ProgressNotice(self._composer, self._timing, turn, inbound, room, speaker)
        try:
            yield notice
        finally:
            await notice.close()


@dataclass(frozen=True, slots=True)
class _Call:
    """Told apart by identity."""

    began: float


@dataclass(frozen=True, slots=True)
class _Saying:
    call: _Call
    said: Said


class ProgressNotice:
    """Best effort: what cannot be shown costs the tool and the answer nothing."""

    def __init__(
        self,
        composer: Composer,
        timing: ProgressTiming,
        turn: Turn,
        inbound: Inbound,
        room: RoomView,
        speaker: UserID,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._composer = composer
        self._timing = timing
        self._rows = turn.progress()
        self._inbound = inbound
        self._room = room
        self._speaker = speaker
        self._clock = clock
        self._latest: _Saying | None = None
        self._shown: Said | None = None
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def during(self, tool: AnyTool) -> Iterator[OnProgress]:
        """What hears a call of a tool; when that has ended, it is no news any more."""
        if not self._may_show(tool):
            yield unheard
            return
        call = _Call(self._clock())
        try:
            yield lambda said: self._hear(_Saying(call, said))
        finally:
            if self._latest is not None and self._latest.call is call:
                self._latest = None

    async def close(self) -> None:
        """Stop showing. What is on its way is sent with the answer, in its order."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _may_show(self, tool: AnyTool) -> bool:
        if "progress" in self._composer.settings(self._room).quiet:
            return False
        is_alone = set(self._room.people) == {self._inbound.sender}
        return tool.audience is Audience.ROOM or is_alone

    def _hear(self, saying: _Saying) -> None:
        self._latest = saying
        self._news.set()
        if self._task is None:
            self._task = asyncio.create_task(self._keep(), name="progress")

    async def _keep(self) -> None:
        first: float | None = None
        last: float | None = None
        while True:
            saying = await self._next(first, last)
            last = self._clock()
            first = last if first is None else first
            try:
                outcome = await self._show(saying.said)
                if outcome is Showing.NOWHERE:
                    return
                if outcome is Showing.BEHIND:
                    self._news.set()
                else:
                    self._shown = saying.said
            except (SendLaterError, StoreUnavailableError) as error:
                logger.debug("progress_waits", extra={"error": str(error)})
                self._news.set()
            except LycatraError as error:
                logger.debug("progress_not_shown", extra={"error": str(error)})
                return

    async def _next(self, first: float | None, last: float | None) -> _Saying:
        """What is to be shown, when it is time for it; of a call that still goes on."""
        while True:
            await self._news.wait()
            saying = self._latest
            if saying is None or saying.said == self._shown:
                self._news.clear()
                continue
            due = saying.call.began + self._timing.after.total_seconds()
            if first is not None and last is not None:
                due = max(due, last + self._timing.pause(last - first))
            if (left := due - self._clock()) > 0:
                await asyncio.sleep(left)
                continue  # something newer may have been said, or the call is over
            self._news.clear()
            return saying

    async def _show(self, said: Said) -> Showing:
        # Nobody comes in for that: who is there speaks.
        reply = Reply(
            markdown=messages.progress(in_a_line(said)), sender=self._speaker, notice=True
        )
        rows = self._composer.answer(reply, self._inbound, self._room, brings=False)
        message = _as_progress(rows[0])
        edit = {**as_edit(message.content), HOPS_MARKER: message.content[HOPS_MARKER]}
        language = self._composer.language(self._inbound, self._room)
        return await self._rows.show(message, edit, language)


def in_a_line(said: Said) -> Said:
    """What a tool said of itself, short enough for a line; a fixed text is."""
    if not isinstance(said, str):
        return said
    line = " ".join(said.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def _as_progress(row: Outgoing) -> Outgoing:
    """It is no answer."""
    marker = {**row.content[REPLY_MARKER], "kind": "progress", "part": 1, "of": 1}
    return replace(row, content={**row.content, REPLY_MARKER: marker})
