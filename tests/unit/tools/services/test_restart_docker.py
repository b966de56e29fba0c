"""Restarts by the Docker Engine's API, spoken by a stand-in on a Unix socket or a port."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import ValidationError

from lycatra_appservice.errors import ToolFailedError
from lycatra_appservice.tools.services._settings import ServicesSettings
from tests.support.docker_engine import (
    DockerStandIn,
    OneContainer,
    ended,
    on_port,
    on_socket,
    running,
)
from tests.unit.tools.services.restarting import (
    approved,
    asked,
    failure,
    refusal,
    restarted,
    status,
    toolbox,
)

OF_SHOP = {"com.docker.compose.project": "shop", "com.docker.compose.oneoff": "False"}


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


def docker(address: str, **settings: Any) -> dict[str, Any]:
    """A restart of `web`, which is the container `web-1`."""
    named = {} if "project" in settings else {"container": "web-1"}
    base = {"service": "web", "kind": "docker", "engine": address, "steady_seconds": 0}
    return {**base, **named, **settings}


# --- what is shown, and what an approval is bound to


async def test_the_card_shows_container_image_and_state_and_nothing_is_restarted(
    address: str, web_1: OneContainer, tmp_path: Path
) -> None:
    web_1.state = running("unhealthy")
    async with toolbox(tmp_path, docker(address)) as box:
        plan = (await asked(box)).plan

    assert plan.target == "web"
    assert plan.steps == ["restarts the container `web-1` of the image `nginx:1.27`"]
    assert plan.now == ["now `web-1` is running, unhealthy"]
    assert plan.look == "get service status web"
    assert web_1.restarts == []


async def test_an_approval_outlives_a_change_of_health_but_not_of_the_image(
    address: str, web_1: OneContainer, tmp_path: Path
) -> None:
    async with toolbox(tmp_path, docker(address)) as box:
        hashed = (await asked(box)).args_hash
        web_1.state = ended(137)
        await approved(box, hashed)
        assert len(web_1.restarts) == 1

        web_1.image = "nginx:1.28"
        with pytest.raises(ToolFailedError):
            await approved(box, hashed)
        assert len(web_1.restarts) == 1


# --- what goes well


async def test_a_container_is_restarted_and_waited_for_until_it_is_healthy(
    address: str, web_1: OneContainer, tmp_path: Path
) -> None:
    web_1.states = [running("starting"), running("unhealthy"), running("healthy")]
    async with toolbox(tmp_path, docker(address, stop_seconds=7)) as box:
        result = await restarted(box)

    assert web_1.restarts == ["7"]
    assert "`web-1` is running, healthy" in result.markdown
    assert "Look with `!get service status web`." in result.markdown
    assert result.data["containers"] == [{"name": "web-1", "state": "running, healthy"}]


async def test_without_a_time_to_stop_the_container_keeps_its_own(
    address: str, web_1: OneContainer, tmp_path: Path
) -> None:
    async with toolbox(tmp_path, docker(address)) as box:
        await restarted(box)
    assert web_1.restarts == [None]


async def test_what_has_no_health_check_has_to_stay_up(
    address: str, web_1: OneContainer, tmp_path: Path
) -> None:
    web_1.states = [running(), {**ended(1), "Status": "restarting"}]
    async with toolbox(tmp_path, docker(address, steady_seconds=0.01, timeout_seconds=0.6)) as box:
        said = await failure(box)
    assert said.startswith("`web-1` was restarted, but it is not up after 0.6 s: restarting.")


async def test_a_container_that_starts_again_and_again_is_not_up(
    address: str, web_1: OneContainer, tmp_path: Path
) -> None:
    web_1.states = [running(started_at=f"2026-11-22T12:00:{at:02}Z") for at in range(60)]
    async with toolbox(tmp_path, docker(address, steady_seconds=0.2, timeout_seconds=0.6)) as box:
        assert "it is not up after 0.6 s" in await failure(box)


async def test_all_containers_of_a_compose_service_are_restarted_one_after_the_other(
    tmp_path: Path,
) -> None:
    of_web = {**OF_SHOP, "com.docker.compose.service": "web"}
    named = {
        "shop-web-2": of_web,
        "shop-web-1": of_web,
        "shop-db-1": {**OF_SHOP, "com.docker.compose.service": "db"},
        "shop-web-run": {**of_web, "com.docker.compose.oneoff": "True"},
        "other-web-1": {**of_web, "com.docker.compose.project": "other"},
    }
    engine = DockerStandIn(*(OneContainer(name, labels=each) for name, each in named.items()))
    async with (
        on_socket(engine, tmp_path / "docker.sock") as address,
        toolbox(tmp_path, docker(address, project="shop")) as box,
    ):
        plan = (await asked(box)).plan
        await restarted(box)

    assert [step.split("`")[1] for step in plan.steps] == ["shop-web-1", "shop-web-2"]
    assert [each for each in engine.asked if each.endswith("/restart")] == [
        "POST /v1.47/containers/shop-web-1/restart",
        "POST /v1.47/containers/shop-web-2/restart",
    ]


async def test_a_compose_service_may_be_called_otherwise(tmp_path: Path) -> None:
    labels = {**OF_SHOP, "com.docker.compose.service": "nginx"}
    engine = DockerStandIn(OneContainer("shop-nginx-1", labels=labels))
    async with (
        on_socket(engine, tmp_path / "docker.sock") as address,
        toolbox(tmp_path, docker(address, project="shop", compose_name="nginx")) as box,
    ):
        assert "shop-nginx-1" in (await restarted(box)).markdown


async def test_a_socket_proxy_is_asked_by_its_port(
    engine: DockerStandIn, web_1: OneContainer, tmp_path: Path
) -> None:
    async with on_port(engine) as address, toolbox(tmp_path, docker(address)) as box:
        await restarted(box)
    assert len(web_1.restarts) == 1


async def test_a_container_is_looked_at_again_when_docker_did_not_tell(
    engine: DockerStandIn, address: str, tmp_path: Path
) -> None:
    engine.refuse_once["GET", "/json"] = 500
    async with toolbox(tmp_path, docker(address)) as box:
        assert "`web-1` is running" in (await restarted(box)).markdown


# --- what is not there, or not allowed


async def test_an_unknown_container_has_no_card(address: str, tmp_path: Path) -> None:
    async with toolbox(tmp_path, docker(address, container="web-7")) as box:
        assert await refusal(box) == "Docker has no container called `web-7`."


async def test_the_beginning_of_an_id_is_no_name(
    address: str, web_1: OneContainer, tmp_path: Path
) -> None:
    async with toolbox(tmp_path, docker(address, container=web_1.container_id[:6])) as box:
        assert "no container called" in await refusal(box)


async def test_a_compose_service_without_containers_has_no_card(
    address: str, tmp_path: Path
) -> None:
    async with toolbox(tmp_path, docker(address, project="shop")) as box:
        said = await refusal(box)
    assert said == "Docker has no container of `web` in the project `shop`."


async def test_a_socket_that_is_not_there_is_told(tmp_path: Path) -> None:
    async with toolbox(tmp_path, docker(f"unix://{tmp_path}/none.sock")) as box:
        assert "Docker's socket is not there" in await refusal(box)


async def test_a_socket_that_nobody_serves_is_told(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    async with on_socket(DockerStandIn(), path) as address:
        pass
    if not path.exists():
        server = await asyncio.start_unix_server(lambda _, writer: writer.close(), path)
        server.close()
        await server.wait_closed()
    async with toolbox(tmp_path, docker(address)) as box:
        assert "Docker does not run" in await refusal(box)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without the rights of root, if the tests have them."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no modes of sockets")
async def test_a_socket_that_may_not_be_used_is_told_with_the_group(
    address: str, tmp_path: Path
) -> None:
    async with toolbox(tmp_path, docker(address)) as box:
        await asked(box)  # everything is imported
        (tmp_path / "docker.sock").chmod(0)
        with as_nobody():
            said = await refusal(box)
    assert "I may not use Docker's socket" in said
    assert "group `docker`" in said
    assert str(tmp_path) not in said


@pytest.mark.parametrize(("code", "word"), [(401, "let me"), (403, "let me"), (500, "refused")])
async def test_a_refused_look_is_told_without_the_words_of_docker(
    engine: DockerStandIn, address: str, tmp_path: Path, code: int, word: str
) -> None:
    engine.refuse["GET", "/json"] = code
    async with toolbox(tmp_path, docker(address)) as box:
        said = await refusal(box)
    assert f"HTTP {code}" in said
    assert word in said
    assert "secret" not in said


@pytest.mark.parametrize("answer", ["no json", "[]", '{"State": {}}', '{"State": null}'])
async def test_nonsense_is_told(tmp_path: Path, answer: str) -> None:
    async def say(request: web.Request) -> web.Response:
        text = '{"ApiVersion": "1.47"}' if request.path == "/version" else answer
        return web.Response(text=text, content_type="application/json")

    app = web.Application()
    app.router.add_get("/{path:.*}", say)
    async with (
        TestServer(app) as server,
        toolbox(tmp_path, docker(f"tcp://127.0.0.1:{server.port}")) as box,
    ):
        assert await refusal(box) == "Docker gave no valid answer."


async def test_a_dead_proxy_is_told_by_the_guard(engine: DockerStandIn, tmp_path: Path) -> None:
    async with on_port(engine) as address:
        pass
    async with toolbox(tmp_path, docker(address)) as box:
        said = await refusal(box)
    assert said == f"I got no usable answer from `{address[6:]}`: connection refused."


async def test_a_redirect_of_the_proxy_leads_nowhere(
    engine: DockerStandIn, web_1: OneContainer, tmp_path: Path
) -> None:
    async with on_port(engine) as elsewhere:

        async def redirect(request: web.Request) -> web.Response:
            raise web.HTTPTemporaryRedirect(f"http{elsewhere[3:]}{request.path_qs}")

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", redirect)
        async with (
            TestServer(app) as proxy,
            toolbox(tmp_path, docker(f"tcp://127.0.0.1:{proxy.port}")) as box,
        ):
            assert await refusal(box) == "Docker gave no valid answer."
    assert engine.asked == []


# --- what goes wrong


async def test_a_container_that_never_gets_healthy_is_told_with_its_last_state(
    address: str, web_1: OneContainer, tmp_path: Path
) -> None:
    web_1.states = [running("starting"), running("unhealthy")]
    async with toolbox(tmp_path, docker(address, timeout_seconds=0.5)) as box:
        said = await failure(box)
    assert said == (
        "`web-1` was restarted, but it is not up after 0.5 s: running, unhealthy. "
        "Look with `!get service status web`."
    )


async def test_a_container_that_ends_again_is_told_at_once(
    address: str, web_1: OneContainer, tmp_path: Path
) -> None:
    web_1.restart_policy = "no"
    web_1.states = [ended(3)]
    async with toolbox(tmp_path, docker(address)) as box:
        async with asyncio.timeout(5):
            said = await failure(box)
    assert said.startswith("`web-1` was restarted, but it ended again: exited with code 3.")


async def test_a_restart_that_docker_is_not_done_with_may_have_happened(
    engine: DockerStandIn, address: str, web_1: OneContainer, tmp_path: Path
) -> None:
    engine.hang = asyncio.Event()
    web_1.states = [ended(137)]
    async with toolbox(tmp_path, docker(address, timeout_seconds=0.2)) as box:
        said = await failure(box)
    assert said.startswith(
        "`web-1` may or may not have been restarted. Docker was not done within 0.2 s. "
        "Now it is exited with code 137."
    )


@pytest.mark.parametrize("code", [403, 404, 409])
async def test_a_refused_restart_has_not_happened(
    engine: DockerStandIn, address: str, web_1: OneContainer, tmp_path: Path, code: int
) -> None:
    engine.refuse["POST", "/restart"] = code
    async with toolbox(tmp_path, docker(address)) as box:
        said = await failure(box)
    assert said.startswith("`web-1` was not restarted. Docker ")
    assert f"HTTP {code}" in said
    assert "secret" not in said
    assert web_1.restarts == []


async def test_a_restart_that_broke_docker_may_have_happened(
    engine: DockerStandIn, address: str, web_1: OneContainer, tmp_path: Path
) -> None:
    engine.refuse["POST", "/restart"] = 500
    async with toolbox(tmp_path, docker(address)) as box:
        said = await failure(box)
    assert said.startswith("`web-1` may or may not have been restarted. Docker refused (HTTP 500)")
    assert "Now it is running." in said


async def test_a_connection_that_breaks_in_the_middle_leaves_it_open(
    engine: DockerStandIn, address: str, web_1: OneContainer, tmp_path: Path
) -> None:
    async def hang_up(request: web.Request) -> None:
        assert request.transport is not None
        request.transport.close()

    engine.on_restart = hang_up
    async with toolbox(tmp_path, docker(address)) as box:
        assert "may or may not have been restarted" in await failure(box)


async def test_those_before_a_failure_are_told(
    tmp_path: Path,
) -> None:
    labels = {**OF_SHOP, "com.docker.compose.service": "web"}
    engine = DockerStandIn(*(OneContainer(f"shop-web-{at}", labels=labels) for at in (1, 2)))
    engine.refuse["POST", "shop-web-2/restart"] = 409
    async with (
        on_socket(engine, tmp_path / "docker.sock") as address,
        toolbox(tmp_path, docker(address, project="shop")) as box,
    ):
        said = await failure(box)
    assert said.startswith("`shop-web-2` was not restarted.")
    assert "Before that, `shop-web-1` was restarted and is up again." in said


async def test_a_container_that_goes_away_is_told(
    engine: DockerStandIn, address: str, web_1: OneContainer, tmp_path: Path
) -> None:
    async def remove(request: web.Request) -> None:
        engine.containers.clear()

    engine.on_restart = remove
    async with toolbox(tmp_path, docker(address)) as box:
        assert "it is not there any more" in await failure(box)


# --- looking at it afterwards


async def test_the_status_tells_how_a_container_is_that_has_no_check(
    address: str, web_1: OneContainer, tmp_path: Path
) -> None:
    async with toolbox(tmp_path, docker(address)) as box:
        assert await status(box) == {"name": "web", "ok": True, "detail": "running"}

    web_1.state = running("starting")
    async with toolbox(tmp_path, docker(address)) as box:
        found = await status(box)
    assert found == {"name": "web", "ok": False, "detail": "running, its health not known yet"}


async def test_the_status_prefers_a_check_of_that_name(address: str, tmp_path: Path) -> None:
    check = {"name": "Web", "kind": "command", "argv": [sys.executable, "-c", ""]}
    async with toolbox(tmp_path, docker(address), checks=[check]) as box:
        assert (await status(box))["detail"] == "exit code 0"


async def test_the_status_tells_that_docker_is_away(tmp_path: Path) -> None:
    async with toolbox(tmp_path, docker(f"unix://{tmp_path}/none.sock")) as box:
        found = await status(box)
    assert not found["ok"]
    assert "socket is not there" in found["detail"]


# --- the extra, and the settings


async def test_a_missing_extra_is_named_with_the_line_to_install(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [each for each in sys.modules if each.endswith(("_restarts.docker", "_engine"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "aiodocker", None)
    async with toolbox(tmp_path, docker(address)) as box:
        said = await refusal(box)
    assert "needs the extra `docker`" in said
    assert "`pip install 'lycatra-appservice[docker]'`" in said


@pytest.mark.parametrize(
    "wrong",
    [
        {"container": None},
        {"container": "a", "project": "b"},
        {"container": "../../etc"},
        {"container": "a/json?x"},
        {"container": "a", "compose_name": "b"},
        {"container": "a", "engine": "tcp://proxy"},
        {"container": "a", "engine": "tcp://user:pw@proxy:2375"},
        {"container": "a", "engine": "tcp://proxy:2375/containers"},
        {"container": "a", "engine": "ssh://host"},
        {"container": "a", "engine": "unix://relative.sock"},
        {"container": "a", "stop_seconds": -1},
    ],
)
def test_what_names_no_container_is_a_mistake_of_the_configuration(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ServicesSettings.model_validate(
            {"restarts": [{"service": "web", "kind": "docker", **wrong}]}
        )
