"""Versions of an image in a registry that is watched: its pages, its login, its garbage."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from pydantic import ValidationError

from lycatra_appservice.tools.updates._watch_settings import ImageWatch
from tests.support.release_peers import DIGEST, TAGS, Registry
from tests.unit.tools.updates.watching import Watching, watching


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    made = Registry()
    async with made.server:
        yield made


async def why(here: Watching) -> str:
    """Why the source fails."""
    for _ in range(3):
        await here.look(hours=3)
    [note] = (await here.listed()).data["notes"]
    assert isinstance(note, str)
    return note


async def test_a_new_version_is_told_and_no_tag_that_moves(
    tmp_path: Path, registry: Registry
) -> None:
    async with watching(tmp_path, registry.source()) as here:
        assert await here.look() == []
        registry.tags += ["1.10.0", "1.10", "1.9.0", "1.10.0-alpine", "nightly"]
        [news] = await here.look(minutes=1)

        assert news.key == "release:shop:1.10.0"
        assert news.markdown == "📦 **shop 1.10.0** is out\n\nOut with it: 1.9.0."
        assert await here.look(minutes=1) == []


async def test_versions_of_an_older_line_are_told_too(tmp_path: Path, registry: Registry) -> None:
    registry.tags = ["2.0.0", "1.0.0"]
    async with watching(tmp_path, registry.source()) as here:
        await here.look()
        registry.tags.append("1.0.1")
        assert [each.key for each in await here.look(minutes=1)] == ["release:shop:1.0.1"]


async def test_tags_say_which_versions_count(tmp_path: Path, registry: Registry) -> None:
    async with watching(tmp_path, registry.source(tags=r"(\d+\.\d+)-alpine")) as here:
        await here.look()
        registry.tags += ["1.1-alpine", "1.1", "1.1.0"]
        assert [each.key for each in await here.look(minutes=1)] == ["release:shop:1.1"]


async def test_the_digest_is_told_where_it_is_wanted(tmp_path: Path, registry: Registry) -> None:
    async with watching(tmp_path, registry.source(digest=True)) as here:
        await here.look()
        registry.tags.append("1.1.0")
        [news] = await here.look(minutes=1)
        assert f"Image: `{DIGEST}`" in news.markdown


@pytest.mark.parametrize("login", [{}, {"username": "me", "password": "s3cret-word"}])
async def test_a_registry_that_wants_a_token_gets_it(
    tmp_path: Path, registry: Registry, login: dict[str, str]
) -> None:
    registry.password = login.get("password", "")
    async with watching(tmp_path, registry.source(**login)) as here:
        await here.look()
        registry.tags.append("1.1.0")
        assert len(await here.look(minutes=1)) == 1


async def test_a_registry_that_wants_a_password_gets_it(
    tmp_path: Path, registry: Registry
) -> None:
    registry.password, registry.basic = "s3cret-word", True
    login = {"username": "me", "password": "s3cret-word"}
    async with watching(tmp_path, registry.source(**login)) as here:
        await here.look()
        registry.tags.append("1.1.0")
        assert len(await here.look(minutes=1)) == 1


@pytest.mark.parametrize(
    ("basic", "login", "words"),
    [
        (False, {}, "its login refuses strangers"),
        (False, {"username": "me", "password": "wrong-word"}, "its login refuses the password"),
        (True, {}, "it wants a user and a password (HTTP 401)"),
        (True, {"username": "me", "password": "wrong-word"}, "it wants a login, or refuses the"),
    ],
)
async def test_a_login_that_fails_is_named(
    tmp_path: Path, registry: Registry, basic: bool, login: dict[str, str], words: str
) -> None:
    registry.password, registry.basic = "s3cret-word", basic
    async with watching(tmp_path, registry.source(**login)) as here:
        assert words in await why(here)


async def test_no_password_goes_unencrypted_to_where_a_registry_says(
    tmp_path: Path, registry: Registry
) -> None:
    other = Registry()
    async with other.server:
        registry.password, registry.realm = "s3cret-word", other.url
        login = {"username": "me", "password": "s3cret-word"}
        async with watching(tmp_path, registry.source(**login)) as here:
            assert "it wants the password sent without encryption" in await why(here)
        assert other.requests == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (web.Response(text="<html>"), "its answer is not JSON"),
        (web.json_response(["1.0.0"]), "its answer is no list of tags"),
        (web.json_response({"tags": "1.0.0"}), "its answer is no list of tags"),
        (web.json_response({"errors": []}), "its answer is no list of tags"),
        (web.Response(body=b" " * 2_000_001), "its answer is larger than 2 MB"),
        (
            web.json_response({"tags": []}, headers={"Link": "<http://10.0.0.1/>; rel=next"}),
            "its next page is somewhere else",
        ),
        (
            web.json_response({"tags": []}, headers={"Link": "<http://[/>; rel=next"}),
            "its next page has no valid address",
        ),
        (web.Response(status=401), "it wants a login of a kind that I do not know"),
        (
            web.Response(status=401, headers={"WWW-Authenticate": "Bearer realm=nowhere"}),
            "it is not read: ",
        ),
    ],
)
async def test_garbage_is_named(
    tmp_path: Path, registry: Registry, answer: web.Response, words: str
) -> None:
    async def said(request: web.Request) -> web.StreamResponse:
        headers = {k: v for k, v in answer.headers.items() if k in ("Link", "WWW-Authenticate")}
        return web.Response(status=answer.status, body=answer.body, headers=headers)

    registry.answers = [said] * 3
    async with watching(tmp_path, registry.source()) as here:
        assert words in await why(here)


async def test_pages_without_an_end_are_given_up(tmp_path: Path, registry: Registry) -> None:
    async def another(request: web.Request) -> web.StreamResponse:
        link = f"<{TAGS}?last={len(registry.requests)}>; rel=next"
        return web.json_response({"tags": ["1.0.0"]}, headers={"Link": link})

    registry.answers = [another] * 60
    async with watching(tmp_path, registry.source()) as here:
        assert "it has more than 20 pages of tags" in await why(here)
    assert len(registry.requests) == 60


async def test_an_image_without_tags_and_tags_that_are_none_are_no_failure(
    tmp_path: Path, registry: Registry
) -> None:
    registry.answers = [web.json_response({"tags": None})]
    async with watching(tmp_path, registry.source()) as here:
        await here.look()
        registry.answers = [web.json_response({"tags": [7, None, "", "../x", "1.0.0"]})]
        assert [each.key for each in await here.look(minutes=1)] == ["release:shop:1.0.0"]


async def test_a_thousand_versions_fit_into_what_is_remembered(
    tmp_path: Path, registry: Registry
) -> None:
    tags = [f"{n}.0.0" for n in range(1200)]
    registry.answers = [web.json_response({"tags": tags})]
    async with watching(tmp_path, registry.source()) as here:
        await here.look()
        registry.answers = [web.json_response({"tags": [*tags, "1200.0.0", "5.0.1"]})]
        [news] = await here.look(minutes=1)
        assert news.key == "release:shop:1200.0.0"


@pytest.mark.parametrize(
    ("image", "api", "path"),
    [
        ("redis", "https://registry-1.docker.io", "library/redis"),
        ("grafana/grafana", "https://registry-1.docker.io", "grafana/grafana"),
        ("docker.io/library/redis", "https://registry-1.docker.io", "library/redis"),
        ("ghcr.io/me/shop", "https://ghcr.io", "me/shop"),
        ("registry.internal:5000/shop", "https://registry.internal:5000", "shop"),
    ],
)
def test_an_image_s_name_says_where_it_is(image: str, api: str, path: str) -> None:
    source = ImageWatch.model_validate({"name": "x", "kind": "image", "image": image})
    assert (source.api, source.path) == (api, path)


@pytest.mark.parametrize(
    "more", [{"image": "me/shop:1.0"}, {"username": "me"}, {"tags": "("}, {"tags": "(a)(b)"}]
)
def test_a_source_that_cannot_be_is_a_mistake(more: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        ImageWatch.model_validate({"name": "x", "kind": "image", "image": "me/shop", **more})
