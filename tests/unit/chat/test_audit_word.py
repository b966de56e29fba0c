"""`!audit`: admins see who had what done, everybody else what was done for them."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from lycatra_appservice.audit.entry import STARTED, Entry, Ruling
from lycatra_appservice.audit.store import AuditStore, Wanted
from lycatra_appservice.chat.audit_wish import AuditWish, read_audit_wish
from lycatra_appservice.model import Face, LaneKind, RoomID, UserID
from tests.support.model_server import ModelServer, calls, says
from tests.support.scene import EVERYBODY, MAIN, OTHER, PERSON, ROOM, STRANGER, Scene, open_scene
from tests.support.toolbench import CANARY, Lists
from tests.unit.chat.revising import all_texts, edit, take_back, work_off

ADMIN = UserID("@admin:hs.test")
DM = RoomID("!alone")
CHANGE = Entry(
    call="c1",
    person=PERSON,
    face=Face.COMMAND,
    tool="restart_service",
    ruling=Ruling.NEEDS_APPROVAL,
    room_id=ROOM,
    trigger_id="$restart",
    arguments='{"service": "web | shop"}',
)


@pytest.fixture
async def group(tmp_path: Path) -> AsyncIterator[Scene]:
    """A group with an admin of ours, and a direct chat of each with us."""
    async with open_scene(tmp_path, lists=Lists(viewer=["*:hs.test"], admin=[ADMIN])) as scene:
        scene.seat(*EVERYBODY, ADMIN, STRANGER)
        scene.seat(ADMIN, MAIN, room_id=DM)
        yield scene


async def told(scene: Scene, words: str, sender: UserID = PERSON, room: RoomID = ROOM) -> str:
    before = len(scene.said(room))
    await scene.push(scene.message(words, sender=sender, room_id=room))
    await scene.work()
    [said] = scene.said(room)[before:]
    assert said.content["msgtype"] == "m.notice"
    return said.body


async def test_everybody_sees_what_was_done_for_them_the_newest_first(group: Scene) -> None:
    await group.ask("!list updates limit=2")
    await group.ask("!get status")
    await group.ask("!search journal")
    await group.ask("!list updates limit=7", sender=OTHER)

    said = await told(group, "!audit")

    lines = [line for line in said.splitlines() if PERSON in line]
    assert "search_journal" in lines[0]
    assert "refused: without the right" in lines[0]
    assert "get_status" in lines[1]
    assert "failed" in lines[1]
    assert "list_updates limit=2" in lines[2]
    assert "done in 0." in lines[2]
    assert len(lines) == 3
    assert OTHER not in said


async def test_an_admin_sees_everybody_and_may_name_one(group: Scene) -> None:
    await group.ask("!list updates limit=2")
    await group.ask("!list updates limit=7", sender=OTHER)

    everybody = await told(group, "!audit", ADMIN)
    assert PERSON in everybody
    assert OTHER in everybody
    for words in ("!audit @other", f"!audit {OTHER}"):
        assert "limit=7" in (said := await told(group, words, ADMIN))
        assert PERSON not in said


async def test_a_person_chosen_from_the_list_of_the_client_is_understood(group: Scene) -> None:
    await group.ask("!list updates limit=7", sender=OTHER)
    mention = {"m_mentions": {"user_ids": [OTHER]}}

    [said] = await group.ask("!audit Other Person", sender=ADMIN, **mention)

    assert "limit=7" in said.body


@pytest.mark.parametrize("words", ["!audit @other", f"!audit {OTHER}", "!audit last @other"])
async def test_what_was_done_for_others_is_for_admins_only(group: Scene, words: str) -> None:
    await group.ask("!list updates limit=7", sender=OTHER)

    said = await told(group, words)

    assert "Only admins" in said
    assert "limit=7" not in said


async def test_asking_for_oneself_by_name_is_no_offence(group: Scene) -> None:
    await group.ask("!list updates limit=2")

    assert "limit=2" in await told(group, "!audit @person")


async def test_who_has_no_rights_reads_so(group: Scene) -> None:
    assert "no rights" in await told(group, "!audit", STRANGER)


async def test_a_room_reads_nothing_of_other_rooms(group: Scene) -> None:
    await group.ask("!list updates limit=2")
    await told(group, "!list updates limit=7", ADMIN, DM)

    here = await told(group, "!audit", ADMIN)
    alone = await told(group, "!audit", ADMIN, DM)

    assert "limit=2" in here
    assert "limit=7" not in here
    assert "direct chat" in here
    assert "limit=2" in alone
    assert "limit=7" in alone


async def test_a_room_that_others_may_join_by_themselves_reads_nothing_of_other_rooms(
    group: Scene,
) -> None:
    await group.ask("!list updates limit=2")
    group.stub.state[DM, "m.room.join_rules", ""] = {"join_rule": "restricted"}

    assert "limit=2" not in await told(group, "!audit", ADMIN, DM)


async def test_a_tool_and_a_number_narrow_it_down(group: Scene) -> None:
    for limit in range(1, 15):
        await group.ask(f"!list updates limit={limit}")
    await group.ask("!get status")

    assert (await told(group, "!audit")).count(PERSON) == 10
    assert (await told(group, "!audit 12")).count(PERSON) == 12
    assert (await told(group, "!audit 3 list updates")).count("list_updates") == 3
    assert "get_status" not in await told(group, "!audit list_updates")


async def test_what_there_is_not_is_one_helpful_line(group: Scene) -> None:
    said = await told(group, "!audit dance")

    assert "nothing of that kind" in said
    assert "!audit last" in said
    assert len(said.splitlines()) == 1


async def test_last_tells_the_whole_story_of_a_change(group: Scene) -> None:
    await group.trail.note(CHANGE)
    approved = replace(CHANGE, ruling=Ruling.APPROVED, approvers=[OTHER], approval="K7QF")
    await group.trail.note(approved)
    run = replace(approved, ruling=Ruling.ALLOWED, call="c2")
    await group.trail.note(replace(run, outcome=STARTED))
    await group.trail.note(replace(run, outcome="ok", took_ms=1234))

    said = await told(group, "!audit last")

    first, *lines = [line for line in said.splitlines() if line.strip()]
    assert PERSON in first
    for line, came_of in zip(
        lines,
        ["asked for an approval", f"approved by {OTHER}", "started", "done in 1.2 s"],
        strict=False,
    ):
        assert 'restart_service service="web | shop"' in line
        assert came_of in line.replace("`", "")
    table = await told(group, "!audit")
    assert table.count("restart_service") == 3  # its beginning is not shown beside its end


async def test_a_denial_an_expiry_and_what_a_newer_version_wrote_are_told(group: Scene) -> None:
    for n, ruling in enumerate([Ruling.DENIED, Ruling.EXPIRED, Ruling.WITHDRAWN, "pondered"]):
        await group.trail.note(replace(CHANGE, call=f"x{n}", ruling=ruling, approvers=[OTHER]))

    said = await told(group, "!audit")

    for words in (f"denied by {OTHER}", "in time", "taken back", "pondered"):
        assert words in said.replace("`", "")


async def test_it_is_said_in_the_language_of_the_room(group: Scene) -> None:
    await told(group, "!settings language de", ADMIN)
    await group.ask("!list updates limit=2")

    said = await told(group, "!audit")

    assert "erledigt in" in said
    assert "Nur aus diesem Raum" in said


async def test_what_somebody_took_back_is_a_stub(group: Scene) -> None:
    asked = group.message("!list updates limit=7")
    await group.hear(asked)
    assert "limit=7" in await told(group, "!audit")

    await group.push(take_back(group, asked))
    await group.work()

    said = await told(group, "!audit")
    assert "list_updates …" in said
    assert "done" in said
    assert "limit" not in said
    assert '"limit": "7"' not in await all_texts(group.database)


@pytest.mark.parametrize("words", ["!list updates limit=3", "lycatra: what is new?"])
async def test_a_request_that_was_edited_is_kept_with_its_new_words(
    tmp_path: Path, model: ModelServer, words: str
) -> None:
    async with open_scene(tmp_path, model_url=model.base_url) as scene:
        scene.seat(*EVERYBODY)
        if not words.startswith("!"):
            model.will(calls(("list_updates", '{"limit": 3}')), says("Three."))
        asked = scene.message("!list updates limit=7")
        await scene.push(asked, edit(scene, asked, words))
        await work_off(scene, LaneKind.CONTROL)
        await scene.work()

        said = await told(scene, "!audit")

    assert "limit=3" in said
    assert "limit=7" not in said


async def test_secrets_of_the_configuration_never_come_into_the_audit(group: Scene) -> None:
    await group.ask(f"!list updates limit={CANARY}")

    assert CANARY not in await told(group, "!audit")
    rows = [str(each) async for each in _rows(group)]
    assert rows
    assert not any(CANARY in row for row in rows)


async def _rows(scene: Scene) -> AsyncIterator[object]:
    async for each in AuditStore(scene.database).all(Wanted()):
        yield each


@pytest.mark.parametrize(
    ("words", "wish"),
    [
        ("", AuditWish()),
        ("last", AuditWish(last=True)),
        ("20", AuditWish(entries=20)),
        ("9999999999", AuditWish(entries=50)),
        ("0", AuditWish(entries=1)),
        ("@bob", AuditWish(beginning="@bob:")),
        ("@bob:hs.test", AuditWish(person=UserID("@bob:hs.test"))),
        ("`list_updates`", AuditWish(tool="list_updates")),
        ("!list updates", AuditWish(tool="list_updates")),
        (
            "last @bob restart service",
            AuditWish(last=True, beginning="@bob:", tool="restart_service"),
        ),
        ("², @", AuditWish(tool="²", beginning="@:")),
    ],
)
def test_words_are_read_in_any_order(words: str, wish: AuditWish) -> None:
    assert read_audit_wish(words) == wish
