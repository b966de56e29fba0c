"""The catalogue is whole: every text that the code names is there, in every language."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import lycatra_appservice
from lycatra_appservice import errors
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.words.catalogue import (
    ENGLISH,
    Catalogue,
    Language,
    in_english,
    load_catalogue,
)
from lycatra_appservice.words.text import Text
from tests.unit.words.reading import WORDS, codes, placeholders, tables
from tests.unit.words.texts_in_code import named_texts, sentences_in_code

IN_ENGLISH = tables("en")
OTHERS = [code for code in codes() if code != ENGLISH]
KINDS = {"piece", "news"}

# Errors that end up on a terminal or in a log, never in a room.
OF_OPERATORS = {"cli", "demo", "doctor", "setup", "ops", "app"}
FOR_OPERATORS = {
    "SettingsError",
    "SchemaTooNewError",
    "DiscoveryError",
    "RegistrationError",
    "UnwritableFileError",
}


def test_every_text_that_the_code_names_has_words_for_exactly_its_values() -> None:
    wrong = [
        f"{named.where}: {named.key} {sorted(map(str, named.values))}"
        for named in named_texts()
        if not named.among(IN_ENGLISH)
    ]

    assert wrong == []


def test_no_module_has_sentences_of_its_own_for_people() -> None:
    for_operators = ["errors.py", "private_file.py", "registration.py", "toolkit/discovery.py"]

    assert [
        where
        for where in sentences_in_code()
        if where.rpartition(":")[0].replace("\\", "/") not in for_operators
    ] == []


def test_every_text_of_the_catalogue_is_used() -> None:
    used = {key for named in named_texts() for key in named.among(IN_ENGLISH)}

    assert [key for key in IN_ENGLISH if key not in used] == []


@pytest.mark.parametrize("code", OTHERS)
def test_every_language_has_every_text_with_the_same_values(code: str) -> None:
    spoken = tables(code)

    assert [key for key in IN_ENGLISH if key not in spoken] == []
    assert [key for key in spoken if key not in IN_ENGLISH] == []
    assert [
        key
        for key, table in spoken.items()
        if placeholders(table["text"]) != placeholders(IN_ENGLISH[key]["text"])
    ] == []


@pytest.mark.parametrize("code", OTHERS)
def test_every_language_keeps_the_order_of_english(code: str) -> None:
    assert list(tables(code)) == list(IN_ENGLISH)


@pytest.mark.parametrize("code", codes())
def test_what_is_filled_in_has_a_name_and_no_format(code: str) -> None:
    fields = r"\{[a-z_]+\}"
    assert [
        key
        for key, table in tables(code).items()
        if re.search(r"[{}]", re.sub(fields, "", table["text"]))
    ] == []


@pytest.mark.parametrize("code", codes())
def test_commands_are_the_same_in_every_language(code: str) -> None:
    def commands(text: str) -> set[str]:
        return set(re.findall(r"`(![^`]*)`", text))

    spoken = tables(code)
    assert [
        key
        for key, table in IN_ENGLISH.items()
        if commands(table["text"]) != commands(spoken[key]["text"])
    ] == []


def test_every_text_has_its_occasion() -> None:
    assert [
        key for key, table in IN_ENGLISH.items() if not table.get("when", "").endswith(".")
    ] == []


def test_every_text_says_what_to_do_or_why_there_is_nothing_to_do() -> None:
    """That the words named by `do` help anybody is for a reader to judge, not for a test."""
    wrong = [
        key
        for key, table in IN_ENGLISH.items()
        if ("do" in table) is ("kind" in table)
        or ("do" in table and not (table["do"].strip() and table["do"] in table["text"]))
        or ("kind" in table and table["kind"] not in KINDS)
    ]

    assert wrong == []


def test_only_what_is_read_in_rooms_stands_in_a_language_file() -> None:
    for code in codes():
        known = {"text"} if code in OTHERS else {"when", "text", "do", "kind"}
        assert [key for key, table in tables(code).items() if not set(table) <= known] == []


def _all_errors(kind: type[LycatraError] = LycatraError) -> Iterator[type[LycatraError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _all_errors(below)


def test_an_error_that_people_may_read_in_a_room_is_a_text() -> None:
    for module in pkgutil.walk_packages(lycatra_appservice.__path__, "lycatra_appservice."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    wordless = [
        kind.__name__
        for kind in set(_all_errors())
        if kind.__module__.startswith("lycatra_appservice.")
        and kind.__module__.split(".")[1] not in OF_OPERATORS
        and kind.__name__ not in FOR_OPERATORS
        and not isinstance(kind.said, Text)
    ]

    assert wordless == []


def test_an_error_is_english_for_a_model_and_a_text_for_the_room() -> None:
    error = errors.TurnFailedError("abc")

    assert error.said == Text("gave_up", reference="abc")
    assert error.user_message.startswith("I could not do this")
    assert "abc" in load_catalogue().say(error.said, "de")
    assert load_catalogue().say(error.said, "de").startswith("Das konnte ich nicht")


# --- what is said when a text is missing after all -------------------------------------------


def _catalogue(**german: str) -> Catalogue:
    english = {"greeting": "Hello {name}", "lost": "{answer} (lost)"}
    return Catalogue(
        [
            Language(code="en", name="English", frequent=frozenset(), texts=english),
            Language(code="de", name="Deutsch", frequent=frozenset(), texts=german),
        ]
    )


@pytest.mark.parametrize(
    ("text", "language", "words"),
    [
        (Text("greeting", name="Ada"), "de", "Hallo Ada"),
        (Text("greeting", name="Ada"), "fr", "Hello Ada"),
        (Text("lost", answer="It is up."), "de", "It is up. (lost)"),
        (Text("nowhere", answer="It is up."), "de", "It is up."),
        (Text("nowhere", first="a", second=Text("greeting", name="b")), "de", "a\nHallo b"),
        (Text("not_there_at_all"), "en", "not there at all"),
        (Text("greeting"), "de", "greeting"),
        ("{as} it is", "de", "{as} it is"),
    ],
)
def test_an_answer_is_never_lost_for_want_of_words(
    text: Text | str, language: str, words: str
) -> None:
    assert _catalogue(greeting="Hallo {name}").say(text, language) == words


def test_a_mistake_of_a_translator_is_said_in_english() -> None:
    wrong = _catalogue(greeting="Hallo {nmae}", lost="{answer} {")

    assert wrong.say(Text("greeting", name="Ada"), "de") == "Hello Ada"
    assert wrong.say(Text("lost", answer="Up."), "de") == "Up. (lost)"


def test_missing_words_are_logged_without_what_was_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    _catalogue().say(Text("nowhere", answer="private"), "en")

    [record] = caplog.records
    assert (record.message, vars(record)["key"]) == ("text_without_words", "nowhere")
    assert "private" not in str(vars(record))


def test_what_is_filled_in_is_never_read_as_a_template() -> None:
    assert in_english(Text("item", said="{0} {said.__class__} }")) == "- {0} {said.__class__} }"


def test_a_word_that_tells_a_language_tells_one_only() -> None:
    told = [word for language in load_catalogue().languages for word in language.frequent]

    assert sorted(told) == sorted(set(told))


def test_the_files_are_the_languages() -> None:
    languages = [language.code for language in load_catalogue().languages]

    assert languages == codes()
    assert {"en", "de"} <= set(languages)
    assert all(Path(WORDS / f"{code}.toml").is_file() for code in languages)
