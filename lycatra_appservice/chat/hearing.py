"""What is heard of an answer while it is made, and what of it may be shown just now."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Final

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.draft_looks import Saying, words_so_far
from lycatra_appservice.chat.progress import in_a_line
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.model import UserID
from lycatra_appservice.toolkit.base import Audience
from lycatra_appservice.toolkit.progress import OnProgress, unheard
from lycatra_appservice.toolkit.redaction import Mask
from lycatra_appservice.toolkit.registry import AnyTool, Registry
from lycatra_appservice.words.text import Said, Text

_MOST_CHARACTERS: Final = 12_000  # a longer answer becomes a file; nobody reads along in one


@dataclass(frozen=True, slots=True, kw_only=True)
class Readers:
    """Who sees a draft, and what they want to see of slow tools.

    `is_alone` asks whether the asker is the only one now, and will be: who comes later reads
    what was said before.
    """

    asker: UserID
    room: RoomView
    is_alone: Callable[[], Awaitable[bool]]
    wants_progress: bool

    def may_know(self, tool: AnyTool) -> bool:
        """Whether all of them may know what a tool is doing."""
        return tool.audience is Audience.ROOM or set(self.room.people) == {self.asker}


@dataclass(frozen=True, slots=True)
class _Told:
    by: object  # the call, told apart by identity
    said: Said


class Hearing:
    """The agent's HearerPort: stores what it hears, and sets `news`.

    Words of the answer are shown to others than the asker only while no tool for the asker alone
    has been called: what such a tool found may stand in all that the model writes from then on.
    """

    def __init__(
        self,
        readers: Readers,
        registry: Registry,
        preview: Mask,
        queue_after: timedelta,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """`preview` takes secrets out of a text that is not finished, beginnings of them too.

        The place among those who wait for a model is shown after `queue_after`.
        """
        self._readers = readers
        self._registry = registry
        self._preview = preview
        self._queue_after = queue_after.total_seconds()
        self._clock = clock
        self._pieces: list[str] = []
        self._characters = 0
        self._at_work: Sequence[str] = ()
        self._told: _Told | None = None
        self._ahead: int | None = None
        self._waits_since = 0.0
        self._has_waited = False
        self._is_private = False
        self.news = asyncio.Event()
        self.was_interrupted = False  # an earlier run has shown something, this one not yet
        self.has_shown_private = False

    # HearerPort

    def waits(self, ahead: int) -> None:
        """See HearerPort."""
        if self._ahead is None:
            self._waits_since = self._clock()
        self._ahead = ahead
        self.news.set()

    def asks(self) -> None:
        """See HearerPort."""
        self._forget_words()
        if self._ahead is not None:
            self._ahead = None
            self.news.set()

    def wrote(self, text: str) -> None:
        """See HearerPort."""
        self._pieces.append(text)
        self._characters += len(text)
        self._has_waited = self.was_interrupted = False
        self.news.set()

    def calls(self, tools: Sequence[str]) -> None:
        """See HearerPort."""
        self._at_work = tools
        if tools:
            self._forget_words()  # what leads to a call is not the answer
            self._has_waited = self.was_interrupted = False
            self._is_private = self._is_private or any(map(self._is_for_asker, tools))
            self.news.set()

    # What else is known

    @contextmanager
    def during(self, tool: AnyTool) -> Iterator[OnProgress]:
        """What hears a call of a tool; when that has ended, it is no news any more."""
        if not (self._readers.wants_progress and self._readers.may_know(tool)):
            yield unheard
            return
        call = object()
        try:
            yield lambda said: self._tell(_Told(call, said))
        finally:
            if self._told is not None and self._told.by is call:
                self._told = None

    def keep_private(self) -> None:
        """From now on words of the answer are for the asker alone."""
        self._is_private = True

    # What may be shown

    @property
    def has_words(self) -> bool:
        """Whether a beginning of the answer was heard, for all that is known now."""
        return bool(self._pieces)

    async def is_overheard(self) -> bool:
        """Whether what was shown to the asker alone is before the eyes of others by now."""
        return self.has_shown_private and not await self._is_alone()

    @property
    def seconds_to_place(self) -> float | None:
        """Until the place among those who wait may be shown; None when nobody waits so."""
        if self._ahead is None:
            return None
        left = self._waits_since + self._queue_after - self._clock()
        return left if left > 0 else None

    async def saying(self) -> Saying | None:
        """What there is to show now; None for nothing new."""
        if self._at_work:
            return Saying(self._work())
        words = self._words()
        if words is None:
            return self._place()
        if not self._is_private:
            return words
        if not await self._is_alone():
            return Saying(messages.draft_at_work())
        self.has_shown_private = True
        return words

    def _work(self) -> Text:
        if self._told is not None:
            return messages.progress(in_a_line(self._told.said))
        tools = [self._registry.tool(name) for name in dict.fromkeys(self._at_work)]
        known = [tool for tool in tools if tool is not None and self._readers.may_know(tool)]
        if not known:
            return messages.draft_at_work()
        return messages.draft_uses([tool.title for tool in known])

    def _words(self) -> Saying | None:
        if not self._pieces or self._characters > _MOST_CHARACTERS:
            return None
        self._pieces = ["".join(self._pieces)]
        return words_so_far(self._preview(self._pieces[0]))

    def _place(self) -> Saying | None:
        if self._ahead is not None and self.seconds_to_place is None:
            self._has_waited = True
            return Saying(messages.draft_ahead(self._ahead))
        if self._has_waited:
            return Saying(messages.draft_at_work())  # that place is no longer true
        return Saying(messages.draft_interrupted()) if self.was_interrupted else None

    async def _is_alone(self) -> bool:
        try:
            return await self._readers.is_alone()
        except LycatraError:
            return False

    def _tell(self, told: _Told) -> None:
        self._told = told
        self.news.set()

    def _forget_words(self) -> None:
        self._pieces.clear()
        self._characters = 0

    def _is_for_asker(self, name: str) -> bool:
        tool = self._registry.tool(name)
        return tool is not None and tool.audience is Audience.ASKER
