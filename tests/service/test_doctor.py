"""`lycatra doctor` against a real Synapse: what is well, and the failures that people meet."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from lycatra_appservice.model import JSON
from lycatra_appservice.registration import read_registration, render
from tests.support.lycatra import lycatra_config
from tests.support.model_server import calls, model_server, says
from tests.support.newcomer import Typed
from tests.support.site import Site
from tests.support.stage import Stage, sqlite_in

pytestmark = pytest.mark.slow  # each starts a Synapse, or waits for one

KEY = "canary-of-the-model-key-0123456789"


@dataclass(frozen=True, slots=True)
class Examined:
    """What an examination left: exit code, everything it said, its findings by their checks."""

    code: int
    said: str
    findings: Mapping[str, JSON]

    def level(self, check: str) -> str:
        return str(self.findings[check]["level"])

    def told(self, check: str) -> str:
        """Everything that is said about a check."""
        finding = self.findings[check]
        return f"{finding['what']} / {finding['why']} / {finding['fix']}"


def config_of(site: Site, folder: Path, more: Mapping[str, JSON] | None = None) -> dict[str, JSON]:
    """A configuration that fits the site in everything, the port where Synapse looks, too."""
    return {
        **lycatra_config(
            homeserver_url=site.homeserver.url,
            server_name="hs.test",
            registration=site.registration,
            database_url=sqlite_in(folder),
            appservice_url=f"http://127.0.0.1:{site.appservice_port}",
            port=site.appservice_port,
        ),
        "access": {"admin": ["@alice:hs.test"]},
        **(more or {}),
    }


async def examine(folder: Path, config: Mapping[str, JSON], *options: str) -> Examined:
    """Write a configuration and examine it."""
    path = folder / "config.yaml"
    path.write_text(json.dumps(config))
    path.chmod(0o600)
    async with Typed(["doctor", "--json", "-c", str(path), *options], folder) as typed:
        code = await typed.ended()
    findings = {finding["check"]: finding for finding in json.loads(typed.said)["findings"]}
    return Examined(code, typed.said, findings)


def changed(site: Site, folder: Path, **keys: JSON) -> Path:
    """Another registration than the one that Synapse has read."""
    path = folder / "changed.yaml"
    path.write_text(render({**read_registration(site.registration), **keys}))
    return path


async def test_a_healthy_installation_passes_while_the_service_runs(
    stage: Stage, tmp_path: Path
) -> None:
    async with model_server() as model:
        model.will(says("ready"), calls(("get_version", '{"service": "shop"}')), says("pelican"))
        replica = await stage.replica(sqlite_in(tmp_path), model_url=model.base_url)
        await replica.start()
        config = json.loads(replica.config_path.read_text())
        config["access"] = {"admin": ["@alice:hs.test"]}
        config["model"]["model"] = "test-model"
        examined = await examine(tmp_path, config)
    assert examined.level("listener") == "ok"
    assert "Lycatra runs on port" in examined.told("listener")
    problems = [check for check in examined.findings if examined.level(check) != "ok"]
    assert problems == ["configuration"]
    # The proxy before the replicas is what Synapse knows.
    assert "Synapse is told port" in examined.told("configuration")
    assert {"database.schema", "database.writable", "model.tool_call"} <= set(examined.findings)
    assert examined.code == 0


async def test_without_the_service_the_doctor_answers_the_ping_itself(
    site: Site, tmp_path: Path
) -> None:
    examined = await examine(tmp_path, config_of(site, tmp_path))
    assert examined.code == 0
    assert "does not run here now" in examined.told("listener")
    assert examined.level("introduction.ping") == "ok"
    assert "the first start makes" in examined.told("database.reachable")
    assert examined.level("model.reachable") == "warning"
    assert not (tmp_path / "lycatra.db").exists()


async def test_a_wrong_address_ends_the_questions_to_the_homeserver(
    site: Site, tmp_path: Path
) -> None:
    homeserver = {"url": "http://127.0.0.1:9", "server_name": "hs.test"}
    examined = await examine(tmp_path, config_of(site, tmp_path, {"homeserver": homeserver}))
    assert examined.code == 1
    assert "homeserver.url" in examined.told("homeserver.address")
    assert examined.level("introduction") == "skipped"


async def test_tokens_that_synapse_has_not_read_are_told_with_what_to_do(
    site: Site, tmp_path: Path
) -> None:
    config = config_of(site, tmp_path)
    config["appservice"]["registration_file"] = str(changed(site, tmp_path, as_token="a" * 64))
    examined = await examine(tmp_path, config)
    assert examined.code == 1
    for check in ("introduction.token", "introduction.ping"):
        assert examined.level(check) == "error"
        assert "restart Synapse" in examined.told(check)
    assert examined.level("introduction.namespace") == "skipped"


async def test_an_hs_token_that_synapse_does_not_have_is_found_by_the_round_trip(
    site: Site, tmp_path: Path
) -> None:
    config = config_of(site, tmp_path)
    config["appservice"]["registration_file"] = str(changed(site, tmp_path, hs_token="b" * 64))
    examined = await examine(tmp_path, config)
    assert examined.level("introduction.token") == "ok"
    assert "with another hs_token" in examined.told("introduction.ping")
    assert examined.code == 1


async def test_a_service_that_was_started_before_the_tokens_changed_is_told_apart(
    stage: Stage, tmp_path: Path
) -> None:
    replica = await stage.replica(sqlite_in(tmp_path))
    await replica.start()
    config = json.loads(replica.config_path.read_text())
    registration = changed(stage.site, tmp_path, hs_token="c" * 64)
    config["appservice"]["registration_file"] = str(registration)
    examined = await examine(tmp_path, config)
    assert "restart Lycatra" in examined.told("listener")
    assert examined.code == 1


async def test_an_address_where_synapse_does_not_reach_us_is_told(
    site: Site, tmp_path: Path
) -> None:
    config = config_of(site, tmp_path)
    config["appservice"]["listen"]["port"] += 1
    config["appservice"]["url"] = "http://127.0.0.1:9"
    examined = await examine(tmp_path, config)
    assert examined.code == 1
    assert "cannot reach it" in examined.told("introduction.ping")
    assert "Synapse calls an address" in examined.told("registration.file")


async def test_a_port_that_another_program_has_is_told(site: Site, tmp_path: Path) -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(text="Welcome")

    stranger = web.Application()
    stranger.router.add_route("*", "/{path:.*}", page)
    async with TestServer(stranger, host="127.0.0.1", port=site.appservice_port):
        examined = await examine(tmp_path, config_of(site, tmp_path))
    assert "another program listens" in examined.told("listener")
    assert examined.level("introduction.ping") == "error"
    assert examined.code == 1


@pytest.mark.parametrize(
    ("section", "values", "check", "told"),
    [
        (
            "homeserver",
            {"server_name": "other.test"},
            "introduction.token",
            "homeserver.server_name: hs.test",
        ),
        ("bot", {"localpart": "helper"}, "introduction.token", "@lycatra_sender:hs.test instead"),
        ("appservice", {"id": "helper"}, "introduction.ping", "another id than 'helper'"),
    ],
)
async def test_a_synapse_that_knows_us_by_another_name_is_told(
    site: Site, tmp_path: Path, section: str, values: Mapping[str, JSON], check: str, told: str
) -> None:
    config = config_of(site, tmp_path)
    config[section] = {**config.get(section, {}), **values}
    examined = await examine(tmp_path, config)
    assert examined.code == 1
    assert told in examined.told(check)
    assert examined.level("registration.file") == "error"


async def test_a_registration_that_slows_us_down_is_told(site: Site, tmp_path: Path) -> None:
    config = config_of(site, tmp_path)
    config["appservice"]["registration_file"] = str(changed(site, tmp_path, rate_limited=True))
    examined = await examine(tmp_path, config)
    assert "as if a person typed too fast" in examined.told("registration.file")


async def test_offline_asks_nobody(site: Site, tmp_path: Path) -> None:
    homeserver = {"url": "http://127.0.0.1:9", "server_name": "hs.test"}
    model = {"base_url": "http://127.0.0.1:9/v1", "model": "m"}
    config = config_of(site, tmp_path, {"homeserver": homeserver, "model": model})
    examined = await examine(tmp_path, config, "--offline")
    assert examined.code == 0
    assert examined.level("homeserver.address") == "skipped"
    assert examined.level("model.reachable") == "skipped"
    assert examined.level("registration.file") == "ok"


async def test_no_secret_is_shown_even_if_a_server_repeats_it(site: Site, tmp_path: Path) -> None:
    async def repeat(request: web.Request) -> web.Response:
        if request.path == "/_matrix/client/versions":
            return web.json_response({"versions": ["v1.15"]})
        words = f"wrong key {KEY} in {request.headers.get('Authorization')}"
        return web.json_response({"errcode": "M_ODD", "error": words}, status=400)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", repeat)
    async with TestServer(app, host="127.0.0.1") as server:
        model = {"base_url": str(server.make_url("/v1")), "model": "m", "api_key": KEY}
        homeserver = {"url": str(server.make_url("")).rstrip("/"), "server_name": "hs.test"}
        config = config_of(site, tmp_path, {"model": model, "homeserver": homeserver})
        examined = await examine(tmp_path, config)
    assert examined.level("model.reachable") == "error"
    assert "wrong key ***" in examined.told("introduction.ping")
    tokens = read_registration(site.registration)
    for secret in (KEY, tokens["as_token"], tokens["hs_token"]):
        assert secret not in examined.said


async def test_mistakes_in_the_configuration_are_findings(site: Site, tmp_path: Path) -> None:
    examined = await examine(tmp_path, {**config_of(site, tmp_path), "timezon": "UTC"})
    assert examined.code == 1
    assert "timezon: is not a setting" in examined.told("configuration")
    assert list(examined.findings) == ["configuration"]


async def test_people_read_why_and_what_to_do_below_each_problem(
    site: Site, tmp_path: Path
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps(config_of(site, tmp_path)))
    path.chmod(0o600)
    async with Typed(["doctor", "-c", str(path)], tmp_path) as typed:
        assert await typed.ended() == 0
    lines = typed.said.splitlines()
    at = lines.index("warning    model.reachable: no model is configured")
    assert lines[at + 1].strip().startswith("why: ")
    assert lines[at + 2].strip().startswith("do:  ")
    assert lines[-1] == "no errors, 1 warning"
