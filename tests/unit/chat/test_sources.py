"""What an answer rests on: by 🔍 or `!sources`, exactly, and only for who may see it."""

import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lycatra_appservice.model import JSON, EventID, RoomID, UserID
from tests.support.model_server import ModelServer, calls, says
from tests.support.scene import (
    EVERYBODY,
    MAIN,
    OTHER,
    PERSON,
    ROOM,
    STRANGER,
    UPDATES,
    Said,
    Scene,
    open_scene,
)
from tests.support.toolbench import CANARY, Lists
from tests.support.turns import query
from tests.unit.chat.revising import reaction, take_back

OPERATOR = UserID("@operator:hs.test")
DM = RoomID("!alone")


@pytest.fixture
async def group(tmp_path: Path, model: ModelServer) -> AsyncIterator[Scene]:
    """A group in which one may more than the others."""
    lists = Lists(viewer=["*:hs.test"], operator=[OPERATOR])
    async with open_scene(tmp_path, model_url=model.base_url, lists=lists) as scene:
        scene.seat(*EVERYBODY, OPERATOR, STRANGER)
        yield scene


async def answered(
    scene: Scene, model: ModelServer, *wanted: tuple[str, str], sender: UserID = PERSON
) -> EventID:
    """An answer that rests on these calls; its event."""
    model.will(calls(*(wanted or [("list_updates", '{"limit": 7}')])), says("There are seven."))
    await scene.ask("lycatra: what is new?", sender=sender)
    return scene.last_event_id()


async def looked(scene: Scene, event_id: str, key: str = "🔍", **more: Any) -> Sequence[Said]:
    return await scene.hear(reaction(scene, event_id, key, **more))


def result_in(body: str) -> JSON:
    """The JSON that stands in a message as code."""
    return json.loads(body.partition("```json\n")[2].partition("\n```")[0])


@pytest.mark.parametrize("key", ["🔍", "🔎", "🔍\ufe0f"])
async def test_a_magnifying_glass_shows_what_the_tools_gave(
    group: Scene, model: ModelServer, key: str
) -> None:
    answer = await answered(group, model)

    [said] = await looked(group, answer, key)

    assert said.by == MAIN
    assert said.content["msgtype"] == "m.notice"
    assert result_in(said.body) == {"data": {"updates": 7}, "note": "more with limit=9"}
    assert "list_updates limit=7" in said.body
    assert "what is new?" in said.body
    assert "UTC" in said.body


async def test_it_is_shown_where_the_answer_stands(group: Scene, model: ModelServer) -> None:
    answer = await answered(group, model)

    [said] = await looked(group, answer)

    relation = said.content["m.relates_to"]
    [question] = [e for e in group.stub.rooms[ROOM].events if e["event_id"] == answer]
    assert relation["rel_type"] == "m.thread"
    assert relation["event_id"] == question["content"]["m.relates_to"]["event_id"]
    assert relation["m.in_reply_to"] == {"event_id": answer}
    assert relation["is_falling_back"] is False


async def test_every_result_is_shown_in_the_order_asked_and_no_mistake(
    group: Scene, model: ModelServer
) -> None:
    model.will(
        calls(("list_updates", '{"limit": 99}')),
        calls(("list_updates", '{"limit": 1}'), ("get_status", "{}"), ("nonsense", "{}")),
        says("So."),
    )
    await group.ask("lycatra: what is new?")

    [said] = await looked(group, group.last_event_id())

    assert said.body.index("list_updates limit=1") < said.body.index("get_status")
    assert "The disk is full." in said.body
    assert "limit=99" not in said.body
    assert "nonsense" not in said.body


async def test_sources_as_a_reply_are_those_of_that_answer(
    group: Scene, model: ModelServer
) -> None:
    first = await answered(group, model)
    await answered(group, model, ("list_updates", '{"limit": 2}'))

    relation = {"m.in_reply_to": {"event_id": first}}
    [said] = await group.ask("!sources", m_relates_to=relation)

    assert result_in(said.body)["data"] == {"updates": 7}


