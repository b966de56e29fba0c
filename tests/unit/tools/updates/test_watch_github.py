"""Releases of a repository that is watched: told once, by whoever sees them first."""

import asyncio
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from lycatra_appservice.errors import ToolFailedError
from lycatra_appservice.toolkit.memory import ShortMemory
from tests.support.release_peers import Forge, forge, record
from tests.unit.tools.updates.watching import Clock, Watching, watching

REPOSITORY = "me/shop"


def said(news: Any) -> list[str]:
    return [each.markdown for each in news]


async def test_a_new_release_is_told_and_nothing_that_was_there_before(tmp_path: Path) -> None:
    async with forge("v1.4.0", "v1.4.1") as there, watching(tmp_path, there.source()) as here:
        assert await here.look() == []
        there.publish("v1.4.2", name="Pay by card", body="## New\n* Cards\n* Coins\n")
        [news] = await here.look(minutes=1)

        assert (news.key, news.about, news.proposal) == ("release:shop:1.4.2", "shop", None)
        assert news.markdown == (
            "📦 **shop v1.4.2** is out: Pay by card\n\n- New\n- Cards\n- Coins\n\n"
            "<https://forge.example/me/shop/releases/tag/v1.4.2>"
        )
        assert news.can_wait
        assert await here.look(minutes=1) == []


async def test_one_key_is_told_in_the_same_words_and_not_for_ever(tmp_path: Path) -> None:
    async with forge("v1") as there, watching(tmp_path, there.source()) as here:
        await here.look()
        there.publish("v2")
        given = [len(await here.look_cut_off(minutes=1)) for _ in range(5)]

        assert given == [1, 1, 1, 0, 0]


async def test_what_a_look_that_was_cut_off_found_is_told_by_the_next_one(tmp_path: Path) -> None:
    memory, clock = ShortMemory(), Clock()
    async with forge("v1") as there:
        async with watching(tmp_path, there.source(), memory=memory, clock=clock) as here:
            await here.look()
            there.publish("v2")
            lost = await here.look_cut_off(minutes=1)
        async with watching(tmp_path, there.source(), memory=memory, clock=clock) as here:
            assert await here.look(days=2) == lost != []


async def test_a_source_is_asked_as_often_as_it_says_and_not_again_for_what_it_has(
    tmp_path: Path,
) -> None:
    async with forge("v1") as there, watching(tmp_path, there.source(every="15m")) as here:
        await here.look()
        for _ in range(14):
            await here.look(minutes=1)
        assert len(there.requests) == 1
        await here.look(minutes=1)
        there.publish("v2")
        assert len(await here.look(minutes=15)) == 1

    conditions = [each.headers.get("If-None-Match") for each in there.requests]
    assert conditions[0] is None
    assert conditions[1] == conditions[2] is not None
    assert there.requests[0].query["per_page"] == there.requests[0].query["limit"] == "15"


async def test_a_restart_and_a_second_replica_go_on_where_the_first_was(tmp_path: Path) -> None:
    memory, clock = ShortMemory(), Clock()
    async with forge("v1") as there:
        both = [watching(tmp_path, there.source(), memory=memory, clock=clock) for _ in range(2)]
        async with both[0] as one, both[1] as other:
            await one.look()
            there.publish("v2")
            clock.pass_by(minutes=1)
            found = await asyncio.gather(one.look_cut_off(), other.look_cut_off())
            assert {each.key for news in found for each in news} == {"release:shop:v2"}
        async with watching(tmp_path, there.source(), memory=memory, clock=clock) as here:
            here.told = {each.key: each for news in found for each in news}
            assert await here.look(minutes=1) == []


async def test_early_releases_count_when_they_are_wanted_and_drafts_never(tmp_path: Path) -> None:
    async with (
        forge("v1.0.0") as there,
        watching(tmp_path, there.source(), there.source(name="early", prereleases=True)) as here,
    ):
        await here.look()
        there.publish("v1.1.0-rc.1", prerelease=True)
        there.publish("v1.1.0", draft=True)
        assert [each.about for each in await here.look(minutes=1)] == ["early"]
        there.releases[1]["prerelease"] = False  # what was early is final
        assert [each.about for each in await here.look(minutes=1)] == ["shop"]


