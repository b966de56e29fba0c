"""Which entries are wanted, and how they are shown: pure, and the same for every source."""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Final

from lycatra_appservice.toolkit.base import without_secrets
from lycatra_appservice.tools.logs._entry import Entry
from lycatra_appservice.tools.logs._severity import Severity

_PHRASES: Final = re.compile(r'"([^"]+)"|(\S+)')
_EMAIL: Final = re.compile(r"(?<![\w.%+@/:-])[\w.%+-]{1,64}@(?=[\w-]{1,63}(?:\.[\w-]{1,63})+)")
_LONG_OUT_OF_ORDER: Final = 50  # so many older ones in a row, and nothing newer comes any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody asks for. `since` is the first moment that counts, `until` the first after.

    `most` entries are enough; `context` are those before and after each one.
    """

    query: str
    since: datetime
    until: datetime | None
    severity: Severity | None
    most: int
    context: int
    conceal: Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An entry that is wanted, with those around it, oldest first. Fit to be shown."""

    entry: Entry
    before: Sequence[Entry] = ()
    after: Sequence[Entry] = ()


def concealing(patterns: Sequence[str]) -> Callable[[str], str]:
    """Takes out of a text what nobody should read: what looks secret, and these expressions."""
    hidden = [re.compile(each) for each in patterns]

    def conceal(text: str) -> str:
        text = _EMAIL.sub("***@", without_secrets(text))
        for each in hidden:
            text = each.sub("***", text)
        return text

    return conceal


def chosen(newest_first: Iterable[Entry], wanted: Wanted) -> list[Found]:
    """The newest that are wanted, newest first; reads no further than it has to."""
    words = _words(wanted.query)
    entries = _recent(newest_first, wanted.since)
    after: deque[Entry] = deque(maxlen=wanted.context)
    ahead: deque[Entry] = deque(islice(entries, wanted.context))  # older ones, looked at already
    found: list[Found] = []
    while len(found) < wanted.most:
        ahead.extend(islice(entries, 1))
        if not ahead:
            break
        entry = ahead.popleft()
        if (shown := _fitting(entry, words, wanted)) is not None:
            before = [_shown(each, wanted) for each in reversed(ahead)]
            later = [_shown(each, wanted) for each in after]
            found.append(Found(entry=shown, before=before, after=later))
        after.appendleft(entry)
    return found


def _recent(newest_first: Iterable[Entry], since: datetime) -> Iterator[Entry]:
    """Up to the first ones that are too old; some lines of a log come late."""
    older = 0
    for entry in newest_first:
        if entry.when is None or entry.when >= since:
            older = 0
            yield entry
        elif (older := older + 1) > _LONG_OUT_OF_ORDER:
            return


def _fitting(entry: Entry, words: Sequence[str], wanted: Wanted) -> Entry | None:
    if wanted.until is not None and (entry.when is None or entry.when >= wanted.until):
        return None
    if wanted.severity is not None and (entry.severity or Severity.DEBUG) < wanted.severity:
        return None
    if not _holds(entry, words):
        return None
    # Looked for once more in what is shown: else a secret could be found out by guessing.
    shown = _shown(entry, wanted)
    return shown if _holds(shown, words) else None


def _holds(entry: Entry, words: Sequence[str]) -> bool:
    text = f"{entry.place} {entry.text}".casefold()
    return all(word in text for word in words)


def _shown(entry: Entry, wanted: Wanted) -> Entry:
    return replace(entry, text=wanted.conceal(entry.text))


def _words(query: str) -> Sequence[str]:
    """What has to be in it, in any order; what stands in quotation marks as it is."""
    return [(phrase or word).casefold() for phrase, word in _PHRASES.findall(query)]
