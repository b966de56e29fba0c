"""What people ask us about ourselves: `!help`, `!settings`, `!whoami`."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from lycatra_appservice.model import JSON, RoomID, UserID
from tests.support.scene import (
    EVERYBODY,
    MAIN,
    OTHER,
    PERSON,
    ROOM,
    STRANGER,
    UPDATES,
    Scene,
    open_scene,
)
from tests.support.toolbench import Lists

DM = RoomID("!alone")
MODERATOR, ADMIN = UserID("@moderator:hs.test"), UserID("@admin:hs.test")
POWER: Mapping[str, JSON] = {"m.room.power_levels": {"users": {MODERATOR: 50}}}


@pytest.fixture
async def group(tmp_path: Path) -> AsyncIterator[Scene]:
    """A group in which only the moderator may change the room, with an admin of ours in it."""
    lists = Lists(viewer=["*:hs.test"], operator=(), admin=[ADMIN])
    async with open_scene(tmp_path, lists=lists) as scene:
        scene.seat(*EVERYBODY, MODERATOR, ADMIN, STRANGER, state=POWER)
        yield scene


async def told(scene: Scene, words: str, *, sender: UserID = PERSON, room: RoomID = ROOM) -> str:
    """What one is told who writes this, without the marks of code."""
    before = len(scene.said(room))
    await scene.push(scene.message(words, sender=sender, room_id=room))
    await scene.work()
    (said,) = scene.said(room)[before:]
    return said.body.replace("`", "")


async def test_help_fits_a_phone_and_names_what_this_person_may_do_here(group: Scene) -> None:
    said = await told(group, "!help")

    lines = said.splitlines()
    assert len(lines) <= 10
    assert "assistant" not in said  # help itself is nothing to be told about
    assert any("updates" in line and "!list updates" in line for line in lines)
    assert any("services" in line and "!get status" in line for line in lines), said
    assert "!settings" in said
    assert "!whoami" in said


async def test_help_is_spoken_by_lycatra_and_rings_nobody(group: Scene) -> None:
    (said,) = await group.ask("!help")

    assert said.by == MAIN
    assert said.content["msgtype"] == "m.notice"
    assert said.content["m.mentions"] == {}


async def test_help_without_a_model_speaks_of_commands_only(group: Scene) -> None:
    said = await told(group, "!help")

    assert "No language model" in said
    assert "!reset" not in said


@pytest.mark.parametrize(
    ("members", "state", "sentence"),
    [
        ((PERSON, MAIN), {}, "Just write here"),
        ((PERSON, OTHER, MAIN), {}, "Begin with my name"),
        (
            (PERSON, OTHER, MAIN),
            {"m.room.join_rules": {"join_rule": "public"}},
            "only answer those who name me",
        ),
    ],
)
async def test_help_says_how_to_ask_in_such_a_room(
    asking: Scene, members: tuple[UserID, ...], state: Mapping[str, JSON], sentence: str
) -> None:
    asking.seat(*members, state=state)

    said = await told(asking, "lycatra: !help")

    assert sentence in said
    assert "!reset" in said
    assert "!stop" in said


async def test_help_in_german_for_who_writes_german(asking: Scene) -> None:
    asking.seat(PERSON, MAIN)

    assert "Schreib einfach hier" in await told(asking, "hilfe bitte")
    await told(asking, "!settings language de")
    assert "Schreib einfach hier" in await told(asking, "!help")


async def test_help_for_who_has_no_rights_is_one_line_on_whom_to_ask(group: Scene) -> None:
    said = await told(group, "!help", sender=STRANGER)

    assert "no rights" in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("topic", ["updates", "Updates", "`updates`", "lycatra updates"])
async def test_help_with_a_namespace_shows_its_tools_with_their_arguments(
    group: Scene, topic: str
) -> None:
    said = await told(group, f"!help {topic}")

    assert "Lycatra Updates" in said
    assert "!list updates [limit=3]" in said
    assert "status" not in said


@pytest.mark.parametrize(
    "topic", ["list_updates", "list updates", "!list updates", "updates list"]
)
async def test_help_with_a_tool_explains_its_arguments(group: Scene, topic: str) -> None:
    said = await told(group, f"!help {topic}")

    assert "[limit=3] (1 to 50): How many." in said
    assert "!list updates" in said


@pytest.mark.parametrize("word", ["help", "stop", "reset", "settings", "whoami"])
async def test_help_explains_each_control_word(group: Scene, word: str) -> None:
    said = await told(group, f"!help {word}")

    assert f"!{word}" in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "meant"), [("lst updates", "!help list_updates"), ("updatse", "!help updates")]
)
async def test_help_with_a_typing_error_says_what_was_probably_meant(
    group: Scene, words: str, meant: str
) -> None:
    assert meant in await told(group, f"!help {words}")


async def test_help_with_nonsense_repeats_it_harmlessly(group: Scene) -> None:
    said = await told(group, f"!help `x` @room {'y' * 100}")

    assert "I have no help for" in said
    assert len(said) < 200


async def test_settings_fit_a_phone_with_value_whence_and_how_to_change(group: Scene) -> None:
    said = await told(group, "!settings")

    assert len(said.splitlines()) <= 11
    for name in ("reply", "virtual_users", "stream", "tables", "language", "quiet"):
        assert any(name in line and "(default)" in line for line in said.splitlines())
    assert "!settings reply plain" in said
    assert "!settings reply default" in said


async def test_a_moderator_changes_a_setting_and_takes_it_back(group: Scene) -> None:
    changed = await told(group, "!settings reply plain", sender=MODERATOR)
    shown = await told(group, "!settings")
    back = await told(group, "!settings reply default", sender=MODERATOR)

    assert "reply is plain here" in changed
    assert "reply: plain (chosen here)" in shown
    assert "reply is auto here again" in back
    assert "(chosen here)" not in await told(group, "!settings")


async def test_several_kinds_of_messages_can_be_quiet_and_none(group: Scene) -> None:
    await told(group, "!settings quiet welcome, edited", sender=MODERATOR)
    assert "quiet: edited, welcome (chosen here)" in await told(group, "!settings")

    await told(group, "!settings quiet none", sender=MODERATOR)
    assert "quiet: none (chosen here)" in await told(group, "!settings")


async def test_a_setting_alone_is_explained(group: Scene) -> None:
    said = await told(group, "!settings stream")

    assert "stream is on here (default)" in said
    assert "the answer as it grows" in said
    assert "Possible: on, off, silent, default." in said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("!settings replay plain", "Did you mean !settings reply?"),
        ("!settings reply plian", "Did you mean !settings reply plain?"),
        ("!settings language fr", "Possible: auto, en, de, default."),
        ("!settings colour", "There are reply, virtual_users, stream"),
    ],
)
async def test_a_mistake_is_one_line_with_what_is_possible(
    group: Scene, words: str, sentence: str
) -> None:
    said = await told(group, words, sender=MODERATOR)

    assert sentence in said
    assert len(said.splitlines()) == 1


async def test_an_ordinary_member_is_refused_and_told_whom_to_ask(group: Scene) -> None:
    said = await told(group, "!settings reply plain")

    assert "Nothing is changed" in said
    assert "Moderator" in said
    assert "Admin" in said
    assert "(chosen here)" not in await told(group, "!settings")


async def test_an_admin_of_ours_may_choose_in_every_room(group: Scene) -> None:
    assert "reply is plain" in await told(group, "!settings reply plain", sender=ADMIN)


async def test_power_in_the_room_is_no_right_to_us(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        power: dict[str, JSON] = {"m.room.power_levels": {"users": {STRANGER: 100}}}
        scene.seat(PERSON, STRANGER, MAIN, state=power)

        assert "no rights" in await told(scene, "!settings reply plain", sender=STRANGER)
        assert "nobody here may" in await told(scene, "!settings reply plain")


async def test_a_room_may_say_itself_who_chooses(group: Scene) -> None:
    levels = {"users": {PERSON: 10}, "events": {"org.lycatra.settings": 10}}
    group.seat(PERSON, OTHER, MAIN, state={"m.room.power_levels": levels}, room_id=DM)

    assert "reply is plain" in await told(group, "!settings reply plain", room=DM)
    assert "Nothing is changed" in await told(
        group, "!settings reply plain", sender=OTHER, room=DM
    )


async def test_the_only_person_of_a_dm_may_choose(group: Scene) -> None:
    group.seat(PERSON, MAIN, state={"m.room.power_levels": {"users": {MAIN: 100}}}, room_id=DM)

    assert "stream is off here" in await told(group, "!settings stream off", room=DM)


async def test_who_chooses_a_language_is_answered_in_it_at_once(group: Scene) -> None:
    said = await told(group, "!settings language de", sender=MODERATOR)

    assert "Ab jetzt ist language hier de" in said


async def test_whoami_tells_level_entry_and_power(group: Scene) -> None:
    said = await told(group, "!whoami")

    assert len(said.splitlines()) <= 6
    assert PERSON in said
    assert "viewer, by the entry *:hs.test under access.viewer" in said
    assert "power level in this room is 0." in said


async def test_whoami_of_a_moderator_tells_that_settings_are_theirs(group: Scene) -> None:
    assert "is 50; you may change my !settings" in await told(group, "!whoami", sender=MODERATOR)


async def test_whoami_of_an_admin_names_the_entry_of_their_own(group: Scene) -> None:
    said = await told(group, "!whoami", sender=ADMIN)

    assert f"admin, by the entry {ADMIN} under access.admin" in said


async def test_whoami_tells_strangers_that_they_have_no_rights(group: Scene) -> None:
    said = await told(group, "!whoami", sender=STRANGER)

    assert "none, because no entry" in said
    assert "may not answer you" in said


async def test_whoami_of_the_denied_names_the_entry_that_denies(tmp_path: Path) -> None:
    lists = Lists(viewer=["*:hs.test"], none=[PERSON])
    async with open_scene(tmp_path, lists=lists) as scene:
        scene.seat(*EVERYBODY)

        assert f"none, by the entry {PERSON} under access.none" in await told(scene, "!whoami")


async def test_whoami_of_who_made_a_room_of_version_12(group: Scene) -> None:
    state: dict[str, JSON] = {
        "m.room.power_levels": {"users": {}},
        "m.room.create": {"room_version": "12", "additional_creators": [PERSON]},
    }
    group.seat(PERSON, OTHER, MAIN, state=state, room_id=DM)

    assert "You made this room, so you may change" in await told(group, "!whoami", room=DM)


async def test_whoami_promises_a_creator_without_rights_no_settings(group: Scene) -> None:
    create: JSON = {"room_version": "12", "additional_creators": [STRANGER]}
    group.seat(PERSON, STRANGER, MAIN, state={"m.room.create": create}, room_id=DM)

    said = await told(group, "!whoami", room=DM, sender=STRANGER)

    assert "- You made this room.\n" in said


async def test_a_dm_with_a_virtual_user_gets_help_from_that_user(group: Scene) -> None:
    group.seat(PERSON, UPDATES, room_id=DM)

    before = len(group.said(DM))
    await group.push(group.message("!help", room_id=DM))
    await group.work()
    (said,) = group.said(DM)[before:]

    assert said.by == UPDATES


async def test_e2ee_says_that_encrypted_rooms_are_not_read_where_that_is_off(
    group: Scene,
) -> None:
    assert "do not read encrypted rooms here" in await told(group, "!e2ee")