async def test_what_was_early_before_the_first_look_is_told_when_it_is_final(
    tmp_path: Path,
) -> None:
    async with forge() as there, watching(tmp_path, there.source()) as here:
        there.publish("v2.0.0", prerelease=True, published_at="2026-01-01T00:00:00Z")
        await here.look()
        there.releases[0]["prerelease"] = False
        assert len(await here.look(minutes=1)) == 1


async def test_what_comes_into_sight_again_is_not_new(tmp_path: Path) -> None:
    async with forge("v1.1.0", "v1.2.0") as there, watching(tmp_path, there.source()) as here:
        await here.look()
        there.releases.pop(0)
        there.releases.append(record("v1.0.0", published_at="2026-01-01T00:00:00Z"))
        assert await here.look(minutes=1) == []


async def test_several_at_once_are_one_piece_of_news(tmp_path: Path) -> None:
    async with forge("v1.0.0") as there, watching(tmp_path, there.source()) as here:
        await here.look()
        for tag in ("v1.1.0", "v2.0.0", "v1.1.1"):
            there.publish(tag)
        [news] = await here.look(minutes=1)
        later = await here.hear_github(record("v1.1.1"), REPOSITORY)

        assert news.key == "release:shop:2.0.0"
        assert "Out with it: v1.1.1, v1.1.0." in news.markdown
        assert later == []  # told with the other one


async def test_a_release_seen_by_poll_and_hook_at_once_is_told_once(tmp_path: Path) -> None:
    async with forge("v1.0.0") as there, watching(tmp_path, there.source()) as here:
        await here.look()
        made = there.publish("v1.1.0")
        here.clock.pass_by(minutes=1)
        polled, hooked = await asyncio.gather(
            here.look(), here.hear_github(made, "Me/Shop"), return_exceptions=False
        )
        assert len([*polled, *hooked]) == 1
        assert await here.look(minutes=1) == []
        assert await here.hear_github(made, REPOSITORY) == []


@pytest.mark.parametrize("hook_first", [True, False])
async def test_whoever_comes_first_the_other_is_silent(tmp_path: Path, hook_first: bool) -> None:
    async with forge("v1.0.0") as there, watching(tmp_path, there.source()) as here:
        await here.look()
        made = there.publish("v1.1.0")
        if hook_first:
            assert len(await here.hear("shop", "1.1.0")) == 1  # surely the same
            assert await here.look(minutes=1) == []
        else:
            assert len(await here.look(minutes=1)) == 1
            assert await here.hear_github(made, REPOSITORY) == []


async def test_a_hook_tells_also_what_the_first_look_found(tmp_path: Path) -> None:
    async with forge("v1.0.0") as there, watching(tmp_path, there.source()) as here:
        await here.look()
        assert len(await here.hear_github(there.releases[0], REPOSITORY)) == 1


async def test_tags_choose_and_name_the_versions(tmp_path: Path) -> None:
    async with (
        forge("x") as there,
        watching(tmp_path, there.source(tags=r"shop-v(\d.*)")) as here,
    ):
        await here.look()
        there.publish("mail-v9.0.0")
        there.publish("shop-v1.2.0")
        [news] = await here.look(minutes=1)
        assert news.key == "release:shop:1.2.0"


async def test_another_repository_under_the_same_name_begins_anew(tmp_path: Path) -> None:
    memory, clock = ShortMemory(), Clock()
    async with forge("v1") as one, forge("v8", "v9") as other:
        async with watching(tmp_path, one.source(), memory=memory, clock=clock) as here:
            await here.look()
        async with watching(tmp_path, other.source(), memory=memory, clock=clock) as here:
            assert await here.look(minutes=1) == []
            other.publish("v10")
            assert len(await here.look(minutes=1)) == 1


