"""What a tool may have said later, by name: how much, how far ahead, and who keeps it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from lycatra_appservice.errors import ToolFailedError
from lycatra_appservice.model import Caller
from lycatra_appservice.toolkit.registry import AnyTool
from lycatra_appservice.words.text import Said, Text

MOST_AHEAD: Final = timedelta(days=366)
LONGEST_TEXT: Final = 2000  # characters
_LONGEST_NAME: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """A text that is posted at its time."""

    name: str
    when: datetime
    text: Said


class Timers(Protocol):
    """Those of one namespace in one room, on behalf of one person."""

    async def put(self, timer: Timer, after: timedelta) -> None:
        """Set it in the place of one of its name. Raises ToolFailedError."""

    async def drop(self, name: str) -> bool:
        """Take one back; whether there was one."""


class TimerSource(Protocol):
    """Who keeps timers."""

    def of(self, caller: Caller, tool: AnyTool, namespace: str) -> Timers:
        """Those that a call may set."""


class NoTimers:
    """Where nobody has asked, so that there is nobody to say it to."""

    async def put(self, timer: Timer, after: timedelta) -> None:
        """Raise ValueError."""
        raise ValueError("what nobody has asked for has no timers")

    async def drop(self, name: str) -> bool:
        """There is none."""
        return False


class ShortTimers:
    """Timers that nobody ever posts, for trying tools out."""

    def __init__(self, told: Callable[[Timer], None] | None = None) -> None:
        """`told` hears of each that is set."""
        self.waiting: dict[str, Timer] = {}
        self._told = told

    def of(self, caller: Caller, tool: AnyTool, namespace: str) -> "ShortTimers":
        """The same for everybody."""
        return self

    async def put(self, timer: Timer, after: timedelta) -> None:
        """Remember it."""
        self.waiting[timer.name] = timer
        if self._told is not None:
            self._told(timer)

    async def drop(self, name: str) -> bool:
        """Forget one."""
        return self.waiting.pop(name, None) is not None


def checked_timer(name: str, when: datetime, text: Said) -> Timer:
    """A timer as it may be set.

    Raises ValueError for what is a mistake of the tool: an empty or long name, a time without a
    zone. Raises ToolFailedError for a text that is too long.
    """
    if not name or len(name) > _LONGEST_NAME:
        raise ValueError(f"the name of a timer has 1 to {_LONGEST_NAME} characters")
    if when.tzinfo is None:
        raise ValueError("the time of a timer needs a time zone")
    if isinstance(text, str) and len(text) > LONGEST_TEXT:
        raise ToolFailedError(Text("timer_too_long", most=LONGEST_TEXT))
    return Timer(name=name, when=when, text=text)


def time_left(timer: Timer, now: datetime) -> timedelta:
    """Until it is due; nothing for what is over. Raises ToolFailedError for a far future."""
    left = timer.when - now
    if left > MOST_AHEAD:
        raise ToolFailedError(Text("timer_too_far"))
    return max(left, timedelta(0))
