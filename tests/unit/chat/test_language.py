"""In which language a person is answered."""

import pytest

from lycatra_appservice.chat.language import Tongue
from lycatra_appservice.words.catalogue import load_catalogue
from lycatra_appservice.words.text import Text

DEFAULT = "xx"  # no language at all, so that it is seen where nothing else was clear
TONGUE = Tongue(load_catalogue(), DEFAULT)

ENGLISH = [
    "What is new?",
    "which updates came in this week?",
    "lycatra: is the web shop down?",
    "Can you tell me why the build failed",
    "thanks",
    "Thank you!",
    "Hello",
    "hello lycatra",
    "How do I restart Grafana?",
    "WHO DID THIS",
    "what's up with the database?",
    "did the server die?",
    "Is it up? ```der die das ist nicht und wo```",
    "where does https://example.org/das/ist/der/Weg come from?",
]
GERMAN = [
    "Was ist neu?",
    "was läuft gerade?",
    "Welche Updates gab es diese Woche?",
    "lycatra: läuft der Webshop?",
    "Kannst du mir sagen, warum der Build kaputt ist",
    "danke",
    "Danke dir!",
    "Guten Morgen",
    "moin",
    "Hilfe!",
    "Hallo",
    "hallo lycatra",
    "Wie starte ich Grafana neu?",
    "WER HAT DAS GEMACHT",
    "zeig mir die Logs von gestern",
    "Gibt es etwas Neues?",
    "warum steht da `what is the matter with you`?",
    "> what is the matter with you?\nDas ist nicht gut",
    "Status von Nextcloud bitte",
]
UNCLEAR = [
    "",
    "   ",
    "👍",
    "🎉🎉🎉",
    "42",
    "?",
    "!help",
    "!list updates",
    "/list updates 7",
    "lycatra",
    "@lycatra:example.org",
    "updates",
    "Grafana",
    "ok",
    # mixed
    "Zeig mir please the Updates",
    "danke, thanks",
    # other languages
    "Qu'est-ce qu'il y a de neuf sur le serveur ?",
    "Où est le journal du serveur ?",
    "Redémarrage du serveur",
    "merci",
    "¿Qué hay de nuevo en el servidor?",
    "¿Es lo mismo?",
    "gracias",
    "Cosa c'è di nuovo?",
    "O que há de novo?",
    "Vad är nytt?",
    "Hvad er nyt?",
    "Mikä on uutta?",
    "Co nowego?",
    "Что нового?",
    "新しいものはありますか",
    "有什么新消息",
    "ما الجديد؟",
    # code
    "```\nwhat is the matter with you\n```",
    "`der die das ist nicht`",
    "ls -la /var/log",
    "Traceback: KeyError 'x'",
    "https://example.org/what/is/the/matter",
]


@pytest.mark.parametrize("body", ENGLISH)
def test_english_is_answered_in_english(body: str) -> None:
    assert TONGUE.of(body) == "en"


@pytest.mark.parametrize("body", GERMAN)
def test_german_is_answered_in_german(body: str) -> None:
    assert TONGUE.of(body) == "de"


@pytest.mark.parametrize("body", UNCLEAR)
def test_what_is_not_clear_is_answered_in_the_default_language(body: str) -> None:
    assert TONGUE.of(body) == DEFAULT


@pytest.mark.parametrize("body", [ENGLISH[0], GERMAN[0], UNCLEAR[-1]])
def test_what_a_room_chose_is_stronger_than_the_question(body: str) -> None:
    assert TONGUE.of(body, "de") == "de"
    assert TONGUE.of(body, "en") == "en"


@pytest.mark.parametrize("chosen", ["auto", None, 7, ["de"]])
def test_no_choice_or_none_that_can_be_read_leaves_it_to_the_question(chosen: object) -> None:
    assert TONGUE.of(GERMAN[0], chosen) == "de"


def test_what_nobody_asked_is_said_in_the_configured_language() -> None:
    assert Tongue(load_catalogue(), "de").of("") == "de"
    assert Tongue(load_catalogue(), "auto").of("") == "en"


def test_only_the_beginning_of_a_long_message_is_read() -> None:
    assert TONGUE.of("x " * 300 + "the " * 10_000) == DEFAULT


def test_a_language_that_nobody_knows_any_more_is_english() -> None:
    assert TONGUE.say(Text("was_reset"), "xx").startswith("I start afresh")
    assert TONGUE.say(Text("was_reset"), "de").startswith("Ich fange")
