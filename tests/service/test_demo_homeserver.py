import asyncio
import io
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from lycatra_appservice.demo.homeserver import Homeserver, HomeserverError
from lycatra_appservice.demo.people import ClientApiError, Person, PersonClient, register_person
from lycatra_appservice.demo.screens import PlainScreen
from lycatra_appservice.demo.script import ScriptLine, run_script
from lycatra_appservice.demo.talk import localpart_of
from lycatra_appservice.demo.terminal import TerminalChat
from lycatra_appservice.model import JSON, RoomID, UserID
from tests.support.synapse import running_synapse, synapse_settings

ROBOT = UserID("@lycatra:hs.test")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def homeserver() -> AsyncIterator[Homeserver]:
    async with running_synapse() as running:
        yield running


@asynccontextmanager
async def logged_in(homeserver: Homeserver, *names: str) -> AsyncIterator[list[PersonClient]]:
    people = [await register_person(homeserver, name, f"pw-{name}") for name in names]
    clients = [PersonClient(homeserver.url, person) for person in people]
    async with asyncio.timeout(120):
        for client in clients:
            await client.__aenter__()
        try:
            yield clients
        finally:
            for client in clients:
                await client.__aexit__()


@asynccontextmanager
async def answering(robot: PersonClient, parts: Sequence[str]) -> AsyncIterator[None]:
    """A tiny appservice: answers each message of others in these parts, unless it says "mute"."""

    async def answer() -> None:
        async for room_id, event in timeline:
            if event["type"] != "m.room.message" or event["sender"] == robot.user_id:
                continue
            if "mute" not in event["content"]["body"]:
                await say(robot, room_id, event["event_id"], parts)

    timeline = await robot.timeline()
    task = asyncio.create_task(answer())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def say(robot: PersonClient, room_id: RoomID, to: str, parts: Sequence[str]) -> None:
    for number, text in enumerate(parts, start=1):
        mark = {"to": to, "part": number, "of": len(parts), "kind": "message"}
        content = {"msgtype": "m.notice", "body": text, "org.lycatra.reply": mark}
        await robot.send_event(room_id, "m.room.message", content)


def edit_of(event_id: str, text: str) -> dict[str, JSON]:
    return {
        "msgtype": "m.text",
        "body": f"* {text}",
        "m.new_content": {"msgtype": "m.text", "body": text},
        "m.relates_to": {"rel_type": "m.replace", "event_id": event_id},
    }


async def room_of(owner: PersonClient, *guests: PersonClient) -> RoomID:
    room_id = await owner.create_room("A room", [guest.user_id for guest in guests])
    for guest in guests:
        await guest.join(room_id)
        await owner.wait_for_member(room_id, guest.user_id)
    return room_id


@pytest.mark.slow
async def test_two_people_talk_in_a_room_and_every_message_is_found_by_paging(
    homeserver: Homeserver,
) -> None:
    async with logged_in(homeserver, "anna", "boris") as (anna, boris):
        room_id = await room_of(anna, boris)
        texts = [f"message {number}" for number in range(205)]
        for text in texts:
            await anna.send_text(room_id, text)
        event_id = await boris.send_text(room_id, "@anna last")
        await anna.react(room_id, event_id, "👍")
        await anna.redact(room_id, event_id, "enough")

        events = await boris.all_messages(room_id)

    assert events[0]["type"] == "m.room.create"
    assert [e["content"]["body"] for e in events if e["content"].get("body")] == texts
    assert [e["type"] for e in events[-3:]] == ["m.room.message", "m.reaction", "m.room.redaction"]
    assert events[-3]["content"] == {}


@pytest.mark.slow
async def test_a_live_view_has_no_gap_when_a_burst_is_larger_than_one_sync(
    homeserver: Homeserver,
) -> None:
    async with logged_in(homeserver, "anna", "boris") as (anna, boris):
        room_id = await room_of(anna, boris)
        await anna.send_text(room_id, "before")
        timeline = await boris.timeline()
        sent = [f"message {number}" for number in range(260)]
        for text in sent:
            await anna.send_text(room_id, text)

        seen: list[str] = []
        async for room, event in timeline:
            assert room == room_id
            seen += [event["content"]["body"]] if event["type"] == "m.room.message" else []
            if seen and seen[-1] == sent[-1]:
                break
    assert seen == sent


@pytest.mark.slow
async def test_somebody_who_does_not_come_is_named(homeserver: Homeserver) -> None:
    async with logged_in(homeserver, "anna", "boris") as (anna, boris):
        room_id = await anna.create_room(invite=[boris.user_id])
        with pytest.raises(TimeoutError, match=r"@boris:hs\.test is invite"):
            await anna.wait_for_member(
                room_id, boris.user_id, deadline=timedelta(milliseconds=200)
            )


