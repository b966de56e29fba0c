"""Deployments by `docker compose`, which a small program stands in for."""

import json
import platform
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lycatra_appservice.tools.updates._settings import UpdatesSettings
from tests.support.compose_program import ComposeProgram, written
from tests.support.journal import Journal
from tests.unit.tools.updates.deploying import SWIFT, desk, phases

IMAGE = "ghcr.test/me/web"
ONE, TWO = f"{IMAGE}:1.0", f"{IMAGE}:2.0"


@pytest.fixture
def program(tmp_path: Path) -> ComposeProgram:
    """The project `shop` in the folder `shop`, whose `web` runs 1.0."""
    program = written(tmp_path / "bin")
    project = tmp_path / "shop"
    program.set(image=ONE, made_in=str(project))
    project.mkdir()
    content = {"services": {"web": {"image": ONE}, "db": {"image": "postgres:17"}}}
    (project / "compose.yaml").write_text(json.dumps(content))
    return program


def compose(stand_in: ComposeProgram, **settings: Any) -> dict[str, Any]:
    return {
        "service": "web",
        "kind": "compose",
        "project": "shop",
        "files": ["shop/compose.yaml"],
        "image": IMAGE,
        "program": stand_in.path,
        **SWIFT,
        **settings,
    }


def override(tmp_path: Path) -> Any:
    text = (tmp_path / "shop" / "lycatra.web.yaml").read_text()
    assert text.startswith("# Written by Lycatra at each deployment.\n")
    return json.loads(text.partition("\n")[2])


# --- what goes well


async def test_the_card_shows_the_image_and_nothing_is_changed(
    program: ComposeProgram, tmp_path: Path
) -> None:
    async with desk(tmp_path, compose(program)) as at:
        plan = await at.plan("2.0")

    assert plan.steps[:3] == [
        "brings `web` from 1.0 to 2.0",
        f"sets the image of `web` in the compose project `shop` to `{TWO}`",
        "makes its containers anew by `docker compose up`",
    ]
    assert plan.now == ["now its containers are running"]
    assert program.changes == []
    assert not (tmp_path / "shop" / "lycatra.web.yaml").exists()


async def test_the_tag_is_set_in_a_file_of_its_own_and_compose_brings_it(
    program: ComposeProgram, tmp_path: Path
) -> None:
    before = (tmp_path / "shop" / "compose.yaml").read_text()
    async with desk(tmp_path, compose(program)) as at:
        result = await at.deploy("2.0")

    assert result.data["state"] == "kept"
    assert phases(result) == ["apply", "health check", "watch", "keep"]
    assert program.changes == [f"pull {TWO}", f"up {TWO}"]
    assert override(tmp_path) == {"services": {"web": {"image": TWO}}}
    assert (tmp_path / "shop" / "compose.yaml").read_text() == before


