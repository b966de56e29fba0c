"""Deployments of a container by the Docker Engine's API, spoken by a stand-in."""

import platform
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lycatra_appservice.tools.updates._deployers.clone import canary_of, clone_of
from lycatra_appservice.tools.updates._settings import UpdatesSettings
from tests.support.docker_swaps import SwappingEngine, on_socket
from tests.support.journal import Journal
from tests.unit.tools.updates.deploying import SWIFT, desk, phases

IMAGE = "ghcr.test/me/web"
OF_IMAGE = {
    "Cmd": ["serve"],
    "Env": ["PATH=/bin", "MODE=production"],
    "Labels": {"org.image": "yes"},
    "ExposedPorts": {"80/tcp": {}},
    "Healthcheck": {"Test": ["CMD", "old"]},
    "User": "1000",
}
ONE = f"{IMAGE}:1.0"
TWO = f"{IMAGE}:2.0"


@pytest.fixture
def engine() -> SwappingEngine:
    """`web` runs 1.0, with all that can be configured of it."""
    engine = SwappingEngine()
    engine.pulled[ONE] = OF_IMAGE
    engine.registry = {ONE: OF_IMAGE, TWO: {"Cmd": ["serve", "--new"], "Env": ["PATH=/sbin"]}}
    made = engine.add(
        "web",
        ONE,
        status="running",
        config={
            **OF_IMAGE,
            "Hostname": "000000000000",
            "Env": ["PATH=/bin", "MODE=test", "TOKEN=x"],
            "Labels": {"org.image": "yes", "team": "shop"},
        },
        host={
            "PortBindings": {"80/tcp": [{"HostPort": "8080"}]},
            "RestartPolicy": {"Name": "unless-stopped"},
            "Binds": ["/srv/data:/data:rw"],
            "NetworkMode": "shop",
        },
        networks={  # an engine shows them by the alphabet
            "metrics": {"Aliases": None},
            "shop": {"Aliases": ["web", "000000000000"], "IPAddress": "10.0.0.2"},
        },
        mounts=[
            {"Type": "bind", "Source": "/srv/data", "Destination": "/data", "RW": True},
            {"Type": "volume", "Name": "4f2a", "Destination": "/cache", "RW": True},
        ],
    )
    made.config["Hostname"] = made.container_id[:12]
    made.networks["shop"]["Aliases"] = ["web", made.container_id[:12]]
    return engine


@pytest.fixture
async def address(engine: SwappingEngine, tmp_path: Path) -> AsyncIterator[str]:
    async with on_socket(engine, tmp_path / "docker.sock") as address:
        yield address


def docker(address: str, **settings: Any) -> dict[str, Any]:
    base = {
        "service": "web",
        "kind": "docker",
        "container": "web",
        "engine": address,
        "steady_seconds": 0,
        **SWIFT,
        "health_seconds": 0.5,
    }
    return {**base, **settings}


# --- what goes well


async def test_the_card_shows_both_images_and_nothing_is_changed(
    engine: SwappingEngine, address: str, tmp_path: Path
) -> None:
    async with desk(tmp_path, docker(address)) as at:
        plan = await at.plan("2.0")

    assert plan.steps[:3] == [
        "brings `web` from 1.0 to 2.0",
        f"gets the image `{TWO}`",
        f"replaces the container `web` of `{ONE}` by one of `{TWO}`",
    ]
    assert plan.now == ["now `web` is running"]
    assert engine.asked == []