async def test_sources_alone_are_those_of_the_last_answer_here(
    group: Scene, model: ModelServer
) -> None:
    await answered(group, model)
    await answered(group, model, ("list_updates", '{"limit": 2}'))
    await group.ask("!list updates limit=5")

    [said] = await group.ask("!sources", sender=OTHER)

    assert result_in(said.body)["data"] == {"updates": 2}


async def test_sources_in_a_thread_are_those_of_its_last_answer(
    group: Scene, model: ModelServer
) -> None:
    model.will(calls(("list_updates", '{"limit": 7}')), says("Seven."))
    asked = group.message("lycatra: what is new?")
    await group.hear(asked)
    await answered(group, model, ("list_updates", '{"limit": 2}'))

    thread = {"rel_type": "m.thread", "event_id": asked["event_id"]}
    [said] = await group.ask("!sources", m_relates_to=thread)

    assert result_in(said.body)["data"] == {"updates": 7}
    assert said.content["m.relates_to"]["event_id"] == asked["event_id"]


async def test_without_any_answer_one_line_says_how_to_name_one(group: Scene) -> None:
    [said] = await group.ask("!sources")

    assert "🔍" in said.body
    assert len(said.body.splitlines()) == 1


async def test_another_rooms_answer_is_not_shown_here(group: Scene, model: ModelServer) -> None:
    answer = await answered(group, model)
    group.seat(OTHER, MAIN, room_id=DM)

    relation = {"m.in_reply_to": {"event_id": answer}}
    await group.push(
        group.message("!sources", sender=OTHER, room_id=DM, m_relates_to=relation),
        group.message("!sources", sender=OTHER, room_id=DM),
        {**reaction(group, answer, "🔍", sender=OTHER), "room_id": DM},
    )
    await group.work()

    assert [said.body for said in group.said(DM)] == [
        "I do not see which answer you mean. Reply to it with `!sources`, or react to it with 🔍."
    ] * 2


async def test_a_result_of_a_tool_that_the_reader_may_not_use_is_one_line(
    group: Scene, model: ModelServer
) -> None:
    wanted = ("list_updates", '{"limit": 7}')
    answer = await answered(group, model, ("crash_hard", "{}"), wanted, sender=OPERATOR)
    text = '<tool_result tool="x">\n{"data": "swordfish"}\n</tool_result>'
    await query(
        group.database,
        "UPDATE step SET name = replace(name, 'crash_hard', 'search_journal'), output = :output"
        " WHERE name LIKE '1:crash_hard:%'",
        output=json.dumps({"text": text, "mistake": None, "ran": True}),
    )
    await query(
        group.database,
        "UPDATE step SET output = replace(output, 'crash_hard', 'search_journal')"
        " WHERE name = '1:model'",
    )

    [refused] = await looked(group, answer)
    [allowed] = await looked(group, answer, sender=OPERATOR)

    assert "may not show you" in refused.body
    assert "needs an operator" in refused.body
    assert "swordfish" not in refused.body
    assert '"updates": 7' in refused.body
    assert "swordfish" in allowed.body


async def test_a_stranger_is_shown_nothing(group: Scene, model: ModelServer) -> None:
    answer = await answered(group, model)

    [said] = await looked(group, answer, sender=STRANGER)

    assert "no rights" in said.body
    assert "updates" not in said.body


async def test_the_answer_to_a_command_is_the_result_itself(group: Scene) -> None:
    await group.ask("!list updates limit=5")

    [said] = await looked(group, group.last_event_id())

    assert said.by == UPDATES
    assert "the result itself" in said.body
    assert "list_updates limit=5" in said.body


async def test_behind_a_message_of_ours_alone_stands_no_tool(
    group: Scene, model: ModelServer
) -> None:
    await group.ask("!whoami")
    [said] = await looked(group, group.last_event_id())
    assert "No command was run" in said.body

    model.will(says("Hello."))
    await group.ask("lycatra: hello you, my friend")
    [said] = await looked(group, group.last_event_id())
    assert "No command was run" in said.body


