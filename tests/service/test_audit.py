"""The audit and the sources of a running service: in the room, and on its command line."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from lycatra_appservice.model import JSON
from tests.support.live import MODEL_KEY
from tests.support.lycatra import Lycatra
from tests.support.model_server import ModelServer, calls, model_server, says
from tests.support.more_tools.drawings.sign_drawing import SIGNATURE
from tests.support.revising import until_forgotten
from tests.support.site import Site
from tests.support.stage import Room, Stage, open_stage, sqlite_in
from tests.support.tables import Tables

pytestmark = pytest.mark.asyncio(loop_scope="module")

PHRASE = "canary-of-an-argument-71ad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """A running service with a scripted model, on SQLite."""

    stage: Stage
    replica: Lycatra
    model: ModelServer
    tables: Tables

    async def audit(self, *words: str) -> tuple[int, str]:
        """`lycatra audit` with these words, beside the service: exit code and output."""
        arguments = ("-m", "lycatra_appservice", "audit", "-c", str(self.replica.config_path))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            *words,
            cwd=self.stage.folder,
            stdout=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(60):
            out, _ = await process.communicate()
        return process.returncode or 0, out.decode()

    async def exported(self, room: Room) -> Sequence[JSON]:
        """What the export says of this room's person."""
        code, out = await self.audit("--json", "--person", room.person.user_id)
        assert code == 0
        return [json.loads(line) for line in out.splitlines()]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def audited(site: Site, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Audited]:
    folder: Path = tmp_path_factory.mktemp("audited")
    async with model_server() as model, open_stage(site, folder) as stage:
        url = sqlite_in(folder)
        settings = {"base_url": model.base_url, "model": "scripted", "api_key": MODEL_KEY}
        replica = await stage.replica(url, more={"model": settings}, more_tools=True)
        async with replica:
            yield Audited(stage=stage, replica=replica, model=model, tables=Tables(url))


@pytest.mark.slow
async def test_a_magnifying_glass_on_an_answer_shows_what_it_rests_on(audited: Audited) -> None:
    audited.model.will(calls(("list_lines", '{"lines": 7}')), says("There are seven."))
    room = await audited.stage.room(others=2)  # so many that the answer begins a thread
    answer = await room.answer_to(await room.ask("lycatra: how many lines?"))

    await room.person.react(room.room_id, answer["event_id"], "🔍")

    shown = await room.answer_to(answer["event_id"])
    content = shown["content"]
    assert content["msgtype"] == "m.notice"
    assert '"lines": 7' in content["body"]
    assert "list_lines lines=7" in content["body"]
    assert content["m.relates_to"]["event_id"] == answer["content"]["m.relates_to"]["event_id"]
    assert "<pre><code" in content["formatted_body"]


@pytest.mark.slow
async def test_the_last_request_is_told_in_the_room_and_exported_beside_the_service(
    audited: Audited,
) -> None:
    room = await audited.stage.room()
    asked = await room.ask("!list lines lines=3")
    await room.answer_to(asked)
    await room.said_to("!list lines lines=9999")

    table = await room.said_to("!audit")
    story = await room.said_to("!audit last list lines")
    exported = await audited.exported(room)

    assert "done in" in table
    assert "the arguments did not fit" in table
    assert "list_lines lines=9999" in story
    assert "lines=3" not in story
    done, refused = exported
    assert (done["trigger"], done["decision"], done["outcome"]) == (asked, "allowed", "ok")
    assert done["arguments"] == {"lines": "3"}
    assert done["room"] == room.room_id
    assert (refused["decision"], refused["outcome"]) == ("refused", "invalid_arguments")
    code, lines = await audited.audit("--since", "1h", "--person", room.person.user_id)
    assert code == 0
    assert len(lines.splitlines()) == 2
    assert await audited.audit("--since", "tomorrow") == (2, "")


@pytest.mark.slow
async def test_a_question_that_is_taken_back_leaves_a_stub(audited: Audited) -> None:
    room = await audited.stage.room()
    asked = await room.ask("!list lines lines=4")
    answer = await room.answer_to(asked)
    await room.person.redact(room.room_id, asked)
    await until_forgotten(audited.tables, asked)

    [stub] = await audited.exported(room)

    assert (stub["tool"], stub["outcome"], stub["arguments"]) == ("list_lines", "ok", None)
    assert stub["arguments_hash"] is None
    await room.person.react(room.room_id, answer["event_id"], "🔍")
    assert "no longer kept" in (await room.answer_to(answer["event_id"]))["content"]["body"]


@pytest.mark.slow
async def test_secrets_are_in_no_log_line_no_metric_no_entry_and_no_view_of_arguments(
    audited: Audited,
) -> None:
    arguments = json.dumps({"name": MODEL_KEY, "phrase": PHRASE})
    audited.model.will(calls(("sign_drawing", arguments)), says("It is signed."))
    room = await audited.stage.room()
    answer = await room.answer_to(await room.ask("lycatra: sign it"))
    await room.said_to(f"!sign drawing name={MODEL_KEY} phrase={PHRASE}")
    await room.said_to(f"!sign drawing phrase={PHRASE * 9}")
    await room.person.react(room.room_id, answer["event_id"], "🔍")
    sources = (await room.answer_to(answer["event_id"]))["content"]["body"]
    table, story = await room.said_to("!audit"), await room.said_to("!audit last")
    exported = await audited.exported(room)

    assert [each["arguments"].get("phrase") for each in exported] == ["***"] * 3
    assert "sign_drawing name=*** phrase=***" in sources
    status, metrics = await audited.replica.get("/metrics")
    assert status == 200
    rows = await audited.tables.rows("SELECT * FROM audit")
    _, lines = await audited.audit()
    for view in (table, story, str(exported), metrics, str(rows), lines, audited.replica.log()):
        assert "sign" in view
        for canary in (PHRASE, MODEL_KEY, SIGNATURE):
            assert canary not in view
    for canary in (PHRASE, MODEL_KEY):
        assert canary not in sources
