"""Remembers what a reading tool found for up to a minute, for the people who may see it.

Who may is decided before it is asked: a kept result is no way past a right that was taken away.
"""

import hashlib
import json
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from lycatra_appservice.model import Caller
from lycatra_appservice.toolkit.base import Scope, ToolArgs, ToolResult
from lycatra_appservice.toolkit.lint import LONGEST_CACHE
from lycatra_appservice.toolkit.redaction import canonical_arguments
from lycatra_appservice.toolkit.registry import AnyTool

_MOST_RESULTS = 256
_MOST_BYTES = 32 * 1024 * 1024  # of texts and files; data is small beside them


@dataclass(frozen=True, slots=True)
class _Kept:
    result: ToolResult
    namespace: str
    until: float
    size: int  # bytes, roughly


class ResultCache:
    """Results by tool, arguments and, unless they are for all, person, room and face.

    Whatever changes something in a namespace makes its results worthless. In this process only:
    another replica may answer differently for as long as a result is kept.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """`monotonic` gives seconds that never go back."""
        self._monotonic = monotonic
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._size = 0
        self._changes: Counter[str] = Counter()  # by namespace

    def get(self, key: str) -> ToolResult | None:
        """What is kept under `key` and still fresh."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.until <= self._monotonic():
            self._drop(key)
            return None
        return kept.result

    def changes(self, namespace: str) -> int:
        """How often something was changed; to be taken before a tool looks, for `put`."""
        return self._changes[namespace]

    def put(
        self, key: str, tool: AnyTool, result: ToolResult, *, namespace: str, changes: int
    ) -> None:
        """Keep a result as long as its tool allows, a minute at most; the oldest makes room.

        Not one that was looked for before the last change.
        """
        seconds = min(tool.cache_for, LONGEST_CACHE).total_seconds()
        if seconds <= 0 or changes != self._changes[namespace]:
            return
        if key in self._kept:
            self._drop(key)
        self._kept[key] = _Kept(result, namespace, self._monotonic() + seconds, _size_of(result))
        self._size += self._kept[key].size
        while len(self._kept) > _MOST_RESULTS or self._size > _MOST_BYTES:
            self._drop(next(iter(self._kept)))

    def changed(self, namespace: str) -> None:
        """Forget what was found in a namespace: something has changed there, or may have."""
        self._changes[namespace] += 1
        for key in [key for key, kept in self._kept.items() if kept.namespace == namespace]:
            self._drop(key)

    def _drop(self, key: str) -> None:
        self._size -= self._kept.pop(key).size


def _size_of(result: ToolResult) -> int:
    return len(result.markdown) + sum(len(file.data) for file in result.files)


def cache_key(tool: AnyTool, args: ToolArgs, caller: Caller) -> str:
    """The same for arguments that mean the same, however they were written."""
    who = [caller.user_id, caller.room_id, caller.face]  # by each face others may be allowed
    if tool.scope is Scope.SHARED:
        who = []
    call = json.dumps([canonical_arguments(tool.name, args), who])
    return hashlib.sha256(call.encode(errors="replace")).hexdigest()  # a key that tells nothing