async def test_compose_is_asked_for_one_service_by_its_argument_list(
    program: ComposeProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LYCATRA_MODEL__API_KEY", "s3cret")
    monkeypatch.setenv("DOCKER_HOST", "tcp://docker-proxy:2375")
    async with desk(tmp_path, compose(program)) as at:
        await at.deploy("2.0")

    up = next(each for each in program.calls if "up" in each)
    files = [tmp_path / "shop" / name for name in ("compose.yaml", "lycatra.web.yaml")]
    assert up == [
        *("compose", "-p", "shop", "-f", str(files[0]), "-f", str(files[1])),
        *("up", "-d", "--no-deps", "--no-build", "web"),
    ]
    assert all(each["DOCKER_HOST"] == "tcp://docker-proxy:2375" for each in program.environments)
    assert "s3cret" not in json.dumps(program.environments)


async def test_a_compose_service_may_have_another_name_and_file(
    program: ComposeProgram, tmp_path: Path
) -> None:
    settings = compose(program, service="Shop", compose_name="web", override="tags/web.yaml")
    (tmp_path / "shop" / "tags").mkdir()
    async with desk(tmp_path, settings) as at:
        result = await at.deploy("2.0", service="shop")

    assert result.data["state"] == "kept"
    assert (tmp_path / "shop" / "tags" / "web.yaml").exists()
    assert program.state["image"] == TWO


@pytest.mark.parametrize("is_old", [False, True])
async def test_several_containers_are_one_service_in_the_answers_of_every_compose(
    program: ComposeProgram, tmp_path: Path, is_old: bool
) -> None:
    program.set(containers=2, is_old=is_old)
    async with desk(tmp_path, compose(program)) as at:
        plan = await at.plan("2.0")

    assert plan.now == ["now its containers are running; running"]


# --- what fails


async def test_an_unhealthy_version_is_rolled_back_without_a_registry(
    program: ComposeProgram, tmp_path: Path
) -> None:
    program.set(health={TWO: "unhealthy", ONE: "healthy"})
    async with desk(tmp_path, compose(program)) as at:
        result = await at.deploy("2.0")

    assert result.data["state"] == "rolled_back"
    assert "running, unhealthy" in result.data["why"]
    assert program.changes == [f"pull {TWO}", f"up {TWO}", f"up {ONE}"]
    assert override(tmp_path) == {"services": {"web": {"image": ONE}}}


async def test_containers_that_end_are_not_waited_for(
    program: ComposeProgram, tmp_path: Path
) -> None:
    program.set(ends=[TWO])
    async with desk(tmp_path, compose(program, health_seconds=60)) as at:
        result = await at.deploy("2.0")

    assert result.data["state"] == "rolled_back"
    assert "exited with code 1" in result.data["why"]


async def test_an_image_that_cannot_be_got_changes_nothing(
    program: ComposeProgram, tmp_path: Path
) -> None:
    program.set(refuse=["pull"])
    async with desk(tmp_path, compose(program)) as at:
        result = await at.deploy("2.0")

    assert result.data["state"] == "not_deployed"
    assert "`docker pull` ended with exit code 17." in result.markdown
    assert "password" not in result.markdown
    assert program.changes == []
    assert not (tmp_path / "shop" / "lycatra.web.yaml").exists()


async def test_a_compose_that_fails_has_the_tag_before_written_down_again(
    program: ComposeProgram, tmp_path: Path
) -> None:
    program.set(refuse=["up"])
    async with desk(tmp_path, compose(program)) as at:
        result = await at.deploy("2.0")

    assert result.data["state"] == "failed_and_not_rolled_back"
    assert "Apply: `docker compose up` ended with exit code 17." in result.data["why"]
    assert override(tmp_path) == {"services": {"web": {"image": ONE}}}


async def test_a_program_that_is_gone_when_the_tag_is_written_has_the_one_before_written_again(
    program: ComposeProgram, tmp_path: Path
) -> None:
    def goes(said: str) -> None:
        if "apply" in said:
            Path(program.path).unlink(missing_ok=True)

    async with desk(tmp_path, compose(program, pull=False)) as at:
        at.hear = goes
        result = await at.deploy("2.0")

    assert result.data["state"] == "failed_and_not_rolled_back"
    assert "`docker compose up` cannot be started" in result.data["why"]
    assert override(tmp_path) == {"services": {"web": {"image": ONE}}}


async def test_a_folder_that_nobody_may_write_to_changes_nothing(
    program: ComposeProgram, tmp_path: Path
) -> None:
    async with desk(tmp_path, compose(program, override="nowhere/web.yaml")) as at:
        result = await at.deploy("2.0")

    assert result.data["state"] == "not_deployed"
    assert "The file `web.yaml`, which sets the image, cannot be written." in result.markdown
    assert program.changes == [f"pull {TWO}"]


async def test_what_a_program_writes_is_shown_where_that_is_wished(
    program: ComposeProgram, tmp_path: Path
) -> None:
    program.set(refuse=["pull"])
    async with desk(tmp_path, compose(program, show_output=True)) as at:
        result = await at.deploy("2.0")

    assert "saying: Error: password of /srv/data." in result.data["why"]


# --- what has no card


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"refuse": ["ps"]}, "`docker compose ps` ended with exit code 17."),
        ({"nonsense": '{"Image"'}, "`docker compose ps` gave no valid answer."),
        ({"nonsense": "[" * 100_000}, "`docker compose ps` gave no valid answer."),
    ],
)
async def test_a_compose_that_tells_nothing_is_told_instead_of_a_card(
    program: ComposeProgram, tmp_path: Path, state: dict[str, Any], said: str
) -> None:
    program.set(**state)
    async with desk(tmp_path, compose(program)) as at:
        assert await at.refusal("2.0") == said


