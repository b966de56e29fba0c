"""The catalogue: a file for each language, English complete, read once."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from lycatra_appservice.words.text import Said, Text, Value

ENGLISH: Final = "en"
_TABLE_OF_LANGUAGE: Final = "language"


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """One file: its own name, frequent words by which it is recognised, and its texts by key."""

    code: str
    name: str
    frequent: frozenset[str]
    texts: Mapping[str, str]


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
        """Put a text into words; an unknown language is English. KeyError for an unknown key."""
        if isinstance(said, str):
            return said
        spoken = self._languages.get(language, self._english).texts.get(said.key)
        template = self._english.texts[said.key] if spoken is None else spoken
        return template.format(
            **{name: self._fill(value, language) for name, value in said.values.items()}
        )

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
    )
