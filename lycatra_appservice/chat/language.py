"""Which of the catalogue's languages a person is answered in."""

import re
from collections import Counter
from typing import Final

from lycatra_appservice.words.catalogue import ENGLISH, Catalogue
from lycatra_appservice.words.text import Said

_WORD: Final = re.compile(r"[^\W\d_]+")
_READ_CHARACTERS: Final = 500
AUTOMATIC: Final = "auto"


class Tongue:
    """Puts texts of the catalogue into the language of whoever reads them."""

    def __init__(self, catalogue: Catalogue, default: str = ENGLISH) -> None:
        """`default` is for what gives no hint, such as `!list updates`."""
        self._catalogue = catalogue
        self._default = default

    def of(self, body: str, chosen: object = AUTOMATIC) -> str:
        """The language of a message, unless the room has `chosen` one.

        By frequent words, since only the few languages of the catalogue have to be told apart.
        """
        if isinstance(chosen, str) and chosen != AUTOMATIC:
            return chosen
        words = _WORD.findall(body[:_READ_CHARACTERS].casefold())
        hits = Counter(
            {
                language.code: sum(word in language.frequent for word in words)
                for language in self._catalogue.languages
            }
        )
        (best, most), *others = hits.most_common()
        is_clear = most > 0 and all(count < most for _, count in others)
        return best if is_clear else self._default

    def say(self, said: Said, language: str) -> str:
        """The words of a text."""
        return self._catalogue.say(said, language)
