"""Logs of containers, from an engine that stands in for Docker's."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lycatra_appservice.errors import ToolFailedError
from lycatra_appservice.tools.logs._sources import containers
from tests.support.docker_engine import DockerStandIn, OneContainer, on_port, on_socket
from tests.unit.tools.logs.conftest import SearchLogs, Source, texts

OUTPUT, ERRORS = 1, 2


def stamped(said: str, second: int = 0) -> bytes:
    return f"2026-11-22T10:00:{second:02}.123456789Z {said}\n".encode()


@pytest.fixture
def web_1() -> OneContainer:
    return OneContainer("web-1")


@pytest.fixture
def engine(web_1: OneContainer) -> DockerStandIn:
    return DockerStandIn(web_1)


@pytest.fixture
async def address(engine: DockerStandIn, tmp_path: Path) -> AsyncIterator[str]:
    async with on_socket(engine, tmp_path / "docker.sock") as address:
        yield address


def docker(address: str, **more: Any) -> Source:
    named = {} if "project" in more else {"container": "web-1"}
    return {"name": "web", "kind": "docker", "engine": address, **named, **more}


async def test_both_streams_of_a_container_are_one_log(
    search_logs: SearchLogs, engine: DockerStandIn, web_1: OneContainer, address: str
) -> None:
    web_1.log = [
        (OUTPUT, stamped("INFO one", 1)),
        (ERRORS, stamped('{"level": "error", "msg": "two"}', 2)),
    ]

    result = await search_logs(docker(address), since="3h")

    assert result.data["entries"] == [
        {
            "source": "web",
            "time": "2026-11-22T10:00:02+00:00",
            "level": "error",
            "text": "two",
        },
        {
            "source": "web",
            "time": "2026-11-22T10:00:01+00:00",
            "level": "info",
            "text": "INFO one",
        },
    ]
    [asked] = engine.asked_logs
    assert (asked["stdout"], asked["stderr"], asked["timestamps"]) == ("1", "1", "1")
    assert asked["since"] == "1795338000"
    assert "follow" not in asked


async def test_a_socket_proxy_is_asked_by_its_port(
    search_logs: SearchLogs, engine: DockerStandIn, web_1: OneContainer
) -> None:
    web_1.log = [(OUTPUT, stamped("over tcp"))]

    async with on_port(engine) as address:
        assert texts(await search_logs(docker(address))) == ["over tcp"]


async def test_a_container_with_a_terminal_sends_bytes_as_they_are(
    search_logs: SearchLogs, web_1: OneContainer, address: str
) -> None:
    web_1.tty = True
    web_1.log = [(OUTPUT, stamped("\x1b[32mgreen\x1b[0m\r", 1)), (OUTPUT, stamped("next", 2))]

    assert texts(await search_logs(docker(address))) == ["next", "green"]


async def test_lines_go_over_frames_and_each_stream_has_its_own(
    search_logs: SearchLogs, web_1: OneContainer, address: str
) -> None:
    one, two = stamped("of the output", 1), stamped("of the errors", 2)
    web_1.log = [(OUTPUT, one[:40]), (ERRORS, two[:40]), (OUTPUT, one[40:]), (ERRORS, two[40:])]

    assert texts(await search_logs(docker(address))) == ["of the errors", "of the output"]


async def test_a_traceback_of_a_container_is_one_entry(
    search_logs: SearchLogs, web_1: OneContainer, address: str
) -> None:
    lines = ["failed", "Traceback (most recent call last):", '  File "x.py"', "ValueError: no"]
    web_1.log = [(ERRORS, stamped(line, number)) for number, line in enumerate(lines)]

    assert texts(await search_logs(docker(address), query="ValueError")) == ["\n".join(lines)]


async def test_all_containers_of_a_compose_service_are_one_log(
    search_logs: SearchLogs, engine: DockerStandIn, address: str
) -> None:
    labels = {
        "com.docker.compose.project": "shop",
        "com.docker.compose.service": "api",
        "com.docker.compose.oneoff": "False",
    }
    for number in (1, 2):
        name = f"shop-api-{number}"
        log = [(OUTPUT, stamped(f"of {number}", number))]
        engine.containers[name] = OneContainer(name, labels=labels, log=log)

    result = await search_logs(docker(address, project="shop", compose_name="api"))

    found = [(each["from"], each["text"]) for each in result.data["entries"]]
    assert found == [("shop-api-2", "of 2"), ("shop-api-1", "of 1")]


async def test_what_is_more_than_can_be_kept_is_told(
    search_logs: SearchLogs,
    web_1: OneContainer,
    address: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(containers, "_KEPT_BYTES", 1000)
    web_1.log = [(OUTPUT, stamped(f"line {number}")) for number in range(100)]

    result = await search_logs(docker(address), limit=1)

    assert texts(result) == ["line 99"]
    assert result.data["notes"] == ["`web`: it is so long that not all of it was read"]


async def test_an_engine_that_sends_without_end_is_left(
    search_logs: SearchLogs,
    engine: DockerStandIn,
    address: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(containers, "MOST_BYTES", 1000)
    engine.hang = asyncio.Event()  # it would never end by itself
    engine.raw_log = bytes([OUTPUT, 0, 0, 0, 255, 255, 255, 255]) + stamped("first") * 100

    result = await search_logs(docker(address), limit=1)

    assert texts(result)[0].startswith("first")
    assert "not all of it was read" in result.data["notes"][0]


@pytest.mark.parametrize("raw", [b"", b"\x01", b"\x01\x00\x00\x00\x00", b"\xff" * 50, b"{}"])
async def test_garbage_stops_nothing(
    search_logs: SearchLogs, engine: DockerStandIn, address: str, raw: bytes
) -> None:
    engine.raw_log = raw

    assert (await search_logs(docker(address))).data["notes"] == []


async def test_what_cannot_be_asked_says_why(
    search_logs: SearchLogs, engine: DockerStandIn, address: str, tmp_path: Path
) -> None:
    gone = f"unix://{tmp_path}/nowhere.sock"
    engine.refuse[("GET", "/logs")] = 403
    for source, reason in (
        (docker(gone), "Docker's socket is not there"),
        (docker(address, container="other"), "there is no container `other`"),
        (docker(address, project="p", compose_name="x"), "`p` has no container of `x`"),
        (docker(address), r"does not let me do that \(HTTP 403\)"),
    ):
        with pytest.raises(ToolFailedError, match=reason):
            await search_logs(source)


async def test_an_engine_that_hangs_is_given_up(
    search_logs: SearchLogs, engine: DockerStandIn, address: str
) -> None:
    engine.hang = asyncio.Event()

    with pytest.raises(ToolFailedError, match=r"did not answer within 0\.2 seconds"):
        await search_logs(docker(address, timeout_seconds=0.2))


async def test_without_the_extra_the_line_that_installs_it_is_told(
    search_logs: SearchLogs, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("tools._docker_engine", "tools.logs._sources.containers"):
        monkeypatch.delitem(sys.modules, f"lycatra_appservice.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "aiodocker", None)

    with pytest.raises(ToolFailedError) as failed:
        await search_logs(docker(address))

    assert "lycatra-appservice[docker]" in failed.value.user_message