async def test_the_new_container_is_configured_as_the_old_one_and_not_as_its_image(
    engine: SwappingEngine, address: str, tmp_path: Path
) -> None:
    async with desk(tmp_path, docker(address)) as at:
        result = await at.deploy("2.0")

    assert result.data["state"] == "kept"
    assert engine.images() == {"web": TWO}
    made = engine.containers["web"]
    assert made.status == "running"
    assert made.host["PortBindings"] == {"80/tcp": [{"HostPort": "8080"}]}
    assert made.host["RestartPolicy"] == {"Name": "unless-stopped"}
    assert made.host["Binds"] == ["/srv/data:/data:rw", "4f2a:/cache:rw"]
    assert made.config["Env"] == ["MODE=test", "TOKEN=x"]
    assert made.config["Labels"] == {"team": "shop"}
    assert made.networks == {"shop": {"Aliases": ["web"]}, "metrics": {}}
    for of_the_old_image in ("Cmd", "Healthcheck", "User", "Hostname"):
        assert of_the_old_image not in made.config


async def test_the_login_for_the_registry_is_sent_and_never_shown(
    engine: SwappingEngine, address: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    settings = docker(address, registry={"username": "bot", "password": "s3cret"})
    async with desk(tmp_path, settings) as at:
        plan = await at.plan("2.0")
        result = await at.deploy("2.0")

    assert engine.logins[0]["username"] == "bot"
    assert engine.logins[0]["password"] == "s3cret"
    shown = f"{plan}{result}{caplog.text}{[record.__dict__ for record in caplog.records]}"
    assert "s3cret" not in shown


async def test_an_image_that_is_there_need_not_be_got(
    engine: SwappingEngine, address: str, tmp_path: Path
) -> None:
    engine.pulled[TWO], engine.registry = {}, {}
    async with desk(tmp_path, docker(address, pull=False)) as at:
        assert (await at.deploy("2.0")).data["state"] == "kept"
        missing = await at.deploy("3.0")

    assert engine.logins == []
    assert f"Docker does not have the image `{IMAGE}:3.0`." in missing.data["why"]
    assert missing.data["state"] == "not_deployed"


# --- what fails


async def test_a_container_that_is_not_healthy_gives_way_to_the_old_one(
    engine: SwappingEngine, address: str, tmp_path: Path
) -> None:
    old = engine.containers["web"]
    engine.health[TWO] = "unhealthy"
    async with desk(tmp_path, docker(address)) as at:
        result = await at.deploy("2.0")

    assert result.data["state"] == "rolled_back"
    assert "running, unhealthy" in result.data["why"]
    assert engine.containers == {"web": old}  # the very same one
    assert old.status == "running"


async def test_a_container_that_ends_is_not_waited_for(
    engine: SwappingEngine, address: str, tmp_path: Path
) -> None:
    engine.containers["web"].host["RestartPolicy"] = {"Name": "no"}
    engine.ends.add(TWO)
    async with desk(tmp_path, docker(address, health_seconds=60)) as at:
        result = await at.deploy("2.0")

    assert result.data["state"] == "rolled_back"
    assert result.data["why"] == "Health check: exited with code 1."


async def test_a_container_that_starts_anew_is_not_kept(
    engine: SwappingEngine, address: str, tmp_path: Path
) -> None:
    async with desk(tmp_path, docker(address, watch_seconds=600)) as at:
        old = engine.containers["web"]

        def start_anew(said: str) -> None:
            if "watch, 3 of 3: " in said:
                engine.containers["web"].starts += 1

        at.hear = start_anew
        result = await at.deploy("2.0")

    assert engine.containers == {"web": old}
    assert "it has started anew by itself" in result.data["why"]


async def test_an_image_that_the_registry_does_not_give_changes_nothing(
    engine: SwappingEngine, address: str, tmp_path: Path
) -> None:
    async with desk(tmp_path, docker(address)) as at:
        result = await at.deploy("3.0")

    assert result.data["state"] == "not_deployed"
    assert f"Docker could not get the image `{IMAGE}:3.0` from its registry." in result.markdown
    assert "secret" not in result.markdown
    assert engine.images() == {"web": ONE}
    assert engine.containers["web"].status == "running"


@pytest.mark.parametrize(
    ("refused", "state"),
    [
        (("POST", "/create"), "not_deployed"),
        (("POST", "/stop"), "rolled_back"),
        (("POST", "web/rename"), "rolled_back"),
        (("POST", "web.lycatra-new/rename"), "rolled_back"),
    ],
)
async def test_an_engine_that_refuses_leaves_the_old_container_running(
    engine: SwappingEngine, address: str, tmp_path: Path, refused: tuple[str, str], state: str
) -> None:
    engine.pulled[TWO] = {}
    engine.refuse[refused] = 403
    async with desk(tmp_path, docker(address, pull=False)) as at:
        result = await at.deploy("2.0")

    assert result.data["state"] == state
    assert "Docker does not let me do that (HTTP 403)." in result.data["why"]
    assert engine.images() == {"web": ONE}
    assert engine.containers["web"].status == "running"


async def test_a_container_that_cannot_be_started_gives_way_to_the_old_one(
    engine: SwappingEngine, address: str, tmp_path: Path
) -> None:
    old = engine.containers["web"]
    engine.refuse_start[TWO] = 500  # such as a port that something else has taken
    async with desk(tmp_path, docker(address)) as at:
        result = await at.deploy("2.0")

    assert result.data["state"] == "rolled_back"
    assert engine.containers == {"web": old}
    assert old.status == "running"


async def test_a_roll_back_by_hand_needs_no_registry(
    engine: SwappingEngine, address: str, tmp_path: Path
) -> None:
    async with desk(tmp_path, docker(address)) as at:
        await at.deploy("2.0")
        engine.registry = {}
        result = await at.call("rollback_update", service="web")

    assert result.data["state"] == "kept"
    assert engine.images() == {"web": ONE}


async def test_a_roll_back_that_fails_says_so(
    engine: SwappingEngine, address: str, tmp_path: Path
) -> None:
    engine.health[TWO] = "unhealthy"
    engine.refuse[("POST", "web.lycatra-old/rename")] = 500
    async with desk(tmp_path, docker(address)) as at:
        result = await at.deploy("2.0")

    assert result.data["state"] == "failed_and_not_rolled_back"
    assert "The roll-back failed: Docker refused (HTTP 500)." in result.data["why"]


async def test_a_dead_engine_is_told_instead_of_a_card(tmp_path: Path) -> None:
    async with desk(tmp_path, docker(f"unix://{tmp_path}/nowhere.sock")) as at:
        assert "Docker's socket is not there" in await at.refusal("2.0")


# --- what cannot be


@pytest.mark.parametrize(
    ("host", "settings", "why"),
    [
        ({"AutoRemove": True}, {}, "it is removed when it stops"),
        ({"PortBindings": {"80/tcp": []}}, {"itself": True}, "it has published ports"),
        ({}, {"container": "me"}, "it is the one that I run in; `itself: true`"),
    ],
)
async def test_what_could_not_be_brought_back_has_no_card(
    engine: SwappingEngine,
    address: str,
    tmp_path: Path,
    host: Mapping[str, Any],
    settings: Mapping[str, Any],
    why: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine.add("me", ONE, status="running", given_id="a1b2c3d4e5f6" + "0" * 52)
    monkeypatch.setattr(platform, "node", lambda: "a1b2c3d4e5f6")
    engine.containers["web"].host |= host
    async with desk(tmp_path, docker(address, **settings)) as at:
        assert why in await at.refusal("2.0")


async def test_a_version_that_is_no_tag_has_no_card(address: str, tmp_path: Path) -> None:
    async with desk(tmp_path, docker(address)) as at:
        assert "`2.0+dirty` cannot be the tag of an image" in await at.refusal("2.0+dirty")


async def test_an_unknown_container_has_no_card(address: str, tmp_path: Path) -> None:
    async with desk(tmp_path, docker(address, container="wbe")) as at:
        assert await at.refusal("2.0") == "Docker has no container called `wbe`."


@pytest.mark.parametrize("image", ["ghcr.test/me/web:1.0", "../web", "a b", ""])
def test_what_names_no_image_is_a_mistake_of_the_configuration(image: str) -> None:
    with pytest.raises(ValidationError):
        UpdatesSettings.model_validate({"deploy": [docker("unix:///x", image=image)]})


# --- the canary


async def test_a_canary_runs_beside_and_nothing_of_it_is_left(
    engine: SwappingEngine, address: str, tmp_path: Path
) -> None:
    async with desk(tmp_path, docker(address, canary=True)) as at:
        result = await at.deploy("2.0")

    assert phases(result)[0] == "canary"
    assert "POST /containers/web.lycatra-canary/start" in engine.asked
    assert engine.images() == {"web": TWO}


async def test_a_canary_that_is_not_well_stops_the_deployment(
    engine: SwappingEngine, address: str, tmp_path: Path
) -> None:
    engine.ends.add(TWO)
    async with desk(tmp_path, docker(address, canary=True)) as at:
        result = await at.deploy("2.0")

    assert result.data["state"] == "not_deployed"
    assert "The canary ended: exited with code 1." in result.data["why"]
    assert engine.images() == {"web": ONE}
    assert "POST /containers/web/stop" not in engine.asked


async def test_a_canary_that_hangs_is_removed_when_its_time_is_over(
    engine: SwappingEngine, address: str, tmp_path: Path
) -> None:
    engine.health[TWO] = "starting"
    async with desk(tmp_path, docker(address, canary=True, canary_seconds=0.2)) as at:
        result = await at.deploy("2.0")

    assert "The canary was not well after 0.2 s." in result.data["why"]
    assert engine.images() == {"web": ONE}


def test_a_canary_cannot_be_reached_and_writes_nothing(engine: SwappingEngine) -> None:
    made = engine.containers["web"]
    shown = {
        "Id": made.container_id,
        "Config": made.config,
        "HostConfig": made.host,
        "Mounts": made.mounts,
        "NetworkSettings": {"Networks": made.networks},
    }
    body = canary_of(clone_of(shown, OF_IMAGE, TWO), "web").body

    assert body["HostConfig"]["PortBindings"] == {}
    assert body["HostConfig"]["RestartPolicy"] == {"Name": "no"}
    assert body["HostConfig"]["Binds"] == ["/srv/data:/data:ro", "4f2a:/cache:ro"]
    assert body["Labels"] == {"org.lycatra.canary-of": "web"}
    assert body["NetworkingConfig"] == {"EndpointsConfig": {"shop": {}}}
    assert body["Env"] == ["MODE=test", "TOKEN=x"]


# --- what was cut off


@pytest.mark.parametrize("step", ["canary", "apply", "health check", "watch", "keep"])
@pytest.mark.parametrize("is_after", [False, True])
async def test_a_deployment_that_is_killed_in_any_step_ends_all_the_same(
    engine: SwappingEngine, address: str, tmp_path: Path, step: str, is_after: bool
) -> None:
    journal = Journal(kill_after=[step]) if is_after else Journal(kill_before=[step])
    async with desk(tmp_path, docker(address, canary=True)) as at:
        result = await at.deploy("2.0", journal)

    assert result.data["state"] == "kept"
    assert engine.images() == {"web": TWO}


CHANGES = [
    "POST /containers/create",
    "POST /containers/web/stop",
    "POST /containers/web/rename",
    "POST /containers/web.lycatra-new/rename",
    "POST /containers/web/start",
]


@pytest.mark.parametrize("change", CHANGES)
async def test_whatever_state_it_is_cut_off_in_the_next_run_comes_to_the_same_end(
    engine: SwappingEngine, address: str, tmp_path: Path, change: str
) -> None:
    engine.kill_after = change
    async with desk(tmp_path, docker(address)) as at:
        engine.kill = at.kill
        result = await at.deploy("2.0", Journal())

    assert result.data["state"] == "kept"
    assert engine.kill_after is None
    assert engine.images() == {"web": TWO}
    assert engine.containers["web"].status == "running"


@pytest.mark.parametrize(
    "change",
    [
        "DELETE /containers/web",
        "POST /containers/web.lycatra-old/rename",
    ],
)
async def test_a_roll_back_that_is_cut_off_comes_to_the_same_end(
    engine: SwappingEngine, address: str, tmp_path: Path, change: str
) -> None:
    engine.health[TWO] = "unhealthy"
    engine.kill_after = change
    async with desk(tmp_path, docker(address)) as at:
        engine.kill = at.kill
        result = await at.deploy("2.0", Journal())

    assert result.data["state"] == "rolled_back"
    assert engine.images() == {"web": ONE}
    assert engine.containers["web"].status == "running"


async def test_a_run_that_finds_the_old_container_renamed_brings_it_back_when_it_fails_itself(
    engine: SwappingEngine, address: str, tmp_path: Path
) -> None:
    old = engine.containers["web"]
    engine.kill_after = "POST /containers/web/rename"
    async with desk(tmp_path, docker(address)) as at:

        def kill() -> None:
            engine.refuse[("POST", "/create")] = 500
            at.kill()

        engine.kill = kill
        result = await at.deploy("2.0", Journal())

    assert result.data["state"] == "rolled_back"
    assert "Nothing was changed" not in result.markdown
    assert engine.containers == {"web": old}
    assert old.status == "running"


async def test_what_stands_in_the_environment_of_a_container_is_shown_nowhere(
    engine: SwappingEngine,
    address: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    engine.containers["web"].config["Env"] = ["TOKEN=s3cret-of-web"]
    engine.ends.add(TWO)
    async with desk(tmp_path, docker(address)) as at:
        shown = [await at.plan("2.0"), await at.deploy("2.0"), await at.listed(), at.said]
        engine.ends.clear()
        shown += [await at.deploy("2.0"), await at.listed()]

    logged = [record.__dict__ for record in caplog.records]
    assert "s3cret-of-web" not in f"{shown}{logged}"
    assert engine.containers["web"].config["Env"] == ["TOKEN=s3cret-of-web"]


async def test_lycatra_itself_is_started_before_its_old_container_is_stopped(
    engine: SwappingEngine, address: str, tmp_path: Path
) -> None:
    del engine.containers["web"].host["PortBindings"]
    async with desk(tmp_path, docker(address, itself=True)) as at:
        result = await at.deploy("2.0", Journal(kill_after=["keep"]))

    assert result.data["state"] == "kept"
    assert engine.images() == {"web": TWO}
    started = engine.asked.index("POST /containers/web/start")
    assert started < engine.asked.index("POST /containers/web.lycatra-old/stop")


async def test_who_stops_its_own_container_is_followed_by_the_new_one_which_reports(
    engine: SwappingEngine, address: str, tmp_path: Path
) -> None:
    del engine.containers["web"].host["PortBindings"]
    engine.kill_after = "POST /containers/web.lycatra-old/stop"
    async with desk(tmp_path, docker(address, itself=True)) as at:
        engine.kill = at.kill
        result = await at.deploy("2.0", Journal())

    assert result.data["state"] == "kept"
    assert engine.kill_after is None
    assert engine.images() == {"web": TWO}
    assert engine.containers["web"].status == "running"


async def test_a_bad_new_version_of_lycatra_goes_and_the_old_one_never_stopped(
    engine: SwappingEngine, address: str, tmp_path: Path
) -> None:
    del engine.containers["web"].host["PortBindings"]
    old = engine.containers["web"]
    engine.ends.add(TWO)
    async with desk(tmp_path, docker(address, itself=True)) as at:
        result = await at.deploy("2.0")

    assert result.data["state"] == "rolled_back"
    assert engine.containers == {"web": old}
    assert old.status == "running"
    assert not [each for each in engine.asked if each == "POST /containers/web.lycatra-old/stop"]
