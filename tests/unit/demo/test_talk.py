import pytest

from lycatra_appservice.demo.talk import Outcomes, message_text, reply_mark, spoken
from lycatra_appservice.model import JSON


def event(**content: JSON) -> JSON:
    return {"type": "m.room.message", "sender": "@lycatra:hs.test", "content": content}


def marked(**mark: JSON) -> JSON:
    return event(body="hi", **{"org.lycatra.reply": {"to": "$a", "part": 1, "of": 1, **mark}})


def test_later_lines_are_indented_below_the_name() -> None:
    assert spoken("lycatra", "one\n\n- two\n") == "lycatra: one\n\n  - two"


def test_nobody_can_take_over_the_terminal_with_control_characters() -> None:
    assert spoken("mallory", "\x1b]0;owned\x07\x1b[2Jhi\u202e") == "mallory: ]0;owned[2Jhi"


@pytest.mark.parametrize(
    ("mark", "complete"),
    [
        ({}, True),
        ({"part": 2, "of": 2, "kind": "message"}, True),
        ({"part": 1, "of": 2}, False),
        ({"kind": "card"}, True),
    ],
)
def test_an_answer_is_complete_with_the_last_part_of_its_message(
    mark: JSON, complete: bool
) -> None:
    found = reply_mark(marked(**mark))

    assert found is not None
    assert found.is_outcome is complete


@pytest.mark.parametrize(
    "other",
    [
        event(body="hi"),
        event(body="hi", **{"org.lycatra.reply": "yes"}),
        marked(part="1"),
        {"type": "m.room.message"},
    ],
)
def test_a_message_without_a_sound_mark_answers_nothing(other: JSON) -> None:
    assert reply_mark(other) is None


def test_an_edit_tells_its_new_text_and_answers_nothing() -> None:
    edit = marked()
    edit["content"]["m.relates_to"] = {"rel_type": "m.replace", "event_id": "$b"}
    edit["content"]["m.new_content"] = {"body": "better"}

    assert reply_mark(edit) is None
    assert message_text(edit) == "better"


def test_a_malformed_message_says_nothing() -> None:
    assert message_text(event(body=7)) is None
    assert message_text({"type": "m.room.message", "content": None}) is None
    assert message_text({"type": "m.reaction", "content": {"body": "x"}}) is None


def test_the_last_edit_of_a_draft_is_an_answer_and_the_others_are_not() -> None:
    def edit(**more: JSON) -> JSON:
        relation = {"rel_type": "m.replace", "event_id": "$draft"}
        made = marked(kind=more.pop("kind"))
        made["content"] |= {"m.relates_to": relation, "m.new_content": {"body": "x"}, **more}
        return made

    live: dict[str, JSON] = {"org.matrix.msc4357.live": {}}
    begun = {**marked(kind="draft"), "event_id": "$draft"}
    begun["content"] |= live
    outcomes = Outcomes()

    assert outcomes.mark_of(edit(kind="message")) is None  # of a message that nobody knows
    found = outcomes.mark_of(begun)
    assert found is not None
    assert not found.is_outcome
    assert outcomes.mark_of(edit(kind="draft", **live)) is None
    found = outcomes.mark_of(edit(kind="message"))
    assert found is not None
    assert found.is_outcome