async def test_a_missing_file_or_program_has_no_card(
    program: ComposeProgram, tmp_path: Path
) -> None:
    async with desk(tmp_path, compose(program, files=["shop/gone.yaml"])) as at:
        assert await at.refusal("2.0") == "The compose file `gone.yaml` is not there."
    async with desk(tmp_path, compose(program, program="/nowhere/docker")) as at:
        assert "`docker compose ps` cannot be started" in await at.refusal("2.0")


async def test_a_version_that_is_no_tag_has_no_card(
    program: ComposeProgram, tmp_path: Path
) -> None:
    async with desk(tmp_path, compose(program)) as at:
        assert "`2.0+dirty` cannot be the tag of an image" in await at.refusal("2.0+dirty")


async def test_the_container_that_lycatra_runs_in_is_not_for_compose(
    program: ComposeProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.set(id="a1b2c3d4e5f6" + "0" * 52)
    monkeypatch.setattr(platform, "node", lambda: "a1b2c3d4e5f6")
    async with desk(tmp_path, compose(program)) as at:
        said = await at.refusal("2.0")

    assert "I run in it, and compose stops a container before it starts the next." in said


async def test_a_project_that_has_another_path_on_its_machine_has_no_card(
    program: ComposeProgram, tmp_path: Path
) -> None:
    program.set(made_in="/srv/shop")
    async with desk(tmp_path, compose(program)) as at:
        said = await at.refusal("2.0")

    assert "its containers were made from another folder" in said
    assert "/srv" not in said


# --- what was cut off


@pytest.mark.slow
@pytest.mark.parametrize("step", ["begin", "apply", "health check", "watch", "keep", "end"])
@pytest.mark.parametrize("how", ["before", "after"])
async def test_a_deployment_that_is_killed_in_any_step_ends_all_the_same(
    program: ComposeProgram, tmp_path: Path, step: str, how: str
) -> None:
    journal = Journal(kill_before=[step]) if how == "before" else Journal(kill_after=[step])
    async with desk(tmp_path, compose(program)) as at:
        result = await at.deploy("2.0", journal)

    assert result.data["state"] == "kept"
    assert program.state["image"] == TWO
    assert program.changes == [f"pull {TWO}", f"up {TWO}"]


async def test_what_was_cut_off_is_not_called_unchanged_because_the_next_try_does_nothing(
    program: ComposeProgram, tmp_path: Path
) -> None:
    program.set(health={TWO: "starting"})

    def registry_goes_away(said: str) -> None:
        if "apply" in said and program.changes:
            program.set(refuse=["pull"])

    async with desk(tmp_path, compose(program)) as at:
        at.hear = registry_goes_away
        result = await at.deploy("2.0", Journal(kill_after=["apply"]))

    assert result.data["state"] == "rolled_back"
    assert "Nothing was changed" not in result.markdown
    assert program.state["image"] == ONE


# --- mistakes of the configuration


@pytest.mark.parametrize(
    "wrong",
    [
        {"project": "Shop"},
        {"project": "-p"},
        {"files": []},
        {"image": None},
        {"image": ONE},
        {"image": "--help"},
        {"compose_name": "-x"},
        {"itself": True},
        {"magic": 1},
    ],
)
def test_what_compose_cannot_bring_is_a_mistake_of_the_configuration(
    program: ComposeProgram, wrong: dict[str, Any]
) -> None:
    UpdatesSettings.model_validate({"deploy": [compose(program)]})
    with pytest.raises(ValidationError):
        UpdatesSettings.model_validate({"deploy": [compose(program, **wrong)]})
