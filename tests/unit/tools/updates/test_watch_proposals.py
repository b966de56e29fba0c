"""Which releases people are asked to deploy: what is newer than what runs, and nothing else."""

import sys
from pathlib import Path
from typing import Any

import pytest

from lycatra_appservice.toolkit.memory import ShortMemory
from tests.support.release_peers import forge
from tests.unit.tools.updates.deploying import SWIFT, desk
from tests.unit.tools.updates.watching import Clock, watching


def deploy(folder: Path, running: str | None = None, **more: Any) -> dict[str, Any]:
    """How `shop` is deployed; `running` is what it says that runs."""
    shows = "import pathlib, sys; print(pathlib.Path(sys.argv[1]).read_text())"
    if running is not None:
        (folder / "running").write_text(running)
    current = [sys.executable, "-c", shows, str(folder / "running")]
    return {
        "service": "Shop",
        "kind": "command",
        "apply": [sys.executable, "-c", "pass", "{version}"],
        **({"current": current} if running is not None else {}),
        **SWIFT,
        **more,
    }


async def test_a_newer_release_is_proposed_as_it_is_called(tmp_path: Path) -> None:
    async with (
        forge("v1.4.1") as there,
        watching(tmp_path, there.source(), deploy=[deploy(tmp_path, "v1.4.1")]) as here,
    ):
        await here.look()
        there.publish("v1.4.2")
        [news] = await here.look(minutes=1)

    assert news.proposal is not None
    assert news.proposal.tool == "deploy_update"
    assert news.proposal.args == {"service": "Shop", "version": "v1.4.2"}


@pytest.mark.parametrize(
    ("running", "version", "is_proposed"),
    [
        ("1.4.1", "v1.4.2", True),
        ("1.10.0", "1.9.9", False),
        ("1.4.2", "v1.4.2", False),
        ("2.0.0-rc.1", "2.0.0", True),
        ("2.0.0", "2.1.0-beta", True),
        ("2.0.0", "2.0.0-rc.9", False),
        ("v2", "v3", True),
        ("2026.11.1", "2026.11.22", True),
        ("a1b2c3d", "e4f5a6b", True),  # nobody can compare them: it was released later
        ("a1b2c3d", "a1b2c3d", False),
        (None, "1.0.0", True),
        ("1.0.0", "../1.1.0", False),
        ("1.0.0", "--help", False),
    ],
)
async def test_only_what_is_newer_and_can_be_deployed_is_proposed(
    tmp_path: Path, running: str | None, version: str, is_proposed: bool
) -> None:
    async with (
        forge("start") as there,
        watching(tmp_path, there.source(), deploy=[deploy(tmp_path, running)]) as here,
    ):
        await here.look()
        there.publish(version)
        [news] = await here.look(minutes=1)
    assert (news.proposal is not None) is is_proposed


async def test_what_was_kept_last_counts_where_nobody_sees_what_runs(tmp_path: Path) -> None:
    memory, settings = ShortMemory(), deploy(tmp_path, service="shop")
    async with desk(tmp_path, settings, memory=memory) as people:
        await people.deploy("1.5.0", service="shop")
    async with (
        forge("start") as there,
        watching(tmp_path, there.source(), deploy=[settings], memory=memory) as here,
    ):
        await here.look()
        there.publish("1.4.9")
        [older] = await here.look(minutes=1)
        there.publish("1.5.1")
        [newer] = await here.look(minutes=1)
    assert older.proposal is None
    assert newer.proposal is not None


async def test_of_several_only_the_newest_is_proposed_whenever_they_come(tmp_path: Path) -> None:
    async with (
        forge("1.0.0") as there,
        watching(tmp_path, there.source(), deploy=[deploy(tmp_path, "1.0.0")]) as here,
    ):
        await here.look()
        there.publish("1.2.0")
        there.publish("1.1.0")
        [both] = await here.look(minutes=1)
        [late] = await here.hear("shop", "1.1.5")

    assert both.proposal is not None
    assert both.proposal.args["version"] == "1.2.0"
    assert "Out with it: 1.1.0." in both.markdown
    assert late.proposal is None


