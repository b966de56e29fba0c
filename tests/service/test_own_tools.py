"""Tools of one's own on a real Synapse: mounted, broken, taken away, different on two replicas."""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lycatra_appservice.model import JSON, UserID
from tests.support.lesson import blocks_of
from tests.support.lycatra import Lycatra
from tests.support.model_server import ModelServer, calls, model_server, says
from tests.support.own_tools import write
from tests.support.site import Site
from tests.support.stage import Room, Stage, open_stage, sqlite_in
from tests.support.waiting import until

LESSON = "The lesson: who has this email address?"
ALICE = "Alice Miller, family plan since 2024-03-01"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A service with the tool of the lesson, not started yet."""

    stage: Stage
    folder: Path
    replica: Lycatra
    model: ModelServer
    person: UserID

    @property
    def own(self) -> Path:
        return self.folder / "own-tools"

    async def room(self) -> Room:
        """A group with @lycatra and the tool's own user."""
        return await self.stage.room(invite=[self.stage.users.main, self.person])

    async def components(self) -> dict[str, JSON]:
        _, body = await self.replica.get("/healthz")
        found: dict[str, JSON] = json.loads(body)["components"]
        return found


@pytest.fixture
async def installed(site: Site, tmp_path: Path) -> AsyncIterator[Installed]:
    """As the page leaves it after its fourth step."""
    files = {
        block.name: block.text
        for block in blocks_of("OWN_TOOLS.md", LESSON)
        if block.kind == "python" and block.name
    }
    write(tmp_path, files)
    await asyncio.to_thread(
        subprocess.run, [sys.executable, "make_crm.py"], cwd=tmp_path, check=True
    )
    async with model_server() as model, open_stage(site, tmp_path) as stage:
        settings: dict[str, JSON] = {
            "access": {"operator": [f"*:{site.homeserver.server_name}"]},
            "own_tools": {"paths": ["own-tools"]},
            "databases": {"crm": {"url": "sqlite:///crm.db"}},
        }
        replica = await stage.replica(sqlite_in(tmp_path), model_url=model.base_url, more=settings)
        yield Installed(
            stage=stage,
            folder=tmp_path,
            replica=replica,
            model=model,
            person=UserID(f"@lycatra_people:{site.homeserver.server_name}"),
        )


async def membership(room: Room, user: UserID) -> JSON:
    """What the room says of one of us now."""
    state = [
        event
        for event in await room.events()
        if event["type"] == "m.room.member" and event["state_key"] == user
    ]
    return state[-1]["content"] if state else {}


@pytest.mark.slow
async def test_the_tool_of_the_lesson_answers_in_a_room_by_its_own_user(
    installed: Installed,
) -> None:
    await installed.replica.start()
    room = await installed.room()

    answer = await room.answer_to(await room.ask("!get user by email ALICE@example.org"))
    nobody = await room.said_to("!people get zoe@example.org")
    installed.model.will(
        calls(("get_user_by_email", '{"email": "alice@example.org"}')), says("The family plan.")
    )
    told = await room.answer_to(await room.ask("lycatra: what plan has alice@example.org?"))

    assert answer["content"]["body"] == ALICE
    assert answer["sender"] == installed.person
    assert nobody == "Nobody has `zoe@example.org`."
    assert told["content"]["body"] == "The family plan."
    heard = json.dumps(installed.model.asked[-1].messages)
    assert "Alice Miller" in heard
    assert (await installed.components())["tools"]["ok"]


@pytest.mark.slow
async def test_a_file_that_breaks_takes_only_its_tool_along_and_nobody_leaves(
    installed: Installed,
) -> None:
    await installed.replica.start()
    room = await installed.room()
    await installed.replica.stop()
    (installed.own / "people" / "get_user_by_email.py").write_text("def run(:")
    await installed.replica.start()

    said = await room.said_to("!get service status")

    assert "lycatra: database" in said
    [disabled] = installed.replica.records("tools_disabled")
    assert disabled["disabled"] == "people/get_user_by_email"
    assert disabled["reason"] == "line 1: invalid syntax"
    tools = (await installed.components())["tools"]
    assert not tools["ok"]
    assert tools["detail"] == "people/get_user_by_email: see `lycatra tool list`"
    assert (await installed.replica.get("/readyz"))[0] == 200
    await installed.replica.until_logged("leading", 2)
    assert (await membership(room, installed.person))["membership"] == "join"


