"""Commands: which words run which tool, who answers, and what is said of a wrong one."""

import json

import pytest

from tests.support.live import REFUSED, Live

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_command_is_answered_with_raw_data_by_its_namespaces_own_user(live: Live) -> None:
    room = await live.stage.room()
    answer = await room.answer_to(await room.ask("!list updates"))
    assert answer["sender"] == live.users.of("updates")
    assert answer["content"]["msgtype"] == "m.notice"
    assert "Updates" in answer["content"]["body"]
    assert (await room.settled(live.tables)).clean


async def test_all_ways_to_write_a_command_run_the_same_tool(live: Live) -> None:
    room = await live.stage.room()
    for words in ("!list updates", "!list_updates", "!updates list", "/list updates"):
        await room.ask(words)
    answers = await room.answers()
    assert {answer["sender"] for answer in answers} == {live.users.of("updates")}
    assert len({answer["content"]["body"] for answer in answers}) == 1


async def test_the_status_command_tells_the_state_of_every_part(live: Live) -> None:
    room = await live.stage.room()
    answer = await room.answer_to(await room.ask("!get service status"))
    assert answer["sender"] == live.users.of("services")
    body = answer["content"]["body"]
    for part in ("database", "homeserver", "model"):
        assert f"lycatra: {part}" in body


async def test_help_lists_an_example_of_each_tool(live: Live) -> None:
    room = await live.stage.room()
    body = await room.said_to("!help")
    assert "!list updates" in body
    assert "!get service status" in body


async def test_a_virtual_user_mentioned_with_exactly_its_command_runs_it(live: Live) -> None:
    updates = live.users.of("updates")
    room = await live.stage.room(invite=[live.users.main, updates])
    asked = await room.ask("@lycatra_updates list updates")
    answer = await room.answer_to(asked)
    assert answer["sender"] == updates
    assert answer["content"]["msgtype"] == "m.notice"
    turn = await live.tables.turn(asked)
    assert turn is not None
    assert turn["lane"] == f"{room.room_id}|command"


async def test_a_command_in_a_dm_is_answered_by_lycatra_who_names_the_namespace(
    live: Live,
) -> None:
    room = await live.stage.room(others=0)
    answer = await room.answer_to(await room.ask("!list updates"))
    assert answer["sender"] == live.users.main
    assert answer["content"]["body"].startswith("Lycatra Updates:\n")
    assert await room.person.membership(room.room_id, live.users.of("updates")) is None


async def test_a_dm_with_a_virtual_user_alone_takes_its_command_without_a_prefix(
    live: Live,
) -> None:
    updates = live.users.of("updates")
    room = await live.stage.room(invite=[updates], others=0)
    answer = await room.answer_to(await room.ask("list updates"))
    assert answer["sender"] == updates
    assert await room.person.membership(room.room_id, live.users.main) is None
    assert (await room.settled(live.tables)).clean


async def test_an_unknown_command_in_a_group_is_left_to_other_bots(live: Live) -> None:
    room = await live.stage.room()
    await room.say("!frobnicate now")
    assert (await room.settled(live.tables)).clean


async def test_an_unknown_command_in_a_dm_is_answered_with_what_was_probably_meant(
    live: Live,
) -> None:
    room = await live.stage.room(others=0)
    body = await room.said_to("!lst updates")
    assert "!lst updates" in body
    assert "!list updates" in body


async def test_wrong_arguments_are_explained_field_by_field(live: Live) -> None:
    room = await live.stage.room()
    body = await room.said_to("!list updates limit=999 sinse=7")
    assert "`limit` must be a whole number from 1 to 50, not `999`" in body
    assert "did you mean `since`" in body


async def test_a_person_without_rights_reads_in_one_line_what_is_missing(live: Live) -> None:
    room = await live.stage.room()
    stranger = await live.stage.person(REFUSED)
    await room.person.invite(room.room_id, stranger.user_id)
    await stranger.join(room.room_id)
    asked = await stranger.send_text(room.room_id, "!list updates")
    body = (await room.answer_to(asked))["content"]["body"]
    assert "needs a viewer" in body
    assert "without rights" in body
    assert "\n" not in body.strip()


async def test_commands_of_a_room_are_answered_in_the_order_asked(live: Live) -> None:
    room = await live.stage.room()
    for words in ("!list updates", "!get service status", "!help", "!list updates limit=1") * 2:
        await room.ask(words)
    await room.answers()
    assert (await room.settled(live.tables)).clean


async def test_an_answer_is_a_reply_and_pings_nobody_by_itself(live: Live) -> None:
    room = await live.stage.room()
    asked = await room.ask("!help")
    content = (await room.answer_to(asked))["content"]
    assert content["m.relates_to"]["m.in_reply_to"]["event_id"] == asked
    assert "rel_type" not in content["m.relates_to"]
    assert content["m.mentions"] == {}


async def test_a_command_in_a_thread_is_answered_in_that_thread(live: Live) -> None:
    room = await live.stage.room()
    root = await room.say("let us talk about updates")
    asked = await room.ask_as_is(
        {
            "msgtype": "m.text",
            "body": "!list updates",
            "m.mentions": {},
            "m.relates_to": {"rel_type": "m.thread", "event_id": root},
        }
    )
    relation = (await room.answer_to(asked))["content"]["m.relates_to"]
    assert relation["rel_type"] == "m.thread"
    assert relation["event_id"] == root
    assert relation["m.in_reply_to"]["event_id"] == asked


async def test_json_arguments_are_read_as_they_stand(live: Live) -> None:
    room = await live.stage.room()
    body = await room.said_to(f"!list updates {json.dumps({'limit': 0})}")
    assert "`limit` must be a whole number from 1 to 50, not `0`" in body


async def figures(live: Live) -> dict[str, float]:
    _, text = await live.replica.get("/metrics")
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if line[:1] != "#")
    return {name: float(value) for name, value in lines}


async def test_a_command_is_counted_in_the_figures(live: Live) -> None:
    room = await live.stage.room()
    await live.tables.until_idle()
    before = await figures(live)
    await room.said_to("!list updates offset=7")  # not in the cache
    await live.tables.until_idle()
    after = await figures(live)
    for name in (
        'lycatra_turns_total{kind="command",outcome="done"}',
        'lycatra_tool_calls_total{face="command",outcome="ok",tool="list_updates"}',
    ):
        assert after[name] == before[name] + 1
    stored = 'lycatra_transactions_total{outcome="stored"}'
    assert after[stored] > before[stored]
    assert not any(room.room_id in name for name in after)
