"""Tags and commits of real repositories."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lycatra_appservice.errors import ToolFailedError
from tests.unit.tools.updates.conftest import ListUpdates

ENVIRONMENT = {
    "GIT_AUTHOR_NAME": "Test",
    "GIT_AUTHOR_EMAIL": "test@example.org",
    "GIT_COMMITTER_NAME": "Test",
    "GIT_COMMITTER_EMAIL": "test@example.org",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
}


class Repository:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str, date: str = "2026-11-01T10:00:00+00:00") -> str:
        dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
        done = subprocess.run(
            ["git", *arguments],  # noqa: S607 - whichever git this machine has
            cwd=self.folder,
            env={**os.environ, **ENVIRONMENT, **dates},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def commit(self, subject: str, date: str) -> str:
        self.git("commit", "--quiet", "--allow-empty", "--message", subject, date=date)
        return self.git("rev-parse", "--short", "HEAD")


def source(**more: Any) -> list[dict[str, Any]]:
    return [{"name": "shop", "kind": "git", "path": "repository", **more}]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


async def test_tags_and_commits_are_updates(
    list_updates: ListUpdates, repository: Repository
) -> None:
    first = repository.commit("Open the | shop", "2026-11-01T10:00:00+01:00")
    repository.git("tag", "-a", "v1", "-m", "The first", date="2026-11-02T10:00:00+01:00")
    second = repository.commit("Ünïcode", "2026-11-03T10:00:00+01:00")
    repository.git("tag", "v2")

    result = await list_updates(source(), zone="Europe/Berlin")

    found = {(u["kind"], u["version"], u["title"], u["date"]) for u in result.data["updates"]}
    assert found == {
        ("commit", first, "Open the | shop", "2026-11-01T10:00:00+01:00"),
        ("commit", second, "Ünïcode", "2026-11-03T10:00:00+01:00"),
        ("tag", "v1", "The first", "2026-11-02T10:00:00+01:00"),
        ("tag", "v2", "Ünïcode", "2026-11-03T10:00:00+01:00"),
    }
    assert [u["version"] for u in result.data["updates"]][2:] == ["v1", first]
    assert {u["service"] for u in result.data["updates"]} == {"shop"}


@pytest.mark.parametrize(("show", "kinds"), [("tags", {"tag"}), ("commits", {"commit"})])
async def test_one_of_both_can_be_chosen(
    list_updates: ListUpdates, repository: Repository, show: str, kinds: set[str]
) -> None:
    repository.commit("One", "2026-11-01T10:00:00+00:00")
    repository.git("tag", "v1")
    data = (await list_updates(source(show=show))).data
    assert {update["kind"] for update in data["updates"]} == kinds


async def test_a_bare_repository_is_read_as_well(
    list_updates: ListUpdates, repository: Repository, tmp_path: Path
) -> None:
    repository.commit("One", "2026-11-01T10:00:00+00:00")
    repository.git("clone", "--quiet", "--bare", ".", str(tmp_path / "bare.git"))
    assert (await list_updates(source(path="bare.git"))).data["total"] == 1


@pytest.mark.usefixtures("repository")
async def test_a_repository_without_commits_has_no_updates(list_updates: ListUpdates) -> None:
    result = await list_updates(source())
    assert result.data["updates"] == []
    assert result.data["notes"] == []


@pytest.mark.usefixtures("repository")
async def test_a_folder_inside_a_repository_does_not_show_the_outer_one(
    list_updates: ListUpdates, tmp_path: Path
) -> None:
    (tmp_path / "repository" / "inner").mkdir()
    with pytest.raises(ToolFailedError, match="its folder is no git repository"):
        await list_updates(source(path="repository/inner"))


async def test_a_missing_folder_is_named(list_updates: ListUpdates) -> None:
    with pytest.raises(ToolFailedError, match="the folder of its repository is missing"):
        await list_updates(source())


@pytest.mark.usefixtures("repository")
async def test_a_machine_without_git_is_named(
    list_updates: ListUpdates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolFailedError, match="the program git cannot be started"):
        await list_updates(source())


async def test_reading_leaves_the_repository_as_it_was(
    list_updates: ListUpdates, repository: Repository
) -> None:
    repository.commit("One", "2026-11-01T10:00:00+00:00")
    before = {path: path.stat().st_mtime_ns for path in repository.folder.rglob("*")}
    await list_updates(source())
    assert {path: path.stat().st_mtime_ns for path in repository.folder.rglob("*")} == before


async def test_a_subject_is_shown_and_never_run(
    list_updates: ListUpdates, repository: Repository, tmp_path: Path
) -> None:
    repository.commit("$(touch ran); `touch ran` %x00 --output=ran", "2026-11-01T10:00:00+00:00")
    [update] = (await list_updates(source())).data["updates"]
    assert update["title"] == "$(touch ran); `touch ran` %x00 --output=ran"
    assert not (tmp_path / "ran").exists()
    assert not (repository.folder / "ran").exists()
