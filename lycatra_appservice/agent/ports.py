"""What the agent needs from its surroundings for one turn: tools, and a journal."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from lycatra_appservice.errors import ModelError
from lycatra_appservice.model import JSON, File, UserID
from lycatra_appservice.words.text import Said, Text


class OfferedTool(Protocol):
    """A tool that the asker may use."""

    @property
    def name(self) -> str:
        """Its name, `verb_noun`."""

    @property
    def summary(self) -> str:
        """When to use it and what comes back."""

    @property
    def changes(self) -> bool:
        """Whether it changes something: such calls are made one at a time."""

    def schema(self) -> Mapping[str, Any]:
        """JSON Schema of its arguments."""


class OfferedNamespace(Protocol):
    """Where tools belong that are about one thing."""

    @property
    def name(self) -> str:
        """Its name, one word."""

    @property
    def summary(self) -> str:
        """What its tools are about, in a line."""


class ToolFinding(Protocol):
    """What a tool found."""

    @property
    def data(self) -> JSON:
        """The facts, as json.dumps takes them."""

    @property
    def note(self) -> Said | None:
        """What was left out, if anything."""

    @property
    def files(self) -> Sequence[File]:
        """What the person shall see beside the answer."""


class ToolboxPort(Protocol):
    """The gate, opened for the asker. Rights, timeout, audit and metrics are its business."""

    def tools(self) -> Sequence[OfferedTool]:
        """The tools that the asker may use."""

    def namespace_of(self, tool_name: str) -> OfferedNamespace:
        """Where one of these tools belongs."""

    async def call(self, name: str, raw_args: Mapping[str, JSON], *, key: str) -> ToolFinding:
        """Run a tool. Raises errors.ToolError for everything that a model can be told.

        `key` names the call, the same in every run of the turn. A call that waits for people ends
        the run; in the next one it returns what came of it.
        """


class StepsPort(Protocol):
    """The journal of the turn."""

    async def step(
        self, name: str, run: Callable[[], Awaitable[JSON]], *, args: JSON = None
    ) -> JSON:
        """What `run` returns, or what it returned when this step was done before.

        Several steps may be under way at once. A step whose `run` raises is not journaled.
        """


class PursePort(Protocol):
    """Who pays for what models read and write in one turn."""

    async def left(self) -> float:
        """The tokens that may still be used. Raises SpentError when there are none.

        Asked before each request that no journal answers.
        """

    async def step(self, name: str, run: Callable[[], Awaitable[JSON]]) -> JSON:
        """A step of the turn's journal that asks a model.

        Its result, an answer as `answer_to_json` gives it, is charged by the commit that keeps it.
        """


class SpentError(ModelError):
    """Nothing is left to be spent; `said` tells until when."""

    retryable = False

    def __init__(self, detail: str, said: Text) -> None:
        super().__init__(detail)
        self.said = said


class HearerPort(Protocol):
    """Whoever shows the person how an answer is coming along.

    Called in the middle of reading: stores what it hears, and neither waits nor raises. What a
    journal replays is not heard.
    """

    def waits(self, ahead: int) -> None:
        """The model is busy; so many requests are answered before this one."""

    def asks(self) -> None:
        """The model is being asked: what it wrote before was not the answer."""

    def wrote(self, text: str) -> None:
        """A further piece of what it writes, as a `Delta` brings it; a preview."""

    def calls(self, tools: Sequence[str]) -> None:
        """The tools that are at work now, by name; none any more when it is empty."""


class SlotsPort(Protocol):
    """How many requests one model takes at a time, and who is next."""

    def held(
        self, person: UserID, hearer: HearerPort, *, begun: bool
    ) -> AbstractAsyncContextManager[None]:
        """A slot for one request, waited for; given back when the block ends.

        Held only during a request, not while tools run or people approve. Raises ModelError when
        too many are waiting already, unless the question that it belongs to has `begun` to be
        answered: what was found for it would be lost.
        """
