from collections.abc import Mapping
from typing import Any

import pytest

from lycatra_appservice.agent.accumulator import AnswerAccumulator
from lycatra_appservice.agent.messages import ModelAnswer, ToolCall


def put_together(
    *deltas: Mapping[str, Any], finish: str | None = "tool_calls", ended_well: bool = True
) -> ModelAnswer:
    answer = AnswerAccumulator("abcdefgh")
    for said in deltas:
        answer.add({"choices": [{"index": 0, "delta": said}]})
    answer.add({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    return answer.finish(ended_well=ended_well)


def piece(
    index: int | None = 0, call_id: str | None = None, name: str | None = None, args: Any = None
) -> dict[str, Any]:
    fields = {"index": index, "id": call_id, "function": {"name": name, "arguments": args}}
    return {"tool_calls": [fields]}


def call(call_id: str, name: str, arguments: str = "{}") -> ToolCall:
    return ToolCall(id=call_id, name=name, arguments=arguments)


def test_fragments_of_one_call_become_one_call() -> None:
    answer = put_together(
        piece(0, "a", "list_updates", ""), piece(0, args='{"lim'), piece(0, args='it":3}')
    )
    assert answer.calls == (call("a", "list_updates", '{"limit":3}'),)


def test_two_calls_that_both_say_index_0_stay_two() -> None:
    answer = put_together(piece(0, "a", "first", '{"x":1}'), piece(0, "b", "second", '{"y":2}'))
    assert answer.calls == (call("a", "first", '{"x":1}'), call("b", "second", '{"y":2}'))


def test_two_nameless_ids_at_index_0_are_told_apart_by_a_name_after_complete_arguments() -> None:
    answer = put_together(
        piece(0, None, "same", '{"x":1}'), piece(0, None, "same", '{"x"'), piece(0, args=":2}")
    )
    assert [each.arguments for each in answer.calls] == ['{"x":1}', '{"x":2}']


def test_two_calls_without_arguments_or_ids_at_index_0_stay_two() -> None:
    answer = put_together(piece(0, None, "first"), piece(0, None, "second"))
    assert [each.name for each in answer.calls] == ["first", "second"]


def test_a_name_repeated_in_every_piece_is_still_one_call() -> None:
    answer = put_together(piece(0, "a", "same", '{"x"'), piece(0, "a", "same", ":1}"))
    assert answer.calls == (call("a", "same", '{"x":1}'),)


def test_interleaved_calls_at_one_index_are_told_apart_by_their_ids() -> None:
    answer = put_together(
        piece(0, "a", "first", '{"x"'), piece(0, "b", "second", '{"y"'), piece(0, "a", args=":1}")
    )
    assert [each.arguments for each in answer.calls] == ['{"x":1}', '{"y"']


def test_missing_indexes_follow_the_last_call() -> None:
    answer = put_together(
        piece(None, "a", "first", '{"x"'), piece(None, args=":1}"), piece(None, "b", "second")
    )
    assert answer.calls == (call("a", "first", '{"x":1}'), call("b", "second"))


def test_calls_without_ids_get_nine_letters_and_digits() -> None:
    answer = put_together(piece(0, None, "first"), piece(1, "", "second"))
    assert [each.id for each in answer.calls] == ["abcdefgh0", "abcdefgh1"]


def test_an_id_given_twice_is_replaced_the_second_time() -> None:
    answer = put_together(piece(0, "a", "first"), piece(1, "a", "second"))
    assert [each.id for each in answer.calls] == ["a", "abcdefgh1"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"limit": 3}, '{"limit": 3}'),
        ({}, "{}"),
        ("", "{}"),
        (None, "{}"),
        ("null", "{}"),
        ('"{\\"limit\\":3}"', '{"limit":3}'),
        ("not json", "not json"),
    ],
)
def test_arguments_of_every_kind_become_the_text_of_an_object(arguments: Any, text: str) -> None:
    assert put_together(piece(0, "a", "tool", arguments)).calls[0].arguments == text


def test_calls_count_although_the_server_says_stop() -> None:
    assert put_together(piece(0, "a", "tool"), finish="stop").calls == (call("a", "tool"),)


def test_text_beside_calls_is_kept() -> None:
    answer = put_together({"content": "Let me look."}, piece(0, "a", "tool"))
    assert (answer.text, len(answer.calls)) == ("Let me look.", 1)


def test_an_end_without_a_reason_or_done_is_a_cut() -> None:
    answer = put_together({"content": "Half"}, finish=None, ended_well=False)
    assert (answer.text, answer.truncated) == ("Half", True)


def test_a_done_without_a_reason_is_no_cut() -> None:
    assert not put_together({"content": "All"}, finish=None).truncated


def test_a_reason_without_a_done_is_no_cut() -> None:
    assert not put_together({"content": "All"}, finish="stop", ended_well=False).truncated


def test_the_length_limit_is_a_cut() -> None:
    assert put_together({"content": "Half"}, finish="length").truncated


def test_a_call_cut_before_its_arguments_is_not_completed() -> None:
    answer = put_together(
        piece(0, "a", "first"), piece(1, "b", "second"), finish=None, ended_well=False
    )
    assert [each.arguments for each in answer.calls] == ["{}", ""]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_is_heard_and_not_shown(field: str) -> None:
    answer = AnswerAccumulator("abcdefgh")
    assert answer.add({"choices": [{"delta": {field: "hmm"}}]}) == ""
    assert answer.finish(ended_well=True).text == ""


@pytest.mark.parametrize(
    "chunk",
    [
        {"choices": []},
        {"choices": None},
        {},
        {"choices": [{"delta": None}]},
        {"choices": [{}]},
        {"choices": [{"delta": {"role": "assistant", "content": ""}}]},
        {"choices": [{"index": 1, "delta": {"content": "another choice"}}]},
        {"choices": ["odd"], "usage": "odd"},
        {"choices": [{"delta": {"tool_calls": None, "content": None}}]},
    ],
)
def test_chunks_without_words_say_nothing(chunk: dict[str, Any]) -> None:
    answer = AnswerAccumulator("abcdefgh")
    assert answer.add(chunk) is None
    assert answer.finish(ended_well=True).text == ""


def test_the_usage_of_the_chunk_without_choices_is_kept() -> None:
    answer = AnswerAccumulator("abcdefgh")
    answer.add({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}})
    usage = answer.finish(ended_well=True).usage
    assert usage is not None
    assert (usage.prompt, usage.completion) == (7, 2)


def test_a_character_cut_in_two_arrives_whole() -> None:
    assert put_together({"content": "Hi \ud83d"}, {"content": "\ude00!"}).text == "Hi 😀!"


def test_what_no_database_takes_is_left_out() -> None:
    answer = put_together({"content": "a\0b\ud83d"}, piece(0, "i\0d", "na\0me", "{\0}"))
    assert answer.text == "ab\ufffd"
    assert answer.calls == (call("id", "name", "{}"),)


def test_content_in_parts_is_joined() -> None:
    parts = [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]
    assert put_together({"content": parts}).text == "one two"