async def test_what_others_wrote_is_shown_and_not_obeyed(tmp_path: Path) -> None:
    body = "[approve](https://evil.example)\n# Big\n\u202e@room\n`code`\n" + "x" * 5000
    async with forge("v1") as there, watching(tmp_path, there.source()) as here:
        await here.look()
        there.publish("v2", name="**all** <b>of</b> it", body=body, html_url="javascript:x")
        [news] = await here.look(minutes=1)

    assert r"is out: \*\*all\*\* \<b\>of\</b\> it" in news.markdown
    assert r"- \[approve\]\(https://evil.example\)" in news.markdown
    assert "\u202e" not in news.markdown
    assert "javascript" not in news.markdown
    assert len(news.markdown) < 700


async def test_the_token_is_said_to_the_forge_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with forge("v1") as there, watching(tmp_path, there.source(token="t-o-k-e-n")) as here:
        there.token = "t-o-k-e-n"
        await here.look()
        there.token = "another"
        there.publish("v2")
        assert await here.look(minutes=1) == []

    assert there.requests[0].headers["Authorization"] == "Bearer t-o-k-e-n"
    assert "t-o-k-e-n" not in str([vars(each) for each in caplog.records])


# --- what goes wrong there ---


async def failing(here: Watching) -> list[str]:
    """What people read of sources that fail."""
    return list((await here.listed()).data["notes"])


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (web.Response(status=502), "HTTP 502"),
        (web.Response(status=304), "HTTP 304"),
        (web.Response(status=404), "nothing is there (HTTP 404)"),
        (web.Response(text="<html>"), "its answer is not JSON"),
        (web.Response(text="[" * 100_000), "its answer is not JSON"),
        (web.json_response({"message": "no"}), "its answer is no list of releases"),
        (web.Response(body=b" " * 4_000_001), "its answer is larger than 4 MB"),
        (web.Response(status=401), "it wants a login, or refuses the one"),
    ],
)
async def test_a_source_that_fails_for_long_is_named_in_lists_and_the_log_only(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    answer: web.Response,
    why: str,
) -> None:
    async with forge("v1") as there, watching(tmp_path, there.source()) as here:

        async def fails(request: web.Request) -> web.StreamResponse:
            return web.Response(
                status=answer.status, body=answer.body, content_type="application/json"
            )

        there.answers = [fails] * 3
        assert await here.look() == []
        assert await failing(here) == []
        assert await here.look(hours=3) == []
        assert await here.look(hours=3) == []
        [note] = await failing(here)

        assert note.startswith(f"`shop`: not read since 2026-11-22 12:00: {why}")
        logged = [each for each in caplog.records if each.message == "watched_source_failed"]
        assert [each.levelno for each in logged] == [logging.WARNING] * 3
        assert await here.look(hours=3) == []  # its first look that went well
        assert await failing(here) == []


async def test_records_that_are_none_are_left_out(tmp_path: Path) -> None:
    garbage: list[Any] = [None, 7, "v3", [], {}, {"tag_name": 3}, {"tag_name": "x" * 300}]
    odd = record("v3.0.0", name=7, body=["a"], html_url=5, published_at="soon")
    async with forge("v1") as there, watching(tmp_path, there.source()) as here:
        await here.look()
        there.releases = [*garbage, odd, *there.releases]
        [news] = await here.look(minutes=1)
        assert news.markdown == "📦 **shop v3.0.0** is out\n\n- a"


async def asked_after(here: Watching, there: Forge, pause: timedelta) -> bool:
    """Whether it is asked when so much time has passed since the last look."""
    before = len(there.requests)
    await here.look(seconds=pause.total_seconds())
    return len(there.requests) > before