async def test_what_is_not_deployed_here_is_told_only(tmp_path: Path) -> None:
    async with (
        forge("1.0.0") as there,
        watching(
            tmp_path, there.source(service="mail"), deploy=[deploy(tmp_path, "1.0.0")]
        ) as here,
    ):
        await here.look()
        there.publish("1.1.0")
        [news] = await here.look(minutes=1)
    assert (news.about, news.proposal) == ("mail", None)


async def test_a_deployer_that_cannot_say_what_runs_keeps_nothing_from_being_told(
    tmp_path: Path,
) -> None:
    broken = deploy(tmp_path, current=[str(tmp_path / "no-such-program")])
    async with (
        forge("1.0.0") as there,
        watching(tmp_path, there.source(), deploy=[broken]) as here,
    ):
        await here.look()
        there.publish("1.1.0")
        [news] = await here.look(minutes=1)
    assert news.proposal is not None


async def test_the_list_has_releases_and_deployments_newest_first(tmp_path: Path) -> None:
    memory, clock = ShortMemory(), Clock()
    settings = deploy(tmp_path, service="shop", keep_going=True)
    async with (
        forge() as there,
        watching(tmp_path, there.source(), deploy=[settings], memory=memory, clock=clock) as here,
    ):
        there.publish("1.0.0", published_at="2026-11-01T08:00:00Z")
        await here.look()
        async with desk(tmp_path, settings, memory=memory) as people:
            await people.deploy("1.0.0", service="shop")
        there.publish("1.1.0", name="Pay", body="- Cards", published_at="2026-11-22T12:05:00Z")
        await here.look(minutes=10)
        result = await here.listed()
        first = await here.listed(limit=1)
        filtered = await here.listed(query="kept")

    shown = [(u["kind"], u["version"], u["title"], u["changes"]) for u in result.data["updates"]]
    assert shown == [
        ("release", "1.1.0", "Pay", ["Cards"]),
        ("deployment", "1.0.0", "Deployed: kept, approved by @viewer:example.org", []),
        ("release", "1.0.0", "", []),
    ]
    assert first.note == "2 older left out; ask with offset=1"
    assert filtered.data["total"] == 1


async def test_a_release_that_a_source_has_too_is_listed_once(tmp_path: Path) -> None:
    (tmp_path / "CHANGELOG.md").write_text("# Changes\n\n## [1.1.0] - 2026-11-22\n- Cards\n")
    changes = {"name": "shop", "kind": "changelog", "path": "CHANGELOG.md"}
    async with (
        forge("v1.0.0") as there,
        watching(tmp_path, there.source(), sources=[changes]) as here,
    ):
        await here.look()
        there.publish("v1.1.0")
        await here.look(minutes=1)
        found = (await here.listed()).data["updates"]
    assert sorted(each["version"] for each in found) == ["1.1.0", "v1.0.0"]


async def test_what_is_not_configured_any_more_is_forgotten(tmp_path: Path) -> None:
    memory, clock = ShortMemory(), Clock()
    async with forge("v1.0.0") as there:
        async with watching(tmp_path, there.source(), memory=memory, clock=clock) as here:
            await here.look()
            kept = memory.of("updates", "")
            assert len(await kept.keys()) == 2
        async with watching(
            tmp_path, {"name": "ci", "kind": "hook"}, memory=memory, clock=clock
        ) as here:
            await here.look(hours=1)
            assert len(await kept.keys()) == 2  # another replica may still have it
            await here.look(days=2)
            assert await kept.keys() == []


async def test_the_largest_release_still_fits_into_what_is_remembered(tmp_path: Path) -> None:
    body = "\n".join(["🎉" * 400] * 40)
    async with forge("v0.0.1") as there, watching(tmp_path, there.source()) as here:
        await here.look()
        for number in range(1, 6):
            there.publish(
                f"v{number}.0.0", name="🎉" * 400, body=body, html_url=f"https://a.b/{'x' * 480}"
            )
            [news] = await here.look(minutes=1)
            assert f"shop v{number}.0.0" in news.markdown
            assert "more" in news.markdown
