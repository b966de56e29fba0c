"""How bad an entry is: by what it says of itself, or else by its words; pure."""

import re
from collections.abc import Mapping
from enum import IntEnum
from math import isfinite
from typing import Final

from lycatra_appservice.toolkit.base import JSON


class Severity(IntEnum):
    """How bad it is."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40
    CRITICAL = 50


_WORDS: Final[Mapping[str, Severity]] = {
    "trace": Severity.DEBUG,
    "debug": Severity.DEBUG,
    "dbg": Severity.DEBUG,
    "info": Severity.INFO,
    "inf": Severity.INFO,
    "information": Severity.INFO,
    "notice": Severity.INFO,
    "warn": Severity.WARNING,
    "wrn": Severity.WARNING,
    "warning": Severity.WARNING,
    "err": Severity.ERROR,
    "error": Severity.ERROR,
    "severe": Severity.ERROR,
    "crit": Severity.CRITICAL,
    "critical": Severity.CRITICAL,
    "fatal": Severity.CRITICAL,
    "alert": Severity.CRITICAL,
    "emerg": Severity.CRITICAL,
    "emergency": Severity.CRITICAL,
    "panic": Severity.CRITICAL,
}
_ANY: Final = "|".join(_WORDS)
_LETTERS: Final = {"E": Severity.ERROR, "W": Severity.WARNING, "I": Severity.INFO}
_SAID: Final = (
    re.compile(rf"(?<![\w-])({_ANY.upper()})(?![\w-])"),  # in capitals anywhere at the beginning
    re.compile(rf"[\[<|]\s?({_ANY})\s?[\]>|]", re.I),  # [error]
    re.compile(rf"\b(?:level|severity|lvl)\"?\s?[=:]\s?\"?({_ANY})\b", re.I),
)
_GLOG: Final = re.compile(r"(?:^|\s)([EWIF])\d{4} \d\d:")
_NOTHING_WRONG: Final = re.compile(r"\b(?:no|0|without) (?:errors?|failures?|warnings?)\b", re.I)
_MEANT: Final = (
    (re.compile(r"\b(?:fatal|panic|segfault|out of memory)\b", re.I), Severity.CRITICAL),
    (
        re.compile(
            r"\b(?:\w*error|\w*exception|traceback|fail(?:ed|ure)|refused|crashed)\b", re.I
        ),
        Severity.ERROR,
    ),
    (re.compile(r"\b(?:warning|deprecated|retrying|timed out)\b", re.I), Severity.WARNING),
)


def severity_of(text: str) -> Severity | None:
    """What a line says, or else what its words let one think."""
    beginning = text[:200]
    if (letter := _GLOG.search(beginning)) is not None:
        return _LETTERS.get(letter[1], Severity.CRITICAL)
    for form in _SAID:
        if found := form.search(beginning):
            return _WORDS[found[1].casefold()]
    words = _NOTHING_WRONG.sub("", text)
    return next((severity for meant, severity in _MEANT if meant.search(words)), None)


def severity_in(value: JSON) -> Severity | None:
    """What a record has as its level: a word or a number."""
    if isinstance(value, str):
        return _WORDS.get(value.strip().casefold())
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    # From ten up as loggers of Node.js count, below as syslog does.
    return _in_tens(value) if value >= 10 else of_syslog(int(value))


def _in_tens(value: float) -> Severity:
    """30 is an information, 60 fatal."""
    kinds = (Severity.DEBUG, Severity.INFO, Severity.WARNING, Severity.ERROR, Severity.CRITICAL)
    return kinds[min(max(int(value) // 10 - 2, 0), 4)]


def of_syslog(priority: int) -> Severity:
    """7 is for debugging, 0 an emergency."""
    kinds = (*[Severity.CRITICAL] * 3, Severity.ERROR, Severity.WARNING, *[Severity.INFO] * 2)
    return kinds[priority] if 0 <= priority < len(kinds) else Severity.DEBUG
