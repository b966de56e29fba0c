"""The few words that steer the conversation itself; no tool or namespace may be named so."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_FIRST_WORD: Final = re.compile(r"\s*+([^\W\d_][^\W_]*+)([?!.,:;]*+)(?!\S)\s*+")
_PUNCTUATION: Final = "?!.,:; "


class ControlWord(StrEnum):
    """What can be asked of the assistant about itself; `!word`."""

    HELP = "help"
    STOP = "stop"
    APPROVE = "approve"
    DENY = "deny"
    RESET = "reset"
    SETTINGS = "settings"
    WHOAMI = "whoami"
    AUDIT = "audit"
    SOURCES = "sources"
    USAGE = "usage"
    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"
    MCP = "mcp"
    E2EE = "e2ee"
    ANSWER = "answer"


_BY_NAME: Final = {word.value: word for word in ControlWord}
# The others stand alone: "stop nginx" is about nginx.
_TAKES_WORDS: Final = frozenset(
    {
        ControlWord.HELP,
        ControlWord.SETTINGS,
        ControlWord.AUDIT,
        ControlWord.MCP,
        ControlWord.ANSWER,
    }
)
# A namespace and a service of it; a longer sentence is about something else.
_TAKES_TWO: Final = frozenset({ControlWord.SUBSCRIBE, ControlWord.UNSUBSCRIBE})
_TAKES_CODE: Final = frozenset({ControlWord.APPROVE, ControlWord.DENY})


@dataclass(frozen=True, slots=True)
class Steering:
    """A control word with what was written behind it."""

    word: ControlWord
    rest: str = ""


def read_control(words: str) -> Steering | None:
    """Read the words behind a prefix; None when they steer nothing."""
    found = _FIRST_WORD.match(words)
    word = _BY_NAME.get(found[1].casefold()) if found else None
    if found is None or word is None:
        return None
    rest = words[found.end() :].strip()
    if word in _TAKES_CODE:
        return Steering(word, rest) if len(rest.split()) <= 1 else None
    if word in _TAKES_TWO:
        return Steering(word, rest) if len(rest.split()) <= 2 else None
    if word not in _TAKES_WORDS and rest.strip(_PUNCTUATION):
        return None
    return Steering(word, rest if word in _TAKES_WORDS else "")
