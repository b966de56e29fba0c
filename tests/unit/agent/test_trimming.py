import pytest
from hypothesis import given
from hypothesis import strategies as st

from lycatra_appservice.agent.attached import told
from lycatra_appservice.agent.messages import (
    AssistantMessage,
    Attached,
    AttachedKind,
    Message,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from lycatra_appservice.agent.trimming import chars_of, fitted, intact

SYSTEM = SystemMessage(text="rules")
QUESTION = UserMessage(text="now?")


def turn(number: int, result_chars: int = 0) -> list[Message]:
    call = ToolCall(id=f"c{number}", name="tool", arguments="{}")
    return [
        UserMessage(text=f"question {number}"),
        AssistantMessage(text="", calls=(call,)),
        ToolMessage(call_id=f"c{number}", text="r" * result_chars),
        AssistantMessage(text=f"answer {number}"),
    ]


def texts(messages: list[Message]) -> str:
    return " ".join(message.text for message in messages)


def test_what_fits_is_left_alone() -> None:
    messages = [SYSTEM, *turn(1, 500), QUESTION]
    fit = fitted(messages, chars_of(messages))
    assert (fit.messages, fit.forgot) == (messages, False)


def test_old_results_go_before_old_turns() -> None:
    messages = [SYSTEM, *turn(1, 2000), *turn(2, 2000), QUESTION]
    fit = fitted(messages, chars_of(messages) - 1000)
    assert not fit.forgot
    assert "left out to save space" in fit.messages[3].text
    assert fit.messages[7].text == "r" * 2000


def test_the_oldest_turns_go_whole() -> None:
    messages = [SYSTEM, *turn(1), *turn(2), QUESTION]
    fit = fitted(messages, chars_of(messages) - 10)
    assert fit.forgot
    assert fit.messages == [SYSTEM, *turn(2), QUESTION]


@pytest.mark.parametrize("letter", ["a", "я", "漢"])  # the last takes three bytes
def test_what_goes_with_a_question_is_shortened_in_every_script(letter: str) -> None:
    file = Attached(kind=AttachedKind.FILE, name="notes.txt", text=letter * 16_000)
    asked = UserMessage(text="what is it about?", attached=[file])
    fit = fitted([SYSTEM, asked], 6000)
    assert chars_of(fit.messages) <= 6000
    [_, question] = fit.messages
    assert isinstance(question, UserMessage)
    assert len(told(question, images=False).encode()) <= 6000


def test_a_turns_own_unseen_results_share_the_room() -> None:
    calls = tuple(ToolCall(id=str(n), name="tool", arguments="{}") for n in range(3))
    current: list[Message] = [QUESTION, AssistantMessage(text="", calls=calls)]
    current += [
        ToolMessage(call_id=str(n), text="r" * 9000 + "\n</tool_result>") for n in range(3)
    ]
    fit = fitted([SYSTEM, *turn(1), *current], 6000)
    assert chars_of(fit.messages) <= 6000
    for message in fit.messages[-3:]:
        assert message.text.endswith("does not fit; ask for less at a time …\n</tool_result>")


@given(
    sizes=st.lists(st.integers(0, 3000), max_size=8),
    own=st.integers(0, 6000),
    budget=st.integers(0, 20_000),
)
def test_pairs_system_and_question_always_stay(sizes: list[int], own: int, budget: int) -> None:
    history = [message for number, size in enumerate(sizes) for message in turn(number, size)]
    current = turn(99, own)[:3]
    fit = fitted([SYSTEM, *history, *current], budget)
    assert fit.messages[0] == SYSTEM
    assert fit.messages[-3] == current[0]
    assert intact(fit.messages[1:]) == list(fit.messages[1:])
    assert chars_of(fit.messages) <= max(budget, 700)
