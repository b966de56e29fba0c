"""The words of questions, in all languages at once: which say nothing, which are spans of time."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lycatra_appservice.words.catalogue import Language

_WORD: Final = re.compile(r"[^\W_]+(?:[.-][^\W_]+)*")
_SHORT_FORM: Final = re.compile(r"\b(\w{2,})['\u2019]s\b")  # "what's", "gibt's"
_ENDINGS: Final = ("ments", "ment", "ings", "ing", "ed", "es", "s", "e")
_SHORTEST_STEM: Final = 3
_DOUBLED: Final = re.compile(r"([b-df-hj-np-tv-z])\1$")


def stem(word: str) -> str:
    """What the forms of an English word have in common; other languages are listed by form."""
    if word.endswith("ies") and len(word) > len("ties"):
        return word[:-3] + "y"
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            return _DOUBLED.sub(r"\1", word.removesuffix(ending))
    return word


def words_in(text: str) -> Sequence[str]:
    """The words of a text in small letters; `my-app` and `2.3.0` are one each."""
    return _WORD.findall(_SHORT_FORM.sub(_written_out, text.casefold()))


@dataclass(frozen=True, slots=True)
class Spoken:
    """A question taken apart: words that mean something, and how many days back it looks.

    `days` is None where it names no time. `is_question` tells it from a remark, `is_bare` that
    nothing else was said than the words.
    """

    words: Sequence[str]
    days: int | None
    is_question: bool
    is_bare: bool


class QuestionWords:
    """Reads questions; what it knows stands in the files of the languages."""

    def __init__(self, languages: Iterable[Language]) -> None:
        tables = [language.questions for language in languages]
        self._openings = _all(tables, "openings")
        self._polite = _all(tables, "polite")
        self._empty = self._polite | _all(tables, "empty")
        self._beyond = _all(tables, "beyond")
        self._beyond_at_the_end = _all(tables, "beyond_at_the_end")
        self._idioms = frozenset(_plain(each) for each in _each(tables, "idioms"))
        self._definitions = _phrases(_each(tables, "definitions"))
        self._asides = _phrases(_each(tables, "asides"))
        spans = {_plain(said): days for table in tables for said, days in table["days"].items()}
        self._spans: Mapping[str, int] = spans
        self._said_spans = _phrases(spans)
        self._units = {unit: days for table in tables for unit, days in table["units"].items()}
        self._meanings: dict[str, set[str]] = {}
        for table in tables:
            for meant, said in table["meanings"].items():
                for word in said:
                    self._meanings.setdefault(word, set()).add(stem(meant))

    def read(self, question: str) -> Spoken | None:
        """Take a question apart; None for one that nobody can answer by a list."""
        plain = _plain(question)
        if plain in self._idioms or self._definitions.match(plain):
            return None
        without_asides = self._asides.sub(" ", plain)
        days = [self._spans[found] for found in self._said_spans.findall(without_asides)]
        words, counted = self._without_counted(self._said_spans.sub(" ", without_asides).split())
        if self._goes_beyond(words) or len(days) + len(counted) > 1:
            return None
        said = plain.split()
        left = [word for word in words if word not in self._empty]
        return Spoken(
            words=left,
            days=next(iter([*days, *counted]), None),
            is_question=self._opens(said) or question.rstrip().endswith("?"),
            is_bare=left == said,
        )

    def meanings(self, word: str) -> frozenset[str]:
        """Stems of the words that descriptions have where people say this one."""
        return frozenset(self._meanings.get(word, ()))

    def _opens(self, said: Sequence[str]) -> bool:
        first = next((word for word in said if word not in self._polite), None)
        return first in self._openings

    def _goes_beyond(self, words: Sequence[str]) -> bool:
        at_the_end = not self._beyond_at_the_end.isdisjoint(words[-1:])
        return at_the_end or not self._beyond.isdisjoint(words)

    def _without_counted(self, words: Sequence[str]) -> tuple[list[str], list[int]]:
        """Take "7 days" out, wherever it stands."""
        kept: list[str] = []
        days: list[int] = []
        for word in words:
            if word in self._units and kept and kept[-1].isdecimal():
                days.append(int(kept.pop()) * self._units[word])
            else:
                kept.append(word)
        return kept, days


def _written_out(found: re.Match[str]) -> str:
    return f"{found[1]} {'es' if found[1] in {'gibt', 'geht', 'gab'} else 'is'}"


def _plain(text: str) -> str:
    return " ".join(words_in(text))


def _each(tables: Sequence[Mapping[str, Any]], name: str) -> Sequence[str]:
    return [each for table in tables for each in table[name]]


def _all(tables: Sequence[Mapping[str, Any]], name: str) -> frozenset[str]:
    return frozenset(_each(tables, name))


def _phrases(said: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(map(_plain, said), key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b")
