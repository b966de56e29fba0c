"""What a slow tool says of itself while it runs, and to whom."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeAlias

from lycatra_appservice.toolkit.registry import AnyTool
from lycatra_appservice.words.text import Said

# Hears what a tool is doing; never waits and never raises.
OnProgress: TypeAlias = Callable[[Said], None]
# Entered for each call of a tool; what it gives hears of that call, until it is left.
ProgressOf: TypeAlias = Callable[[AnyTool], AbstractContextManager[OnProgress]]


def unheard(_: Said) -> None:
    """Where nobody is shown what a tool is doing."""


def told_to(hear: OnProgress) -> ProgressOf:
    """The same listener for the calls of all tools."""

    @contextmanager
    def during(_: AnyTool) -> Iterator[OnProgress]:
        yield hear

    return during


to_nobody: ProgressOf = told_to(unheard)
