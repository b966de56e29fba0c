"""What a namespace tells rooms unasked: what it looks at, what it is told, and what that gives."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from lycatra_appservice.errors import LycatraError
from lycatra_appservice.model import JSON

if TYPE_CHECKING:
    from lycatra_appservice.toolkit.base import ToolContext

LONGEST_KEY: Final = 200
LONGEST_NEWS: Final = 8000  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A change that the people of a room may let through, on a card below the news.

    It waits for `lifetime`, or until a newer proposal of the tool is about the same target.
    """

    tool: str
    args: Mapping[str, JSON]
    lifetime: timedelta = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """Something that each subscribed room is told once, by the namespace's virtual user.

    `key` names it for ever within its namespace: whoever finds the same thing again, here or on
    another replica, tells nobody. `about` is the service or whatever else a room can subscribe
    to. What `can_wait` comes after a room's quiet hours; `ends` is the key of older news that are
    over now: a room that has not read those yet is not told them any more.
    """

    key: str
    about: str
    markdown: str
    proposal: Proposal | None = None
    can_wait: bool = True
    ends: str | None = None


LookAround: TypeAlias = Callable[["ToolContext"], Awaitable[Sequence[News]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    """Looks for news again and again, on one replica at a time.

    `run` may be cut off and run anew, so what it remembers in `ctx.state` should be written after
    what it finds is told: news that it returns twice are told once. It asks for nobody: its
    `ctx.caller` is the namespace's virtual user, and it has no timers. `has_work` gets the
    namespace's settings; without work it is never run.
    """

    name: str
    every: timedelta
    run: LookAround
    has_work: Callable[[Any], bool] | None = None
    timeout: timedelta = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class HookRequest:
    """What came to `POST /hooks/<name>`: names of headers in small letters."""

    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A request that is worth being kept. One `id` is worked on once, however often it comes.

    `data` is all that is kept of it: as little as possible, and no secrets.
    """

    id: str
    data: JSON


class HookRefusedError(LycatraError):
    """What came is not taken; its sender gets `status`, with `reason` in a few words."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """Lets another service tell something, at `/hooks/<name>`.

    `accept` judges a request by the namespace's settings and the time in seconds: quickly, alone
    and without a side effect. It checks who sent it, raises HookRefusedError, or returns None for
    what is right and of no interest. What it accepts is stored before the sender hears so, and
    `take` is then called with its data until that has once ended well, like a watcher's `run`.
    """

    name: str
    accept: Callable[[HookRequest, Any, float], Accepted | None]
    take: Callable[[JSON, "ToolContext"], Awaitable[Sequence[News]]]
    has_work: Callable[[Any], bool] | None = None
    max_bytes: int = 1024 * 1024