async def test_what_is_no_message_of_ours_is_nothing_to_us(group: Scene) -> None:
    theirs = group.message("good morning")
    await group.hear(theirs)

    assert not await looked(group, theirs["event_id"])
    assert not await looked(group, "$unknown")


async def test_after_a_redaction_of_the_question_nothing_is_left(
    group: Scene, model: ModelServer
) -> None:
    model.will(calls(("list_updates", '{"limit": 7}')), says("Seven."))
    asked = group.message("lycatra: what is new?")
    await group.hear(asked)
    answer = group.last_event_id()
    await group.push(take_back(group, asked))
    await group.work()

    [said] = await looked(group, answer)

    assert "no longer kept" in said.body


async def test_after_their_time_results_are_gone_and_one_line_says_so(
    group: Scene, model: ModelServer
) -> None:
    answer = await answered(group, model)
    await group.ask("!list updates limit=5")
    command = group.last_event_id()
    await query(group.database, "UPDATE turn SET finished_at = 0 WHERE finished_at IS NOT NULL")
    await group.engine.upkeep.forget(
        turns=timedelta(days=30), sends=timedelta(days=36500), dead_letters=timedelta(days=30)
    )

    for message in (answer, command):
        [said] = await looked(group, message)
        assert "no longer kept" in said.body


async def test_a_journal_that_went_with_another_redaction_is_gone(
    group: Scene, model: ModelServer
) -> None:
    answer = await answered(group, model)
    await query(group.database, "DELETE FROM step")

    [said] = await looked(group, answer)

    assert "no longer kept" in said.body


async def test_long_results_come_as_a_file(group: Scene, model: ModelServer) -> None:
    answer = await answered(group, model)
    long = json.dumps({"data": list(range(3000))})
    text = json.dumps(f'<tool_result tool="x">\n{long}\n</tool_result>')
    await query(
        group.database,
        "UPDATE step SET output = :output WHERE name LIKE '1:list_updates:%'",
        output=f'{{"text": {text}, "mistake": null, "ran": true}}',
    )

    summary, file = await looked(group, answer)

    assert "sources.txt" in summary.body
    assert file.content["msgtype"] == "m.file"
    assert file.content["filename"] == "sources.txt"


async def test_a_result_that_was_cut_is_shown_as_it_was_read(
    group: Scene, model: ModelServer
) -> None:
    answer = await answered(group, model)
    text = '<tool_result tool="x">\n{"data": "<\\/tool_result>"\n… truncated\n</tool_result>'
    await query(
        group.database,
        "UPDATE step SET output = :output WHERE name LIKE '1:list_updates:%'",
        output=json.dumps({"text": text, "mistake": None, "ran": True}),
    )

    [said] = await looked(group, answer)

    assert '{"data": "</tool_result>"' in said.body
    assert "… truncated" in said.body


async def test_secrets_of_the_configuration_are_not_shown(
    group: Scene, model: ModelServer
) -> None:
    answer = await answered(group, model)
    await query(
        group.database,
        "UPDATE step SET output = replace(output, 'more with', :canary)",
        canary=CANARY,
    )

    [said] = await looked(group, answer)

    assert CANARY not in said.body
    assert "***" in said.body


async def test_a_magnifying_glass_of_yesterday_is_left_alone(
    group: Scene, model: ModelServer
) -> None:
    answer = await answered(group, model)

    assert not await looked(group, answer, age=timedelta(days=1))


async def test_it_is_said_in_the_language_of_the_question(
    group: Scene, model: ModelServer
) -> None:
    model.will(calls(("list_updates", '{"limit": 7}')), says("Sieben."))
    await group.ask("lycatra: was ist denn heute neu und was nicht?")

    [said] = await looked(group, group.last_event_id())

    assert "Worauf meine Antwort" in said.body
