"""The official SDK's server as a peer: by a pipe and by HTTP, killed, lying, flooding, asking."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from lycatra_appservice.settings_mcp_servers import McpServer
from lycatra_appservice.toolkit.base import Effect
from lycatra_appservice.toolkit.remote.failures import RemoteError
from lycatra_appservice.toolkit.remote.results import result_from
from tests.support.remote_peer import (
    ASKER,
    OTHER,
    Lists,
    Remote,
    as_program,
    free_port,
    peer_at,
    remote,
)
from tests.support.waiting import until

pytestmark = pytest.mark.slow


@pytest.fixture(params=["pipe", "http"])
async def peer(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Remote]:
    """A connected server, in each of the two ways."""
    if request.param == "pipe":
        async with remote(as_program(tmp_path)) as running:
            yield running
        return
    port = free_port()
    by_http = McpServer.model_validate({"url": f"http://127.0.0.1:{port}/mcp"})
    async with peer_at(port, tmp_path), remote(by_http) as running:
        yield running


def nobody(_: str) -> None:
    """Hears of no progress."""


async def has(running: Remote, is_so: Callable[[], bool], what: str) -> None:
    async def seen() -> bool:
        return is_so()

    await until(seen, what)


async def test_its_tools_are_called_and_shown(peer: Remote) -> None:
    added = await peer.text_of("add_numbers", {"first": 3, "second": 4})
    drawn = await peer.server.call("draw_pixel", {}, ASKER, nobody)
    result = result_from(drawn, "peer_draw_pixel")

    assert added == "7"
    assert {"peer_add_numbers", "peer_status"} <= peer.names()
    assert result.markdown.startswith("a pixel")
    assert "[more](https://example.org/more)" in result.markdown
    [image] = result.files
    assert image.content_type == "image/png"
    assert image.data.startswith(b"\x89PNG")


async def test_a_changed_list_is_followed(peer: Remote) -> None:
    await peer.text_of("learn", {"name": "sing_song"})

    await has(peer, lambda: "peer_sing_song" in peer.names(), "the new tool")

    assert await peer.text_of("sing_song") == "sing_song"


async def test_who_called_is_asked_back(peer: Remote) -> None:
    peer.person.content = {"size": 3}
    peer.person.may_answer.set()

    ordered = await peer.text_of("order", {"what": "tea"})

    assert ordered == "3 x red tea"
    [(question, caller)] = peer.person.asked
    assert question.message == "Which size of tea?"
    assert caller == ASKER


async def test_nobody_is_asked_for_a_password(peer: Remote) -> None:
    assert await peer.text_of("sign_in") == "decline"
    assert peer.person.asked == []


async def test_a_flood_is_taken_or_refused_and_the_next_call_works(peer: Remote) -> None:
    flood = await peer.server.call("flood", {}, ASKER, nobody)

    assert flood.content
    assert await peer.text_of("add_numbers", {"first": 1}) == "2"


async def test_what_a_server_promised_of_its_results_is_not_checked_by_us(peer: Remote) -> None:
    assert "aaa!" in await peer.text_of("break_promise")


async def test_a_failure_says_what_the_server_says(peer: Remote) -> None:
    answer = await peer.server.call("fail", {}, ASKER, nobody)

    assert answer.is_error
    assert "the shelf is empty" in str(answer.content)


async def test_a_tool_that_claims_to_read_waits_for_approval_all_the_same(peer: Remote) -> None:
    tool = peer.registry.tool("peer_write_note")

    assert tool is not None
    assert tool.effect is Effect.CHANGE
    assert tool.plan is not None


async def test_a_program_that_dies_is_started_again(tmp_path: Path) -> None:
    async with remote(as_program(tmp_path)) as peer:
        before = await peer.text_of("number_of_process")
        with pytest.raises(RemoteError) as lost:
            await peer.text_of("end_program")
        await has(peer, lambda: not peer.server.condition.is_connected, "the end")
        await peer.connected()
        after = await peer.text_of("number_of_process")

    assert lost.value.is_open
    assert before != after


async def test_a_server_that_is_restarted_is_found_again(tmp_path: Path) -> None:
    port = free_port()
    by_http = McpServer.model_validate({"url": f"http://127.0.0.1:{port}/mcp"})
    async with peer_at(port, tmp_path) as first, remote(by_http) as peer:
        assert await peer.text_of("add_numbers", {"first": 1}) == "2"
        first.kill()
        await has(peer, lambda: not peer.server.condition.is_connected, "the end")
        names = peer.names()
        async with peer_at(port, tmp_path):
            await peer.connected()
            after = await peer.text_of("add_numbers", {"first": 2})

    assert after == "3"
    assert "peer_add_numbers" in names


async def test_what_never_answers_is_given_up_and_may_have_happened(tmp_path: Path) -> None:
    async with remote(as_program(tmp_path, timeout="1s")) as peer:
        with pytest.raises(RemoteError) as slow:
            await peer.text_of("never_end")
        still = await peer.text_of("add_numbers", {"first": 1})

    assert slow.value.is_open
    assert "did not answer in time" in slow.value.user_message
    assert still == "2"


async def test_the_time_stands_still_while_a_person_thinks(tmp_path: Path) -> None:
    async with remote(as_program(tmp_path, timeout="1s")) as peer:
        peer.person.content = {"size": 2}
        ordering = asyncio.create_task(peer.text_of("order", {"what": "tea"}))
        await has(peer, lambda: bool(peer.person.asked), "the question")
        with pytest.raises(RemoteError):
            await peer.text_of("never_end")  # as long as the first would have had
        peer.person.may_answer.set()

        assert await ordering == "2 x red tea"


async def test_a_question_of_which_it_is_not_clear_whose_it_is_is_asked_nobody(
    tmp_path: Path,
) -> None:
    async with remote(as_program(tmp_path)) as peer:
        never = asyncio.create_task(peer.server.call("never_end", {}, OTHER, nobody))
        await peer.text_of("add_numbers", {"first": 1})
        ordered = await peer.text_of("order", {"what": "tea"})
        never.cancel()

    assert ordered == "no order (decline)"
    assert peer.person.asked == []


async def test_after_a_restart_the_tools_are_known_while_the_server_is_away(
    tmp_path: Path,
) -> None:
    lists = Lists()
    async with remote(as_program(tmp_path), lists=lists) as first:
        names = first.names()
    gone = McpServer.model_validate({"command": str(tmp_path / "nothing")})
    async with remote(gone, lists=lists, waits=False) as again:
        await has(again, lambda: again.names() == names, "the tools known before")
        with pytest.raises(RemoteError) as away:
            await again.text_of("add_numbers", {"first": 1})

    assert not away.value.is_open
    assert "cannot reach `peer` now" in away.value.user_message


async def test_what_the_operator_leaves_out_is_not_there(tmp_path: Path) -> None:
    configured = as_program(
        tmp_path,
        include=["*_n*", "fail"],
        exclude=["number_*"],
        approval={"add_*": "none"},
        levels={"*": "admin", "add_numbers": "viewer"},
    )
    async with remote(configured) as peer:
        names = peer.names()
        added, note = (peer.registry.tool(f"peer_{n}") for n in ("add_numbers", "write_note"))

    assert names == {"peer_add_numbers", "peer_write_note", "peer_fail", "peer_status"}
    assert added is not None
    assert note is not None
    assert (added.effect, added.level.name) == (Effect.READ, "VIEWER")
    assert (note.effect, note.level.name) == (Effect.CHANGE, "ADMIN")
