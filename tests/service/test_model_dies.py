"""The model's plug is pulled: one clear line, plain facts in place of prose, nothing twice."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.support.live import Live, open_live
from tests.support.model_server import Asked, Reply, calls, delta, model_server, says, writes
from tests.support.site import Site


@pytest.fixture
async def live(site: Site, tmp_path: Path) -> AsyncIterator[Live]:
    """A service of this test's own, whose model may be stopped."""
    async with open_live(site, tmp_path) as opened:
        yield opened


def writes_half(text: str, written: asyncio.Event) -> Reply:
    """Begins an answer and never ends it."""

    async def reply(asked: Asked) -> web.StreamResponse:
        written.set()
        return await writes(delta(content=text), end="hang")(asked)

    return reply


async def pull_the_plug(live: Live) -> None:
    """What is written already arrives; then every connection ends, and nothing listens."""
    for connection in live.model.connections:
        connection.close()
    await live.model.stop()


async def test_pulling_the_models_plug_mid_answer_leaves_one_clear_line(live: Live) -> None:
    written = asyncio.Event()
    half = writes_half("There was one update, namely", written)
    live.model.will(calls(("list_updates", '{"limit": 1}')), half)
    room = await live.stage.room()
    asked = await room.ask("lycatra: what is new?")
    async with asyncio.timeout(30):
        await written.wait()
    await pull_the_plug(live)

    answer = (await room.answer_to(asked))["content"]["body"]
    assert answer.startswith("There was one update, namely")
    assert answer.count("lost the connection") == 1
    assert len(live.model.asked) == 2
    _, figures = await live.replica.get("/metrics")
    called = 'lycatra_tool_calls_total{face="agent",outcome="ok",tool="list_updates"} 1.0'
    assert called in figures

    # While it is gone the facts come from whoever has them, and words only once.
    facts = await room.answer_to(await room.ask("lycatra: what updates are there?"))
    assert facts["sender"] == live.users.of("updates")
    assert "The language model is not answering" in facts["content"]["body"]
    first = await room.said_to("lycatra: write a poem")
    assert "not answering right now" in first
    assert "Without it you can use" in first
    assert "Still no answer" in await room.said_to("lycatra: write another poem")

    # When it is back the next question is answered, and nothing else is said.
    async with model_server(port=live.model.port) as again:
        again.will(says("Here I am."))
        assert await room.said_to("lycatra: and now?") == "Here I am."
        assert (await room.settled(live.tables)).clean


@pytest.mark.slow
async def test_a_model_that_cannot_be_warmed_up_keeps_nobody_from_being_ready(
    site: Site, tmp_path: Path
) -> None:
    section = {"base_url": "https://127.0.0.1:9/v1", "model": "m", "ca_file": "missing.pem"}
    async with open_live(site, tmp_path, more={"model": section}) as live:
        await live.replica.until_logged("model_not_warmed_up")
        assert (await live.replica.get("/readyz"))[0] == 200
