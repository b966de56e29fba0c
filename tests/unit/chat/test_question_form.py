"""What people write into the form of a question."""

import pytest

from lycatra_appservice.chat.question_form import UnfitError, example_of, read_answer
from lycatra_appservice.model import JSON
from lycatra_appservice.toolkit.questions import Reaction

SIZE: dict[str, JSON] = {
    "type": "object",
    "properties": {
        "size": {"type": "integer", "minimum": 1, "maximum": 9},
        "colour": {"type": "string", "enum": ["red", "light blue"]},
    },
    "required": ["size"],
}
SURE: dict[str, JSON] = {"type": "object", "properties": {"sure": {"type": "boolean"}}}
NOTHING: dict[str, JSON] = {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    ("words", "form", "content"),
    [
        ("3", SIZE, {"size": 3}),
        ("size=3 colour=red", SIZE, {"size": 3, "colour": "red"}),
        ('3 colour="light blue"', SIZE, {"size": 3, "colour": "light blue"}),
        ('{"size": 4}', SIZE, {"size": 4}),
        ("yes", SURE, {"sure": True}),
        ("ja", SURE, {"sure": True}),
        ("ok", NOTHING, {}),
    ],
)
def test_an_answer_is_read_as_commands_are(
    words: str, form: dict[str, JSON], content: dict[str, JSON]
) -> None:
    written = read_answer(words, form)

    assert written.reaction is Reaction.ACCEPT
    assert written.content == content


@pytest.mark.parametrize("words", ["no", "No", "cancel", "nein"])
def test_a_no_declines(words: str) -> None:
    assert read_answer(words, SIZE).reaction is Reaction.DECLINE


@pytest.mark.parametrize(
    ("words", "fields"),
    [("12", ["size"]), ("size=3 colour=green", ["colour"]), ("", ["size"]), ("{oh", [])],
)
def test_what_does_not_fit_names_the_fields(words: str, fields: list[str]) -> None:
    with pytest.raises(UnfitError) as unfit:
        read_answer(words, SIZE)

    assert list(unfit.value.fields) == fields


@pytest.mark.parametrize("form", [SIZE, SURE, NOTHING])
def test_the_example_is_an_answer(form: dict[str, JSON]) -> None:
    assert read_answer(example_of(form), form).reaction is Reaction.ACCEPT
