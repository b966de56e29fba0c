"""Which of the catalogue's languages a person is answered in."""

from lycatra_appservice.words.catalogue import AUTOMATIC, ENGLISH, Catalogue
from lycatra_appservice.words.text import Said


class Tongue:
    """Puts texts of the catalogue into the language of whoever reads them."""

    def __init__(self, catalogue: Catalogue, default: str = ENGLISH) -> None:
        """`default` is for what gives no hint, such as `!list updates`; `auto` is English."""
        self._catalogue = catalogue
        self._default = ENGLISH if default == AUTOMATIC else default

    def of(self, body: str, chosen: object = AUTOMATIC) -> str:
        """The language of a message, unless the room has `chosen` one."""
        if isinstance(chosen, str) and chosen != AUTOMATIC:
            return chosen
        return self._catalogue.recognise(body) or self._default

    def name_of(self, language: str) -> str:
        """What a language calls itself; its code for one that the catalogue lacks."""
        spoken = {each.code: each.name for each in self._catalogue.languages}
        return spoken.get(language, language)

    def say(self, said: Said, language: str) -> str:
        """The words of a text."""
        return self._catalogue.say(said, language)