@pytest.mark.slow
async def test_a_person_keeps_their_device_when_asked_and_a_wrong_password_is_refused(
    homeserver: Homeserver,
) -> None:
    first = await register_person(homeserver, "clara", "right", admin=True, device_id="DEMO")
    again = await register_person(homeserver, "clara", "right", device_id="DEMO")

    assert (first.user_id, first.device_id) == (again.user_id, again.device_id)
    assert (first.user_id, first.device_id) == ("@clara:hs.test", "DEMO")
    assert "right" not in repr(first)
    assert first.access_token not in repr(first)
    with pytest.raises(ClientApiError) as refused:
        await register_person(homeserver, "clara", "wrong")
    assert refused.value.errcode == "M_FORBIDDEN"


async def test_a_script_types_its_lines_and_shows_each_answer(homeserver: Homeserver) -> None:
    said: list[str] = []
    async with logged_in(homeserver, "anna", "lycatra") as (anna, robot):
        room_id = await room_of(anna, robot)
        async with answering(robot, ["one\ntwo", "three"]):
            lines = [
                ScriptLine(number=2, text="!list updates"),
                ScriptLine(number=4, text="@lycatra hi"),
            ]
            code = await run_script(anna, room_id, lines, ROBOT.__eq__, say=said.append)
        events = await anna.all_messages(room_id)

    answer = ["lycatra: one\n  two", "lycatra: three"]
    assert code == 0
    assert said == ["anna: !list updates", *answer, "anna: @lycatra hi", *answer]
    typed = [
        e["content"]
        for e in events
        if e["type"] == "m.room.message" and e["sender"] == "@anna:hs.test"
    ]
    assert [content["m.mentions"] for content in typed] == [{}, {"user_ids": [ROBOT]}]


@pytest.mark.slow
async def test_a_script_names_the_line_without_an_answer_and_goes_on(
    homeserver: Homeserver,
) -> None:
    said: list[str] = []
    async with logged_in(homeserver, "anna", "lycatra") as (anna, robot):
        room_id = await room_of(anna, robot)
        async with answering(robot, ["yes"]):
            lines = [ScriptLine(number=1, text="mute"), ScriptLine(number=2, text="hi")]
            patience = timedelta(seconds=3)
            code = await run_script(anna, room_id, lines, ROBOT.__eq__, patience, said.append)

    assert code == 1
    assert said == [
        "anna: mute",
        "No answer within 3 s to line 1: mute",
        "anna: hi",
        "lycatra: yes",
    ]


@pytest.mark.slow
async def test_an_answer_of_somebody_else_does_not_count_in_a_script(
    homeserver: Homeserver,
) -> None:
    async with logged_in(homeserver, "anna", "mallory") as (anna, mallory):
        room_id = await room_of(anna, mallory)
        async with answering(mallory, ["yes"]):
            code = await run_script(
                anna,
                room_id,
                [ScriptLine(number=1, text="hi")],
                ROBOT.__eq__,
                timedelta(seconds=2),
                say=lambda text: None,
            )
    assert code == 1


@pytest.mark.slow
async def test_an_edit_is_no_answer_to_a_script_even_with_the_mark_of_one(
    homeserver: Homeserver,
) -> None:
    said: list[str] = []
    async with logged_in(homeserver, "anna", "lycatra") as (anna, robot):
        room_id = await room_of(anna, robot)
        draft = await robot.send_text(room_id, "an older message")
        timeline = await robot.timeline()
        line = ScriptLine(number=1, text="hi")
        typing = asyncio.create_task(
            run_script(anna, room_id, [line], ROBOT.__eq__, timedelta(seconds=3), said.append)
        )
        _, event = await anext(timeline)
        mark = {"to": event["event_id"], "part": 1, "of": 1, "kind": "message"}
        edit = {**edit_of(draft, "better"), "org.lycatra.reply": mark}
        await robot.send_event(room_id, "m.room.message", edit)

        assert await typing == 1
    assert "lycatra: better" not in said


async def test_a_piped_chat_shows_answers_once_and_ends_when_all_are_there(
    homeserver: Homeserver,
) -> None:
    shown = io.StringIO()
    async with logged_in(homeserver, "anna", "lycatra") as (anna, robot):
        room_id = await room_of(anna, robot)
        async with answering(robot, ["yes"]):
            screen = PlainScreen(io.StringIO("first\n\nsecond\n"), shown)
            await TerminalChat(anna, room_id, screen).run()

    assert shown.getvalue().splitlines() == ["lycatra: yes", "lycatra: yes"]


class Recorder:
    """A terminal whose person types nothing until told to go."""

    interactive = True

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.typing: list[list[str]] = []
        self.ready = asyncio.Event()
        self.heard = asyncio.Event()
        self.saw_typing = asyncio.Event()
        self.gone = asyncio.Event()

    async def read(self) -> str | None:
        self.ready.set()
        await self.gone.wait()
        return None

    def show(self, name: str, text: str) -> None:
        self.shown.append(f"{name}: {text}")
        self.heard.set()

    def tell(self, text: str) -> None:
        raise AssertionError(text)

    def show_typing(self, names: Sequence[str]) -> None:
        self.typing.append(list(names))
        self.saw_typing.set()