async def test_failures_make_the_pauses_longer_up_to_two_hours(tmp_path: Path) -> None:
    async with forge("v1") as there, watching(tmp_path, there.source(every="10m")) as here:
        there.answers = [web.Response(status=500) for _ in range(9)]
        await here.look()
        for minutes in (10, 20, 40, 80, 120, 120, 120):
            assert not await asked_after(here, there, timedelta(minutes=minutes - 1))
            assert await asked_after(here, there, timedelta(minutes=minutes * 0.25 + 1))


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (429, {"Retry-After": "3600"}),
        (503, {"Retry-After": "Sun, 22 Nov 2026 13:00:00 GMT"}),
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1795352400"}),
    ],
)
async def test_a_server_that_wants_to_be_left_alone_is(
    tmp_path: Path, status: int, headers: dict[str, str]
) -> None:
    async with forge("v1") as there, watching(tmp_path, there.source()) as here:
        there.answers = [web.Response(status=status, headers=headers)]
        await here.look()
        assert not await asked_after(here, there, timedelta(minutes=58))
        assert await asked_after(here, there, timedelta(minutes=3))


@pytest.mark.parametrize(
    "later",
    ["9" * 30, "never", "-5", "99999999999", "", f"Sun, 22 Nov {'9' * 30} 13:00:00 GMT"],
)
async def test_no_server_sends_us_away_for_ever(tmp_path: Path, later: str) -> None:
    async with forge("v1") as there, watching(tmp_path, there.source()) as here:
        there.answers = [web.Response(status=429, headers={"Retry-After": later})]
        await here.look()
        assert await asked_after(here, there, timedelta(hours=6, minutes=1))


async def test_a_shorter_pause_in_the_configuration_counts_at_once(tmp_path: Path) -> None:
    clock, memory = Clock(), ShortMemory()
    async with forge("v1") as there:
        async with watching(
            tmp_path, there.source(every="7d"), clock=clock, memory=memory
        ) as before:
            await before.look()
        async with watching(tmp_path, there.source(), clock=clock, memory=memory) as here:
            there.headers = {"Retry-After": "3600"}
            there.publish("v2")
            assert await asked_after(here, there, timedelta(minutes=1))
            assert not await asked_after(here, there, timedelta(minutes=50))
            assert await asked_after(here, there, timedelta(minutes=10))


async def test_a_limit_that_is_used_up_is_seen_before_it_is_broken(tmp_path: Path) -> None:
    async with forge("v1") as there, watching(tmp_path, there.source()) as here:
        reset = int(here.clock.now.timestamp()) + 1800
        there.headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(reset)}
        await here.look()
        assert not await asked_after(here, there, timedelta(minutes=29))
        assert await asked_after(here, there, timedelta(minutes=2))


async def test_redirects_come_to_an_end_and_lead_nowhere_else(tmp_path: Path) -> None:
    async with (
        forge("v1") as there,
        forge("v1") as other,
        watching(tmp_path, there.source(token="s3cret-token")) as here,
    ):
        round_and_round, away = (each.url("/repos/me/shop/releases") for each in (there, other))
        for to, hours in ((round_and_round, 0), (round_and_round, 3), (away, 3)):
            there.answers = [web.Response(status=302, headers={"Location": to}) for _ in range(4)]
            await here.look(hours=hours)
        [note] = await failing(here)

        assert "it redirects to where tools may not go" in note
        assert other.requests == []


async def test_a_source_that_hangs_does_not_keep_the_others_from_being_read(
    tmp_path: Path,
) -> None:
    async def hang(request: web.Request) -> web.StreamResponse:
        await asyncio.Future()
        return web.Response()

    async with forge("v1") as there, forge("v1") as slow:
        mute = slow.source(name="slow", timeout_seconds=0.05)
        async with watching(tmp_path, mute, there.source()) as here, asyncio.timeout(20):
            await here.look()
            slow.answers = [hang]
            there.publish("v2")
            assert [each.about for each in await here.look(minutes=1)] == ["shop"]


async def test_without_a_memory_a_look_says_so_instead_of_telling_twice(tmp_path: Path) -> None:
    class Away(ShortMemory):
        def of(self, namespace: str, place: str) -> Any:
            return Refusing()

    class Refusing:
        async def get(self, key: str) -> None:
            raise ToolFailedError("the database is away")

    async with forge("v1") as there, watching(tmp_path, there.source(), memory=Away()) as here:
        with pytest.raises(ToolFailedError, match="away"):
            await here.look()
