"""The welcome: who I am, three examples that run by a reaction, where questions go; once."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from lycatra_appservice.chat.language import Tongue
from lycatra_appservice.chat.room_settings import RoomSettings
from lycatra_appservice.chat.welcome import Welcome
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, Level, UserID
from lycatra_appservice.toolkit.base import Effect, Field, ToolArgs
from lycatra_appservice.toolkit.registry import Registry
from lycatra_appservice.words.catalogue import load_catalogue
from tests.support.scene import (
    ASSISTANT,
    MAIN,
    NAMESPACES,
    OTHER,
    PERSON,
    ROOM,
    SERVICES,
    UPDATES,
    ModelSettings,
    Said,
    Scene,
)
from tests.support.toolbench import OPERATOR, STRANGER, VIEWER, Lists, a_tool, bench
from tests.support.turns import query


def seat(scene: Scene, *people: UserID, **state: JSON) -> None:
    """A room of these people; `state` by the end of its type."""
    scene.seat(*people, state={f"m.room.{kind}": content for kind, content in state.items()})


async def invite(scene: Scene, user: UserID = MAIN, by: UserID = PERSON) -> Sequence[Said]:
    """Somebody invites one of us, who comes."""
    scene.stub.rooms[ROOM].members[user] = "invite"
    scene.stub.state[ROOM, "m.room.member", user] = {"membership": "join"}
    return await scene.hear(scene.member(user, "invite", sender=by))


def reactions(scene: Scene) -> Sequence[Mapping[str, Any]]:
    return [event for event in scene.stub.rooms[ROOM].events if event["type"] == "m.reaction"]


async def test_in_a_direct_chat_it_says_who_i_am_and_what_to_try(scene: Scene) -> None:
    seat(scene, PERSON)

    [welcome] = await invite(scene)

    assert welcome.by == MAIN
    assert welcome.content["msgtype"] == "m.notice"  # nobody asked: no phone rings
    assert welcome.body == (
        "Hello, I am Lycatra. Just write to me; `!help` shows what you may do here.\n"
        "Pick one by its number: 1️⃣ `!list updates` · 2️⃣ `!get status` · 3️⃣ `!crash hard`\n"
        "No language model is set up, so only commands work."
    )
    assert welcome.content["m.mentions"] == {}


async def test_with_a_model_one_example_is_a_question_and_a_line_says_where_it_goes(
    asking: Scene,
) -> None:
    seat(asking, PERSON, OTHER)

    [welcome] = await invite(asking)

    first, second, third = welcome.body.split("\n")
    assert first.startswith("Hello, I am Lycatra. Begin with my name, or with a command")
    assert second.endswith("1️⃣ `!list updates` · 2️⃣ What is new this week? · 3️⃣ `!get status`")
    assert third == "Questions go to a model on this server."
    assert welcome.content["org.lycatra.choices"] == {
        "1️⃣": "!list updates",
        "2️⃣": "What is new this week?",
        "3️⃣": "!get status",
    }


async def test_each_example_has_its_reaction(asking: Scene) -> None:
    seat(asking, PERSON)
    await invite(asking)

    welcome = next(
        event for event in asking.stub.rooms[ROOM].events if event["type"] == "m.room.message"
    )
    assert [each["content"]["m.relates_to"] for each in reactions(asking)] == [
        {"rel_type": "m.annotation", "key": key, "event_id": welcome["event_id"]}
        for key in ("1️⃣", "2️⃣", "3️⃣")
    ]
    assert {each["sender"] for each in reactions(asking)} == {MAIN}


async def test_it_is_said_once_in_a_room_ever(scene: Scene) -> None:
    seat(scene, PERSON, OTHER)
    assert len(await invite(scene)) == 1

    assert await invite(scene, SERVICES) == []
    await query(scene.database, "UPDATE notice SET expires_at = 0 WHERE expires_at IS NOT NULL")
    scene.stub.rooms[ROOM].members[MAIN] = "leave"
    await scene.rooms.drop(ROOM)
    assert await invite(scene) == []
    assert scene.figures.unasked_ones["welcome", "said"] == 1
    assert len(reactions(scene)) == 3


async def test_virtual_users_that_are_brought_along_say_nothing(scene: Scene) -> None:
    seat(scene, PERSON, OTHER)

    [welcome] = await invite(scene)
    said = await scene.hear(scene.member(UPDATES, "invite", sender=MAIN))

    assert welcome.by == MAIN
    assert said == []


async def test_in_a_direct_chat_with_a_virtual_user_no_name_is_needed(asking: Scene) -> None:
    seat(asking, PERSON)

    [welcome] = await invite(asking, UPDATES)

    assert welcome.body.split("\n")[0].endswith(" Just write to me.")


async def test_a_virtual_user_that_was_invited_alone_shows_what_it_can(asking: Scene) -> None:
    seat(asking, PERSON)

    [welcome] = await invite(asking, UPDATES)

    assert welcome.by == UPDATES
    assert welcome.body.startswith("Hello, I am Lycatra Updates: What is new.")
    assert list(welcome.content["org.lycatra.choices"].values()) == [
        "!list updates",
        "What is new this week?",
        "!help",
    ]


class NeededArgs(ToolArgs):
    query: str = Field(max_length=100, description="Words.")


SHIPPED = Registry(
    NAMESPACES,
    {
        "assistant": [a_tool(name="help")],
        "services": [
            a_tool(name="find_service", args=NeededArgs),
            a_tool(name="get_service_status"),
            a_tool(name="restart_service", effect=Effect.CHANGE),
            a_tool(name="show_logs", level=Level.OPERATOR),
        ],
        "updates": [a_tool(name="check_feeds"), a_tool(name="list_updates")],
    },
)
CLOUD = ModelSettings(base_url="https://api.openai.com/v1")
DIRECT = RoomView(
    room_id=ROOM, name=None, encrypted=False, people={PERSON: None}, ours=frozenset()
)


@pytest.mark.parametrize(
    ("person", "speaker", "model", "shown"),
    [
        (VIEWER, MAIN, CLOUD, ["!list updates", "What is new this week?", "!get service status"]),
        (VIEWER, MAIN, None, ["!list updates", "!get service status", "!check feeds"]),
        (VIEWER, UPDATES, CLOUD, ["!list updates", "What is new this week?", "!check feeds"]),
        (
            VIEWER,
            SERVICES,
            CLOUD,
            ["!get service status", "Is everything running?", "!find service"],
        ),
        (OPERATOR, SERVICES, None, ["!get service status", "!show logs", "!find service"]),
        (VIEWER, ASSISTANT, CLOUD, ["What can you do for me?", "!help"]),
        (STRANGER, MAIN, CLOUD, ["!help"]),
    ],
)
async def test_the_examples_are_what_this_person_may_do_with_this_user(
    person: UserID, speaker: UserID, model: ModelSettings | None, shown: list[str]
) -> None:
    lists = Lists(operator=[OPERATOR], viewer=["*:example.org"])
    users = VirtualUsers(server_name="hs.test", namespaces=NAMESPACES)
    async with bench(registry=SHIPPED, lists=lists) as made:
        welcome = Welcome(
            made.gate,
            SHIPPED,
            users,
            Tongue(load_catalogue()),
            RoomSettings(),
            {"model": model} if model else {},
        )
        marker = {"to": "$x", "kind": "message"}
        [said, *reactions] = await welcome.rows(
            "Hello.", person, speaker, DIRECT, marker, notice=True
        )

    assert list(said.content["org.lycatra.choices"].values()) == shown
    assert len(reactions) == len(shown)
    assert len(said.content["body"].split("\n")) == 3
    if model is CLOUD:
        assert said.content["body"].endswith(
            "\nQuestions go to OpenAI (api.openai.com), a cloud service."
        )


@pytest.mark.parametrize(
    "state",
    [
        {"join_rules": {"join_rule": "public"}},
        {"create": {"type": "m.space", "room_version": "11"}},
    ],
)
async def test_before_a_crowd_and_in_a_space_nothing_is_said(
    scene: Scene, state: Mapping[str, JSON]
) -> None:
    seat(scene, PERSON, OTHER, **state)

    assert await invite(scene) == []
    assert scene.figures.unasked_ones["welcome", "said"] == 0


async def test_before_more_than_fifty_people_nothing_is_said(scene: Scene) -> None:
    seat(scene, *(UserID(f"@p{n}:hs.test") for n in range(51)), PERSON)

    assert await invite(scene) == []


async def test_a_room_that_wants_quiet_gets_it(scene: Scene) -> None:
    seat(scene, PERSON)
    await query(
        scene.database,
        "INSERT INTO room_settings (room, chosen, set_by, at) VALUES (:room, :chosen, '@x:y', 0)",
        room=ROOM,
        chosen=json.dumps({"quiet": ["welcome"]}),
    )

    assert await invite(scene) == []
    assert scene.figures.unasked_ones == {("welcome", "quiet"): 1}


async def test_it_is_said_in_the_rooms_language(asking: Scene) -> None:
    seat(asking, PERSON)
    await query(
        asking.database,
        "INSERT INTO room_settings (room, chosen, set_by, at) VALUES (:room, :chosen, '@x:y', 0)",
        room=ROOM,
        chosen=json.dumps({"language": "de"}),
    )

    [welcome] = await invite(asking)

    assert welcome.body.startswith("Hallo, ich bin Lycatra.")
    assert welcome.content["org.lycatra.choices"]["2️⃣"] == "Was ist diese Woche neu?"


async def test_what_was_asked_too_long_ago_is_named_even_right_after_it(scene: Scene) -> None:
    seat(scene, PERSON)
    await invite(scene)

    [line] = await scene.hear(scene.message("!list updates", age=timedelta(hours=3)))

    assert "too old to act on" in line.body
    assert scene.figures.unasked_ones["too_old", "said"] == 1
