"""The draft of an answer: who waits sees what is being done, and then the words as they come."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import Final

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.draft_looks import DraftLook, Saying
from lycatra_appservice.chat.hearing import Hearing, Readers
from lycatra_appservice.chat.private_answers import PrivateAnswers
from lycatra_appservice.chat.progress import ProgressNotice, ProgressNotices
from lycatra_appservice.errors import LycatraError, StoreUnavailableError
from lycatra_appservice.matrix.render import MAX_CONTENT_BYTES, MAX_EDIT_BYTES
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.model import Inbound, Outgoing, UserID
from lycatra_appservice.toolkit.progress import ProgressOf
from lycatra_appservice.toolkit.redaction import Mask
from lycatra_appservice.toolkit.registry import Registry
from lycatra_appservice.turns.drafts import StandingDraft
from lycatra_appservice.turns.progress import Showing
from lycatra_appservice.turns.records import ParkedError
from lycatra_appservice.turns.sending import SendLaterError
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.text import Text

logger = logging.getLogger(__name__)

_BETWEEN_LOOKS: Final = 0.1  # of a pause, after one that found nothing to show


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftTiming:
    """When something is shown. What is finished before `after` is one message and no edit."""

    after: timedelta = timedelta(seconds=1.5)
    every: timedelta = timedelta(seconds=1.5)  # at first; each pause is longer than the last
    growth: float = 1.5
    longest: timedelta = timedelta(seconds=5)
    most_edits: int = 20  # of one answer, its own included: clients load them all
    queue_after: timedelta = timedelta(seconds=3)  # of waiting for a model
    patience: timedelta = timedelta(seconds=2)  # with an edit that is on its way in the end

    def pause(self, edits: int) -> float:
        """Seconds that lie before the `edits`-th edit."""
        grown = self.every.total_seconds() * self.growth ** (edits - 1)
        return min(grown, self.longest.total_seconds())


class Drafts:
    """Opens the draft of one run of a turn, as its room wants it."""

    def __init__(
        self,
        composer: Composer,
        registry: Registry,
        private: PrivateAnswers,
        notices: ProgressNotices,
        preview: Mask,
        timing: DraftTiming | None = None,
    ) -> None:
        """For `preview` see `Hearing`."""
        self._composer = composer
        self._registry = registry
        self._private = private
        self._notices = notices
        self._preview = preview
        self._timing = timing or DraftTiming()

    @asynccontextmanager
    async def open(
        self, turn: Turn, inbound: Inbound, room: RoomView, speaker: UserID
    ) -> AsyncIterator["Draft"]:
        """Show what comes along until the block ends, unless `stream` is off in the room.

        A run that has to wait for people says so in the draft, which then has its last word.
        """
        settings = self._composer.settings(room)
        readers = Readers(
            asker=inbound.sender,
            room=room,
            is_alone=partial(self._private.is_alone, inbound.sender, inbound.room_id),
            wants_progress="progress" not in settings.quiet,
        )
        rings = settings.stream != "silent"
        look = DraftLook(self._composer, inbound, room, speaker, rings=rings)
        timing = self._timing
        hearing = Hearing(readers, self._registry, self._preview, timing.queue_after)
        if settings.stream == "off":
            async with self._notices.open(turn, inbound, room, speaker) as notice:
                yield Draft(turn, look, hearing, timing, notice)
            return
        draft = Draft(turn, look, hearing, timing)
        draft.begin()
        try:
            yield draft
        except ParkedError:
            await draft.end_before_card()
            raise
        finally:
            await draft.close()


class Draft:
    """Shows now and then what was heard. Never delays what it hears of.

    Best effort: what cannot be shown costs the answer nothing.
    """

    def __init__(
        self,
        turn: Turn,
        look: DraftLook,
        hearing: Hearing,
        timing: DraftTiming,
        notice: ProgressNotice | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """With a `notice` that one alone shows something: what slow tools say."""
        self.hearing = hearing
        self._rows = turn.draft()
        self._look = look
        self._timing = timing
        self._notice = notice
        self._clock = clock
        self._shown: Saying | None = None
        self._may_stand = turn.has_journal or turn.first_n > 0  # by an earlier run
        self._is_resumed = self._may_stand
        self._stands = False
        self._edits = 0
        self._due = clock() + timing.after.total_seconds()
        self._slower = 1.0
        self._is_over = False
        self._is_sending = False
        self._task: asyncio.Task[None] | None = None
        self._standing: StandingDraft | None = None

    @property
    def progress(self) -> ProgressOf:
        """What hears the tools of this run."""
        return self.hearing.during if self._notice is None else self._notice.during

    def begin(self) -> None:
        """Begin to show what is heard."""
        self._task = asyncio.create_task(self._keep(), name="draft")

    async def finished(self) -> int:
        """Show nothing more; how many bytes each content of the answer may have."""
        await self._stop(self._timing.patience)
        if self._may_stand:
            self._standing = await self._rows.settle()
        return MAX_CONTENT_BYTES if self._standing is None else MAX_EDIT_BYTES

    def replaced_by(self, rows: Sequence[Outgoing], *, is_private: bool) -> Sequence[Outgoing]:
        """The answer's rows, its first message in the place of a draft. After `finished`.

        `is_private`: what belongs to the answer is for the asker alone, who is not alone here.
        """
        if self._standing is None:
            return rows
        # Nobody knows what the run before has shown.
        hides = is_private and (self.hearing.has_shown_private or self._is_resumed)
        return self._look.with_answer(rows, self._standing, hides=hides)

    async def after_words(self, why: Text) -> Text:
        """Why there is no answer, below what people have read of it already; shows no more."""
        await self._stop(self._timing.patience)  # what is on its way will have been read
        shown = self._shown
        if shown is None or not shown.is_words or not self.hearing.has_words:
            return why  # those that are shown were no part of the answer
        if await self.hearing.is_overheard():
            return why
        return messages.after_words(shown.said, why)

    async def end_before_card(self) -> None:
        """Say that people are asked now, so that this stands above their card."""
        await self._stop(self._timing.patience)
        if not self._may_stand:
            return
        try:
            await self._rows.end(self._look.last_word(messages.draft_waits_for_people()))
        except LycatraError as error:  # whoever looks after drafts says it later
            logger.debug("draft_not_ended", extra={"error": str(error)})

    async def close(self) -> None:
        """Stop at once."""
        await self._stop(timedelta(0))

    async def _stop(self, patience: timedelta) -> None:
        self._is_over = True
        task, self._task = self._task, None
        if task is None:
            return
        try:
            if patience and self._is_sending:
                # An edit that is cut off might still arrive, after the answer.
                await asyncio.wait({task}, timeout=patience.total_seconds())
        finally:
            task.cancel()
            [ended] = await asyncio.gather(task, return_exceptions=True)
        if isinstance(ended, Exception):
            logger.error("draft_broke", exc_info=ended)

    async def _keep(self) -> None:
        await self._take_over()
        while not self._is_over and self._edits < self._timing.most_edits - 1:
            saying = await self._next()
            rows = self._look.rows(saying)
            if rows is None:  # too large to be shown, and it was no small work to find that out
                self._wait_for_next()
                continue
            self._is_sending = True
            try:
                if not await self._show(saying, rows):
                    return
            finally:
                self._is_sending = False

    async def _take_over(self) -> None:
        """Go on with the draft that an earlier run has begun."""
        if not self._is_resumed:
            return
        try:
            standing = await self._rows.standing()
        except StoreUnavailableError:
            return
        if standing is not None:
            self._stands, self._edits = True, standing.edits
            self.hearing.was_interrupted = True
            self.hearing.news.set()

    async def _next(self) -> Saying:
        """What is to be shown, when it is time for it."""
        while True:
            await self._until_news()
            if (left := self._due - self._clock()) > 0:
                await asyncio.sleep(left)
                continue  # something newer may have been heard
            self.hearing.news.clear()
            saying = await self.hearing.saying()
            if saying is not None and saying != self._shown:
                return saying
            # Words come faster than anybody reads, and each look at them may ask the database.
            await asyncio.sleep(self._timing.every.total_seconds() * _BETWEEN_LOOKS)

    async def _until_news(self) -> None:
        try:
            async with asyncio.timeout(self.hearing.seconds_to_place):
                await self.hearing.news.wait()
        except TimeoutError:
            pass  # the place among those who wait is news now

    async def _show(self, saying: Saying, rows: Sequence[Outgoing]) -> bool:
        """Show it; whether to go on."""
        self._may_stand = True
        try:
            shown = await self._rows.show(rows, self._look.edit(rows[-1]), self._look.language)
        except (SendLaterError, StoreUnavailableError) as error:
            logger.debug("draft_waits", extra={"error": str(error)})
            self._wait_for_next(error)
            self.hearing.news.set()
            return True
        except LycatraError as error:
            logger.debug("draft_not_shown", extra={"error": str(error)})
            return False
        if shown is Showing.SHOWN:
            self._edits += self._stands
            self._stands, self._shown = True, saying
        else:
            self.hearing.news.set()
        self._wait_for_next()
        return shown is not Showing.NOWHERE

    def _wait_for_next(self, refused: LycatraError | None = None) -> None:
        asked_for = 0.0
        if isinstance(refused, SendLaterError) and refused.was_refused:
            self._slower *= 2
            asked_for = refused.delay.total_seconds()
        pause = self._timing.pause(self._edits + 1) * self._slower
        self._due = self._clock() + max(pause, asked_for)
