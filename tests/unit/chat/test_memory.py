"""What of a conversation a question may use."""

from collections.abc import Collection, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from lycatra_appservice.agent.messages import (
    AssistantMessage,
    Message,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from lycatra_appservice.agent.trimming import intact
from lycatra_appservice.chat.memory import Recollection, Remembered, called_in, recall
from lycatra_appservice.model import UserID

ANN, BEN = UserID("@ann:hs.test"), UserID("@ben:hs.test")
CALL = ToolCall(id="call_0", name="search_logs", arguments="{}")


def turn(n: int, *tools: str, only_for: UserID | None = None) -> Remembered:
    messages: Sequence[Message] = [
        UserMessage(text=f"question {n}", name=ANN),
        AssistantMessage(text="", calls=(CALL,)),
        ToolMessage(call_id="call_0", text=f"secret {n}"),
        AssistantMessage(text=f"answer {n}"),
    ]
    return Remembered(messages=messages, rests_on=frozenset(tools), only_for=only_for)


def recalled(
    turns: Sequence[Remembered], person: UserID, *, may: Collection[str], is_alone: bool = False
) -> Recollection:
    return recall(
        turns, person, is_alone=is_alone, may_use_all=lambda names: set(names) <= set(may)
    )


def texts(known: Recollection) -> list[str]:
    return [message.text for message in known.messages if message.text]


def test_what_one_may_look_up_oneself_may_be_used() -> None:
    turns = [turn(1, "search_logs"), turn(2)]

    known = recalled(turns, BEN, may=["search_logs", "list_updates"])

    assert known.messages == [*turns[0].messages, *turns[1].messages]
    assert known.rests_on == {"search_logs"}
    assert not known.is_private


def test_of_what_is_above_ones_rights_only_the_question_is_left() -> None:
    known = recalled([turn(1, "list_updates", "search_logs"), turn(2)], BEN, may=["list_updates"])

    question, answer, *others = texts(known)
    assert question == "question 1"
    assert "left out" in answer
    assert others == ["question 2", "secret 2", "answer 2"]
    assert known.rests_on == set()


def test_who_has_lost_a_right_has_lost_what_it_had_brought_him() -> None:
    assert "secret 1" not in texts(recalled([turn(1, "search_logs")], ANN, may=[]))


def test_what_was_for_one_person_is_used_for_that_person_alone() -> None:
    turns = [turn(1, only_for=ANN), turn(2)]

    assert recalled(turns, ANN, may=[], is_alone=True).is_private
    assert "question 1" in texts(recalled(turns, ANN, may=[], is_alone=True))
    for person, is_alone in ((ANN, False), (BEN, False), (BEN, True)):
        known = recalled(turns, person, may=[], is_alone=is_alone)
        assert texts(known) == ["question 2", "secret 2", "answer 2"]
        assert not known.is_private


def test_the_tools_of_a_turn_are_those_that_were_called() -> None:
    assert called_in(turn(1).messages) == {"search_logs"}


tools = st.frozensets(st.sampled_from(["a", "b", "c"]), max_size=3)


@settings(deadline=None)
@given(
    st.lists(st.tuples(tools, st.sampled_from([None, ANN, BEN])), max_size=6), tools, st.booleans()
)
def test_nothing_above_a_person_is_ever_used_and_no_turn_is_torn(
    made: list[tuple[frozenset[str], UserID | None]], may: frozenset[str], is_alone: bool
) -> None:
    turns = [turn(n, *names, only_for=whose) for n, (names, whose) in enumerate(made)]

    known = recalled(turns, BEN, may=may, is_alone=is_alone)

    for n, (names, whose) in enumerate(made):
        may_use = names <= may and (whose is None or (whose == BEN and is_alone))
        assert (f"secret {n}" in texts(known)) is may_use
        assert (f"answer {n}" in texts(known)) is may_use
    assert known.rests_on <= may
    assert intact(known.messages) == known.messages
