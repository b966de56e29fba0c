"""Which tools a model is offered, so that they never fill its window; it chooses if it must.

    all fit ──────────────────────────────────────────────► all of them, nothing is asked
    else: namespaces by their summaries ─► all of those fit ──► they
                                            else: tools by their summaries ─► those that fit

What is not offered is only not shown: a call to it goes to the gate like any other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lycatra_appservice.agent.backend import ToolSpec
from lycatra_appservice.agent.choice import (
    CHOOSE_NAMESPACES,
    CHOOSE_TOOLS,
    Choice,
    Entry,
    Purpose,
    by_words,
    chooser,
    chosen_names,
    listed,
    named_in,
    task,
)
from lycatra_appservice.agent.messages import ModelAnswer, SystemMessage
from lycatra_appservice.agent.shelves import Shelves
from lycatra_appservice.agent.specs import chars_of_tool, chars_of_tools, slimmed

SHARE: Final = 0.3  # of the window, for prompt and tools: the rest is conversation and results
LEAST_SHARE: Final = 0.1  # for tools, however long the prompt is
MAX_CHOICES: Final = 4  # requests of a turn in which a model only chooses
MAX_WIDENINGS: Final = 2  # of a turn, asked for by the model in the midst of it

_MORE_SHARE: Final = 0.25  # of the room for tools, to name what there is besides
_MORE: Final = "Offers you the tools of other groups. Call it if no other tool fits. Groups:"
_ALL_OFFERED: Final = "All tools are offered to you already."
_NO_MORE: Final = "No further tools can be offered. Answer the person with what you have."
_NOT_KNOWN: Final = "There is no such group. The groups are: {names}."
_NOW_OFFERED: Final = "You are offered tools of {names} from now on. Go on with them."


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """What goes into one request. `task` takes the place of the prompt where it only chooses."""

    purpose: Purpose
    tools: Sequence[ToolSpec]
    task: SystemMessage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Widening:
    """What a model is told that asked for more tools; `namespaces` are those it gets."""

    text: str
    namespaces: Sequence[str] = ()


class Offering:
    """The tools of one turn, and what has been chosen of them so far."""

    def __init__(self, shelves: Shelves, question: str) -> None:
        self._shelves = shelves
        self._question = question
        self._namespaces: Sequence[str] | None = None  # None: not chosen yet
        self._picked: Sequence[str] | None = None  # the same for tools
        self._wanted: Sequence[str] = ()  # tools that were named or called; the last one first
        self._earlier: Sequence[str] = ()  # tools that were offered before more were asked for
        self._choices = 0
        self._widenings = 0
        self._room = 0

    def for_window(
        self, window_chars: float, prompt_chars: int, *, may_choose: bool = True
    ) -> Offered:
        """What to ask a model of this window next, beside a prompt of this length."""
        self._room = int(max(SHARE * window_chars - prompt_chars, LEAST_SHARE * window_chars))
        if self._shelves.chars <= self._room:
            return Offered(purpose=Purpose.ANSWER, tools=self._shelves.tools)
        purpose = self._next_choice()
        while purpose is not None and not (may_choose and self._choices < MAX_CHOICES):
            self.take(self._guessed(purpose))
            purpose = self._next_choice()
        if purpose is None:
            return Offered(purpose=Purpose.ANSWER, tools=self._fitting())
        return self._choosing(purpose, int(SHARE * window_chars))

    def chosen_in(self, answer: ModelAnswer, purpose: Purpose) -> Choice:
        """What a model chose; what it seems to need if it did not choose."""
        namespaces = self._shelves.names if purpose is Purpose.NAMESPACES else ()
        found = chosen_names(answer, [*namespaces, *self._shelves.tool_names])
        if found is None:
            return self._guessed(purpose)
        return Choice(
            purpose=purpose,
            namespaces=self._homes(found) if namespaces else (),
            tools=[name for name in found if name not in namespaces],
        )

    def take(self, choice: Choice) -> None:
        """Go on with what was chosen, in this run of the turn or in an earlier one."""
        self._choices += 1
        if choice.purpose is Purpose.NAMESPACES:
            self._namespaces = choice.namespaces
            self._wanted = _first(choice.tools, self._wanted)
        else:
            self._picked = choice.tools

    def widening(self, arguments: str) -> Widening:
        """What comes of a model's wish for more, as it wrote it."""
        if self._shelves.chars <= self._room and not self._choices:
            return Widening(text=_ALL_OFFERED)
        if self._widenings >= MAX_WIDENINGS:
            return Widening(text=_NO_MORE)
        wanted = named_in(arguments, [*self._shelves.names, *self._shelves.tool_names])
        if not wanted:
            names = ", ".join(self._shelves.names)
            return Widening(text=_NOT_KNOWN.format(names=names))
        namespaces = self._homes(wanted)
        return Widening(
            text=_NOW_OFFERED.format(names=", ".join(namespaces)), namespaces=namespaces
        )

    def widen(self, namespaces: Sequence[str]) -> None:
        """Offer these from now on; what was offered before stays as far as there is room."""
        self._widenings += 1
        self._earlier = _first(self._current(), self._earlier)
        self._namespaces, self._picked = namespaces, None

    def called(self, name: str) -> None:
        """A tool was called: its schema is of use, even if it was not offered."""
        self._wanted = _first([name], self._wanted)

    def _next_choice(self) -> Purpose | None:
        if self._picked is not None:
            return None
        if self._namespaces is None and len(self._shelves.names) > 1:
            return Purpose.NAMESPACES
        pool = [self._shelves.tool(name) for name in self._current()]
        size = chars_of_tools([each for each in pool if each is not None])
        return Purpose.TOOLS if size > self._room_beside_more() else None

    def _choosing(self, purpose: Purpose, room: int) -> Offered:
        entries = self._to_choose(purpose)
        words = f"Says which {purpose.value} may be needed."
        if purpose is Purpose.NAMESPACES:
            tool = chooser(CHOOSE_NAMESPACES, words, self._shelves.names)
        else:
            tool = chooser(CHOOSE_TOOLS, words)
        asked = task(purpose, entries, room - chars_of_tool(tool))
        return Offered(purpose=purpose, tools=[tool], task=asked)

    def _to_choose(self, purpose: Purpose) -> Sequence[Entry]:
        if purpose is Purpose.NAMESPACES:
            return self._shelves.entries()
        pool = [self._shelves.tool(name) for name in self._current()]
        entries = [Entry(name=each.name, summary=each.description) for each in pool if each]
        likely = by_words(self._question, entries)
        # There may not be room for all: what shares words with the question stands first.
        return sorted(entries, key=lambda each: each.name not in likely)

    def _guessed(self, purpose: Purpose) -> Choice:
        if purpose is Purpose.TOOLS:
            return Choice(purpose=purpose, tools=[each.name for each in self._to_choose(purpose)])
        likely = self._shelves.likely(self._question)
        return Choice(purpose=purpose, namespaces=likely or self._shelves.smallest(self._room))

    def _homes(self, names: Sequence[str]) -> Sequence[str]:
        return _first([self._shelves.home_of(name) for name in names], ())

    def _current(self) -> Sequence[str]:
        """Tools by name, the most useful first."""
        if self._picked is not None:
            return _first(self._wanted, self._picked)
        chosen = self._shelves.names if self._namespaces is None else self._namespaces
        return _first(self._wanted, self._shelves.tools_of(chosen))

    def _fitting(self) -> Sequence[ToolSpec]:
        left = self._room_beside_more()
        fitting: list[ToolSpec] = []
        for name in _first(self._current(), self._earlier):
            spec = self._shelves.tool(name)
            if spec is None:  # gone since it was chosen
                continue
            slim = slimmed(spec, left)
            if chars_of_tool(slim) <= left or not fitting:
                fitting.append(slim)
                left -= chars_of_tool(slim)
        more = self._more()
        return [*fitting, more] if more else fitting

    def _room_beside_more(self) -> int:
        more = self._more()
        return self._room - chars_of_tool(more) if more else self._room

    def _more(self) -> ToolSpec | None:
        if self._widenings >= MAX_WIDENINGS:
            return None
        room = int(_MORE_SHARE * self._room) - len(_MORE)
        groups = listed(self._shelves.entries(), room)
        return chooser(CHOOSE_NAMESPACES, f"{_MORE}\n{groups}")


def _first(names: Sequence[str], others: Sequence[str]) -> Sequence[str]:
    """All of them, each once."""
    return tuple(dict.fromkeys([*names, *others]))
