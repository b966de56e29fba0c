"""Entries of a feed that is watched."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.support.release_peers import Peer, forge
from tests.unit.tools.updates.watching import watching

ENTRY = """\
<entry>
  <id>tag:forge.example,2008:Repository/7/{id}</id>
  <updated>2026-11-22T11:00:00Z</updated>
  <link rel="alternate" href="https://forge.example/me/shop/releases/tag/{id}"/>
  <title>{title}</title>
  <content type="html">&lt;h2&gt;New&lt;/h2&gt;&lt;ul&gt;&lt;li&gt;Cards&lt;/li&gt;\
&lt;li&gt;&lt;b&gt;Coins&lt;/b&gt; &amp;amp; more&lt;/li&gt;&lt;/ul&gt;</content>
</entry>
"""


class Feed(Peer):
    """Has a feed, and the day of its last change."""

    def __init__(self) -> None:
        super().__init__("/feed")
        self.entries: list[str] = [ENTRY.format(id="v1.0.0", title="First")]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        changed = f"Sun, 22 Nov 2026 10:00:{len(self.entries):02} GMT"
        if request.headers.get("If-Modified-Since") == changed:
            return web.Response(status=304)
        text = f'<feed xmlns="http://www.w3.org/2005/Atom">{"".join(self.entries)}</feed>'
        return web.Response(text=text, headers={"Last-Modified": changed})

    def source(self, **more: Any) -> dict[str, Any]:
        url = self.url("/feed")
        return {"name": "shop", "kind": "atom", "url": url, "every": "1m", **more}


@pytest.fixture
async def feed() -> AsyncIterator[Feed]:
    made = Feed()
    async with made.server:
        yield made


async def test_a_new_entry_is_told_with_the_version_of_its_link(
    tmp_path: Path, feed: Feed
) -> None:
    async with watching(tmp_path, feed.source()) as here:
        assert await here.look() == []
        assert await here.look(minutes=1) == []
        feed.entries.insert(0, ENTRY.format(id="v1.1.0", title="Pay by card"))
        [news] = await here.look(minutes=1)

    assert feed.requests[1].headers["If-Modified-Since"] == "Sun, 22 Nov 2026 10:00:01 GMT"
    assert news.key == "release:shop:1.1.0"
    assert news.markdown == (
        "📦 **shop v1.1.0** is out: Pay by card\n\n- New\n- Cards\n- Coins & more\n\n"
        "<https://forge.example/me/shop/releases/tag/v1.1.0>"
    ).replace("&", r"\&")


@pytest.mark.parametrize(
    ("id", "title", "more", "key"),
    [
        ("4711", "Shop 1.2.0 is here", {}, "release:shop:1.2.0"),
        ("4711", "From 1.1.0 to 1.2.0", {}, None),
        ("4711", "Release 12", {"tags": r"Release (\d+)"}, "release:shop:12"),
    ],
)
async def test_the_version_of_an_entry_is_what_surely_is_one(
    tmp_path: Path, feed: Feed, id: str, title: str, more: dict[str, str], key: str | None
) -> None:
    async with watching(tmp_path, feed.source(**more)) as here:
        await here.look()
        feed.entries.insert(0, ENTRY.format(id=id, title=title))
        [news] = await here.look(minutes=1)

    assert title in news.markdown.replace("\\", "")
    assert news.key == key or (key is None and len(news.key) > len("release:shop:1.1.0"))


async def test_entries_that_do_not_fit_are_not_told(tmp_path: Path, feed: Feed) -> None:
    async with watching(tmp_path, feed.source(tags=r"v(.*)")) as here:
        await here.look()
        feed.entries.insert(0, ENTRY.format(id="nightly", title="A night"))
        assert await here.look(minutes=1) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hello", "its answer is broken XML"),
        ("<html/>", "its answer is XML, but no Atom feed"),
        ('<!DOCTYPE feed [<!ENTITY a "a">]><feed/>', "its answer has a DTD, which is refused"),
        (" " * 2_000_001, "its answer is larger than 2 MB"),
    ],
)
async def test_what_is_no_feed_is_named(tmp_path: Path, feed: Feed, text: str, words: str) -> None:
    feed.answers = [web.Response(text=text) for _ in range(3)]
    async with watching(tmp_path, feed.source()) as here:
        for _ in range(3):
            await here.look(hours=3)
        [note] = (await here.listed()).data["notes"]
        assert words in note


async def test_markup_that_nobody_can_read_keeps_no_entry_from_being_told(
    tmp_path: Path, feed: Feed
) -> None:
    async with watching(tmp_path, feed.source()) as here:
        await here.look()
        odd = ENTRY.format(id="v1.1.0", title="Odd").replace("Cards", "Cards &lt;![odd[x]]&gt;")
        feed.entries.insert(0, odd)
        [news] = await here.look(minutes=1)

    assert "- Cards" in news.markdown


async def test_however_much_is_found_at_once_it_is_told(tmp_path: Path, feed: Feed) -> None:
    async with watching(tmp_path, feed.source()) as here:
        await here.look()
        for number in range(30):
            feed.entries.insert(0, ENTRY.format(id=f"day-{number}", title="🎉" * 300))
        [news] = await here.look(minutes=1)

    assert "21 more" in news.markdown


async def test_what_one_source_finds_pushes_out_nothing_of_another_that_is_not_told_yet(
    tmp_path: Path, feed: Feed
) -> None:
    async with forge("v1.0.0") as there:
        blog = feed.source(name="blog", service="shop")
        async with watching(tmp_path, there.source(), blog) as here:
            await here.look()
            there.publish("v1.1.0")
            there.answers = []
            for number in range(40):
                feed.entries.insert(0, ENTRY.format(id=f"day-{number}", title=f"Day {number}"))
            # In whichever order the two are read.
            told = "\n".join(each.markdown for each in await here.look(minutes=1))
            again = "\n".join(each.markdown for each in await here.look_cut_off(minutes=1))

    assert "shop v1.1.0" in told
    assert "shop v1.1.0" in again