async def test_a_growing_draft_is_shown_as_it_began_and_as_it_ended(
    homeserver: Homeserver,
) -> None:
    async with logged_in(homeserver, "anna", "lycatra") as (anna, robot):
        room_id = await room_of(anna, robot)
        screen = Recorder()
        chat = asyncio.create_task(TerminalChat(anna, room_id, screen).run())
        await screen.ready.wait()
        typing = f"/rooms/{room_id}/typing/{robot.user_id}"
        await robot.call("PUT", typing, {"typing": True, "timeout": 30_000})
        await screen.saw_typing.wait()
        draft = await robot.send_text(room_id, "Well")
        await screen.heard.wait()
        screen.heard.clear()
        for text in ("Well, it", "Well, it works."):
            await robot.send_event(room_id, "m.room.message", edit_of(draft, text))
        await screen.heard.wait()
        screen.gone.set()
        await chat

    assert screen.shown == ["lycatra: Well", "lycatra: Well, it works."]
    assert ["lycatra"] in screen.typing


async def test_quit_ends_a_chat_at_once_and_is_not_sent(homeserver: Homeserver) -> None:
    async with logged_in(homeserver, "anna") as (anna,):
        room_id = await anna.create_room()
        screen = PlainScreen(io.StringIO("/quit\nlater\n"), io.StringIO())
        await TerminalChat(anna, room_id, screen).run()
        events = await anna.all_messages(room_id)

    assert not [event for event in events if event["type"] == "m.room.message"]


@pytest.mark.slow
async def test_people_and_rooms_outlive_a_restart_and_a_kill() -> None:
    async with running_synapse() as homeserver:
        anna = await register_person(homeserver, "anna", "secret")
        async with PersonClient(homeserver.url, anna) as client:
            room_id = await client.create_room("Kept")
            timeline = await client.timeline()

            await homeserver.restart()
            await client.send_text(room_id, "after a restart")
            await homeserver.kill()
            assert not homeserver.is_running
            with pytest.raises(aiohttp.ClientError):
                await client.members(room_id)
            await homeserver.start()
            await client.send_text(room_id, "after a kill")
            bodies = [await anext(timeline), await anext(timeline)]

        again = await register_person(homeserver, "anna", "secret")
    assert [event["content"]["body"] for _, event in bodies] == [
        "after a restart",
        "after a kill",
    ]
    assert again.user_id == anna.user_id


@pytest.mark.slow
async def test_a_configuration_error_is_told_with_synapses_own_words(tmp_path: Path) -> None:
    with pytest.raises(HomeserverError, match=r"(?s)ended while starting.*missing\.yaml"):
        async with running_synapse(registrations=[tmp_path / "missing.yaml"]):
            raise AssertionError("it must not start")


async def test_a_port_that_is_in_use_is_told_before_anything_starts(
    homeserver: Homeserver, tmp_path: Path
) -> None:
    taken = synapse_settings(tmp_path, port=homeserver.settings.port)
    with pytest.raises(HomeserverError, match="Is another demo running"):
        await Homeserver(taken).start()


async def test_a_cancelled_start_leaves_no_process_behind(tmp_path: Path) -> None:
    starting = Homeserver(synapse_settings(tmp_path))
    task = asyncio.create_task(starting.start())
    await asyncio.sleep(0)  # lets it run to where it waits for the process
    assert starting.is_running
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert not starting.is_running
    assert starting.pid is None


def test_a_person_types_their_localpart_to_log_in() -> None:
    person = Person(user_id=ROBOT, device_id="D", access_token="t", password="p")

    assert person.localpart == localpart_of({"sender": ROBOT}) == "lycatra"


async def test_a_draft_is_shown_when_it_begins_and_when_it_is_whole(
    homeserver: Homeserver,
) -> None:
    live: dict[str, JSON] = {"org.matrix.msc4357.live": {}}
    shown = io.StringIO()
    async with logged_in(homeserver, "anna", "lycatra") as (anna, robot):
        room_id = await room_of(anna, robot)
        timeline = await robot.timeline()

        async def answer() -> None:
            async for _, event in timeline:
                if event["type"] == "m.room.message" and event["sender"] == anna.user_id:
                    break
            mark = {"to": event["event_id"], "part": 1, "of": 1, "kind": "draft"}
            marked: dict[str, JSON] = {"org.lycatra.reply": mark, **live}
            first = {"msgtype": "m.text", "body": "⏳ List updates …", **marked}
            draft = await robot.send_event(room_id, "m.room.message", first)
            for words in ("There", "There are"):
                edit = {**edit_of(draft, words), **marked}
                await robot.send_event(room_id, "m.room.message", edit)
            whole = {**marked, "org.lycatra.reply": {**mark, "kind": "message"}}
            del whole["org.matrix.msc4357.live"]
            last = {**edit_of(draft, "There are three."), **whole}
            await robot.send_event(room_id, "m.room.message", last)

        answering = asyncio.create_task(answer())
        screen = PlainScreen(io.StringIO("what is new?\n"), shown)
        await TerminalChat(anna, room_id, screen).run()
        await answering

    assert shown.getvalue().splitlines() == [
        "lycatra: ⏳ List updates …",
        "lycatra: There are three.",
    ]
