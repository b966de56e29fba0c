import json

import pytest

from lycatra_appservice.agent.messages import (
    AssistantMessage,
    Message,
    ModelAnswer,
    SystemMessage,
    ToolCall,
    ToolMessage,
    Usage,
    UserMessage,
    answer_from_json,
    answer_to_json,
    message_from_json,
    message_to_json,
    with_note,
)

CALL = ToolCall(id="a", name="list_updates", arguments='{"limit": 1}')


@pytest.mark.parametrize(
    "message",
    [
        SystemMessage(text="rules"),
        UserMessage(text="hi", name="@person:example.org"),
        UserMessage(text="hi"),
        AssistantMessage(text="hello"),
        AssistantMessage(text="", calls=(CALL,)),
        ToolMessage(call_id="a", text="{}"),
    ],
)
def test_a_message_comes_back_from_the_database_as_it_was(message: Message) -> None:
    assert message_from_json(json.loads(json.dumps(message_to_json(message)))) == message


@pytest.mark.parametrize(
    "answer",
    [
        ModelAnswer(text="hello"),
        ModelAnswer(
            text="",
            calls=(CALL,),
            finish="length",
            usage=Usage(prompt=3, completion=4),
            truncated=True,
        ),
    ],
)
def test_an_answer_comes_back_from_the_journal_as_it_was(answer: ModelAnswer) -> None:
    assert answer_from_json(json.loads(json.dumps(answer_to_json(answer)))) == answer


def test_a_role_of_a_later_version_is_an_error() -> None:
    with pytest.raises(ValueError, match="critic"):
        message_from_json({"role": "critic", "text": "no"})


def test_a_note_changes_only_the_last_message() -> None:
    messages: list[Message] = [UserMessage(text="one"), ToolMessage(call_id="a", text="two")]
    noted = with_note(messages, "answer now")
    assert noted == [messages[0], ToolMessage(call_id="a", text="two\n\n[answer now]")]
