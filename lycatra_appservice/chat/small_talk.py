"""What people say in so few words that no model is needed: a greeting, thanks, an emoji. Pure."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from lycatra_appservice.chat.control import ControlWord
from lycatra_appservice.chat.emoji import STOP_SIGNS, plain_emoji

# Marks that nobody sees: directions of writing, joiners, soft hyphens. Phones put them anywhere.
INVISIBLE: Final = "".join(
    chr(point)
    for first, last in (
        (0xAD, 0xAD),
        (0x61C, 0x61C),
        (0x180E, 0x180E),
        (0x200B, 0x200F),
        (0x202A, 0x202E),
        (0x2060, 0x2069),
        (0xFE0E, 0xFE0F),
        (0xFEFF, 0xFEFF),
    )
    for point in range(first, last + 1)
)
BLANKS: Final = INVISIBLE + "".join(c for c in map(chr, range(0x3001)) if c.isspace())
_LONGEST: Final = 60  # characters; more is a message, not small talk
_AROUND: Final = re.compile(r"[\W_]++")
_SMILEYS: Final = frozenset({":)", ":-)", ";)", ";-)", ":d", ":-d", "=)", ":p", ":-p", "<3", "^^"})
_PICTURES: Final = frozenset({"So", "Cn"})  # Cn: emoji that are newer than Python's tables
_BESIDE_PICTURES: Final = frozenset({"Sk", "Cf", "Mn"})  # skin tones, joiners, variants

Phrases: TypeAlias = Mapping[str, Sequence[str]]


class SmallTalk:
    """Knows the phrases of all languages at once: "hi" is a greeting in any of them."""

    def __init__(self, languages: Iterable[Phrases]) -> None:
        """For each language of the catalogue what people say, by what is meant."""
        spoken = list(languages)
        self._greetings = _all(spoken, "greetings")
        self._thanks = _all(spoken, "thanks")
        self._controls = {
            **dict.fromkeys(_all(spoken, "help"), ControlWord.HELP),
            **dict.fromkeys(_all(spoken, "stop"), ControlWord.STOP),
        }
        self._before_a_name = self._greetings | self._thanks | _all(spoken, "before_a_name")

    @property
    def before_a_name(self) -> Sequence[str]:
        """What may stand before a name at the beginning of a message, the longest first."""
        return sorted(self._before_a_name, key=lambda phrase: (-len(phrase), phrase))

    def is_greeting(self, said: str) -> bool:
        """Whether this is a greeting and nothing else."""
        return _plain(said) in self._greetings

    def is_thanks(self, said: str) -> bool:
        """Whether this is a thank-you and nothing else."""
        return _plain(said) in self._thanks

    def control(self, said: str) -> ControlWord | None:
        """The control word that words without a prefix mean, all of them together."""
        marks = set(unicodedata.normalize("NFKC", said[:_LONGEST]))
        if "?" in marks and marks <= {"?", "!", " "}:
            return ControlWord.HELP
        if plain_emoji(said[:_LONGEST]) in STOP_SIGNS:
            return ControlWord.STOP
        return self._controls.get(_plain(said))


def is_emoji(said: str) -> bool:
    """Whether this is nothing but emoji, or a smiley of the old kind."""
    if not 0 < len(said) <= _LONGEST:
        return False
    if said.casefold() in _SMILEYS:
        return True
    kinds = {unicodedata.category(character) for character in "".join(said.split())}
    return bool(kinds & _PICTURES) and kinds <= _PICTURES | _BESIDE_PICTURES


def _all(spoken: Iterable[Phrases], meaning: str) -> frozenset[str]:
    return frozenset(_plain(each) for phrases in spoken for each in phrases.get(meaning, ()))


def _plain(said: str) -> str:
    """Words to compare: without case, punctuation and emoji; nothing for what is too long."""
    if len(said) > _LONGEST:
        return ""
    return _AROUND.sub(" ", unicodedata.normalize("NFC", said)).strip().casefold()