@pytest.mark.slow
async def test_when_a_namespace_is_gone_its_user_leaves_with_a_line(
    installed: Installed,
) -> None:
    await installed.replica.start()
    room = await installed.room()
    await installed.replica.stop()

    shutil.move(installed.own, installed.folder / "unmounted")  # as a mount that is missing
    await installed.replica.start()
    await room.said_to("!get service status")
    assert (await membership(room, installed.person))["membership"] == "join"
    await installed.replica.stop()

    shutil.move(installed.folder / "unmounted", installed.own)
    shutil.rmtree(installed.own / "people")
    await installed.replica.start()
    await installed.replica.until_logged("virtual_user_retired")

    left = await membership(room, installed.person)
    assert left["membership"] == "leave"
    main = installed.stage.users.main
    assert left["reason"] == (
        f"My tools are not part of this installation any more. Ask {main} instead."
    )
    assert (await membership(room, main))["membership"] == "join"


FORGET = """
from lycatra_appservice.toolkit.base import Effect, Tool, ToolArgs, ToolContext, ToolResult


class ForgetEverybodyArgs(ToolArgs):
    pass


async def run(args: ForgetEverybodyArgs, ctx: ToolContext) -> ToolResult:
    return ToolResult(data={}, markdown="Nobody is known any more.")


TOOL = Tool(
    name="forget_everybody",
    title="Forget everybody",
    summary="Forgets all people, for the tests of tools that go away while somebody waits.",
    args=ForgetEverybodyArgs,
    run=run,
    example="forget everybody",
    effect=Effect.CHANGE,
)
"""


@pytest.mark.slow
async def test_a_request_that_waits_for_a_tool_that_is_gone_is_taken_back_with_a_line(
    installed: Installed,
) -> None:
    (installed.own / "people" / "forget_everybody.py").write_text(FORGET)
    await installed.replica.start()
    room = await installed.room()
    asked = await room.ask("!forget everybody")

    async def card_is_out() -> bool:
        return any("Forget everybody" in e["content"].get("body", "") for e in await room.events())

    await until(card_is_out, "a card")
    await installed.replica.stop()
    shutil.rmtree(installed.own / "people")
    await installed.replica.start()

    async def is_told() -> bool:
        return any(
            "`forget_everybody` is not part of this installation any more" in e["content"]["body"]
            and e["content"]["m.relates_to"]["m.in_reply_to"]["event_id"] == asked
            for e in await room.events()
            if e["content"].get("msgtype") == "m.text" and e["sender"] != room.person.user_id
        )

    await until(is_told, "the line")


@pytest.mark.slow
async def test_replicas_with_different_tools_say_so_until_they_agree(
    site: Site, tmp_path: Path, postgres_dsn: str
) -> None:
    async with open_stage(site, tmp_path) as stage:
        one = await stage.replica(postgres_dsn)
        other = await stage.replica(postgres_dsn, more_tools=True)
        await one.start()
        await other.start()

        async def tools_of(replica: Lycatra) -> JSON:
            _, body = await replica.get("/healthz")
            return json.loads(body)["components"]["tools"]

        async def differ() -> bool:
            return not (await tools_of(one))["ok"] and not (await tools_of(other))["ok"]

        async def agree() -> bool:
            return bool((await tools_of(other))["ok"])

        await until(differ, "both replicas say that they differ")
        assert "another replica has other tools" in (await tools_of(one))["detail"]
        assert (await one.get("/readyz"))[0] == 200
        await one.stop()
        await until(agree, "the remaining replica is content")
