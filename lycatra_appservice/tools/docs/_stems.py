"""Words as they are looked for: their stems, and English ones for German ones; pure."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from lycatra_appservice.tools.docs._german import CALLED_HERE, ENGLISH_OF

_WORD: Final = re.compile(r"[^\W_]+")
_ENDINGS: Final = (
    *("ierungen", "ierung", "ations", "ation", "ungen", "ments", "ment", "ings", "ung", "ing"),
    *(
        "als",
        "al",
        "ies",
        "ied",
        "ern",
        "ers",
        "est",
        "en",
        "er",
        "ed",
        "es",
        "em",
        "e",
        "s",
        "n",
        "y",
    ),
)
_SHORTEST: Final = 3  # of a stem
_SHORTEST_PART: Final = 4  # of a German word inside another one
# Words that stand everywhere.
_EMPTY_TEXT: Final = (
    "a an and are as at be been but by can could do does for from had has have how i if in into "
    "is it its me my not of on or our should so than that the their them then there these they "
    "this to us was we were what when where which who why will with would you your "
    "aber als am an auch auf aus bei bin bis da das dass dem den der des die doch du ein eine "
    "einem einen einer eines er es für hat ich ihr im in ist kann kannst können man mein meine "
    "mich mir mit muss nach nicht noch nur oder sich sie sind so über um und uns vom von vor war "
    "was wenn wer werden wie wird wo wofür wozu wir zu zum zur"
)
_EMPTY: Final = frozenset(_EMPTY_TEXT.split())


def stems_of(text: str) -> Sequence[str]:
    """The stems of a text, in its order, without words that stand everywhere."""
    words = _WORD.findall(text.casefold())
    return [_stem(word) for word in words if word not in _EMPTY]


def wanted_stems(query: str) -> Sequence[str]:
    """Those to look for: of the words themselves, and of those that the documents use."""
    words = [word for word in _WORD.findall(query.casefold()) if word not in _EMPTY]
    english = [each for word in words for each in _in_english(word)]
    english += [each for word in words for each in CALLED_HERE.get(word, "").split()]
    return list(dict.fromkeys(map(_stem, (*words, *english))))


@lru_cache(maxsize=50_000)
def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST:
            return word.removesuffix(ending)
    return word


def _in_english(word: str) -> Iterator[str]:
    """Of a word, or of the words that a German one is put together from."""
    stem = _stem(word)
    whole = [each for each in ENGLISH_OF if _stem(each) == stem]
    parts = [
        each for each in ENGLISH_OF if len(_stem(each)) >= _SHORTEST_PART and _stem(each) in word
    ]
    for found in whole or parts:
        yield from ENGLISH_OF[found].split()
