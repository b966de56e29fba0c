"""The catalogue: a file for each language, English complete, read once."""

import logging
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Final

from lycatra_appservice.words.text import Said, Text, Value

ENGLISH: Final = "en"
AUTOMATIC: Final = "auto"  # stands for no language: that of the question is taken
_TABLE_OF_LANGUAGE: Final = "language"

# What belongs to no language: code, addresses of pages and people, lines somebody else wrote.
_FOREIGN: Final = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]*`|\w+://\S+|[@#!]\S+:\S+|^>[^\n]*", re.DOTALL | re.MULTILINE
)
_WORD: Final = re.compile(r"[^\W\d_]+")
_READ_CHARACTERS: Final = 500
_TELLING_WORDS: Final = 2  # one alone may be a name, or a word of a language not known here
_TELLING_SHARE: Final = 4  # but in a message of so few words one is enough

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """One file: its own name, frequent words by which it is recognised, and its texts by key.

    `phrases` are what people say to us in few words, by what is meant: `thanks`, `greetings`.
    `questions` are the words in which they ask, for when no model reads them.
    """

    code: str
    name: str
    frequent: frozenset[str]
    texts: Mapping[str, str]
    phrases: Mapping[str, Sequence[str]] = field(default_factory=dict)
    questions: Mapping[str, Any] = field(default_factory=dict)


class Catalogue:
    """All languages. A text that a language lacks is said in English."""

    def __init__(self, languages: Sequence[Language]) -> None:
        self._languages = {language.code: language for language in languages}
        self._english = self._languages[ENGLISH]

    @property
    def languages(self) -> Sequence[Language]:
        """English first, then the others by code."""
        return sorted(self._languages.values(), key=lambda each: (each.code != ENGLISH, each.code))

    def say(self, said: Said, language: str) -> str:
        """Put a text into words; an unknown language is English.

        Never raises: an unknown key is a bug, but what is filled in may be somebody's answer.
        """
        if isinstance(said, str):
            return said
        filled = {name: self._fill(value, language) for name, value in said.values.items()}
        for spoken in (self._languages.get(language, self._english), self._english):
            try:
                return spoken.texts[said.key].format(**filled)
            except (KeyError, IndexError, ValueError):
                continue
        logger.error("text_without_words", extra={"key": said.key, "values": sorted(filled)})
        return "\n".join(str(value) for value in filled.values()) or said.key.replace("_", " ")

    def recognise(self, text: str) -> str | None:
        """The language that a text is written in; None when it is not clear, or none of ours.

        By frequent words, since only the few languages of the catalogue have to be told apart.
        """
        words = _WORD.findall(_FOREIGN.sub(" ", text[:_READ_CHARACTERS]).casefold())
        hits = {
            language.code: len(language.frequent.intersection(words))
            for language in self._languages.values()
        }
        most = max(hits.values())
        best = [code for code, count in hits.items() if count == most]
        is_telling = most >= _TELLING_WORDS or 0 < len(words) <= most * _TELLING_SHARE
        return best[0] if is_telling and len(best) == 1 else None

    def _fill(self, value: Value, language: str) -> str | int:
        match value:
            case int():
                return value
            case str() | Text():
                return self.say(value, language)
            case _:
                return "\n".join(self.say(each, language) for each in value)


@cache
def load_catalogue() -> Catalogue:
    """The catalogue that the package brings."""
    folder = resources.files(__package__)
    files = sorted(file.name for file in folder.iterdir() if file.name.endswith(".toml"))
    return Catalogue(
        [_read(name.removesuffix(".toml"), (folder / name).read_text("utf-8")) for name in files]
    )


def in_english(said: Said) -> str:
    """The words for the log, for a model, and for faces that have no language."""
    return load_catalogue().say(said, ENGLISH)


def _read(code: str, source: str) -> Language:
    tables = tomllib.loads(source)
    about = tables.pop(_TABLE_OF_LANGUAGE)
    return Language(
        code=code,
        name=about["name"],
        frequent=frozenset(about["frequent"]),
        texts={key: table["text"].strip("\n") for key, table in tables.items()},
        phrases=about.get("phrases", {}),
        questions=about.get("questions", {}),
    )
