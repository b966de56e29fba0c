"""The answers, from options, from what is found, and from what is typed."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from lycatra_appservice.demo.homeserver import free_port
from lycatra_appservice.model import JSON
from lycatra_appservice.setup.answers import KEY_FILE, Answers, Given, Place, SetupError
from lycatra_appservice.setup.console import Console
from lycatra_appservice.setup.interview import Interview
from lycatra_appservice.setup.surroundings import Surroundings

VERSIONS = "/_matrix/client/versions"
KEYS = "/_matrix/key/v2/server"
HOMESERVER: dict[str, JSON] = {VERSIONS: {"versions": ["v1.12"], "unstable_features": {}}}


class OnTheHost(Surroundings):
    """Neither in a container nor beside an Ollama, wherever the tests run."""

    def ollamas(self) -> Sequence[tuple[str, Sequence[str]]]:
        return ()

    @property
    def in_container(self) -> bool:
        return False


@asynccontextmanager
async def site(pages: dict[str, JSON]) -> AsyncIterator[str]:
    """A server with these JSON pages and no others."""

    async def answer(request: web.Request) -> web.Response:
        if request.path in pages:
            return web.json_response(pages[request.path])
        return web.json_response({"errcode": "M_UNRECOGNIZED"}, status=404)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with TestServer(app, host="127.0.0.1") as server:
        yield str(server.make_url("")).rstrip("/")


def given(**answers: JSON) -> Given:
    base = {"admin": "@alice:hs.test", "no_model": "model_url" not in answers}
    return Given(**{**base, "synapse": Place.HERE, "port": free_port(), **answers})


async def answered(known: Given, typed: str | None = None) -> tuple[Answers, str]:
    """Run the interview; without `typed` there is nobody to ask."""
    shown = StringIO()
    console = Console(StringIO(typed) if typed is not None else None, shown)
    interview = Interview(console, known, OnTheHost())
    return await asyncio.to_thread(interview.run), shown.getvalue()


async def test_the_own_id_tells_the_servers_name() -> None:
    async with site(HOMESERVER) as url:
        answers, said = await answered(given(homeserver=url))
    assert (answers.server_name, answers.admin) == ("hs.test", "@alice:hs.test")
    assert answers.homeserver_url == url
    assert answers.localpart == "lycatra"
    assert f"{url} answers." in said


async def test_a_well_known_leads_to_the_homeserver() -> None:
    async with site(HOMESERVER) as real:
        found = {"m.homeserver": {"base_url": f"{real}/"}}
        async with site({"/.well-known/matrix/client": found}) as front:
            answers, _ = await answered(given(homeserver=front))
    assert answers.homeserver_url == real


async def test_another_homeserver_at_that_address_is_refused() -> None:
    async with site({**HOMESERVER, KEYS: {"server_name": "other.test"}}) as url:
        with pytest.raises(SetupError, match=r"is the homeserver other\.test, not hs\.test"):
            await answered(given(homeserver=url))


@pytest.mark.parametrize(
    ("place", "appservice_url", "expected", "listens_on"),
    [
        (Place.HERE, None, "http://localhost:{port}", "127.0.0.1"),
        (Place.DOCKER, None, "http://host.docker.internal:{port}", "0.0.0.0"),  # noqa: S104
        (Place.ELSEWHERE, "http://10.0.0.2:80", "http://10.0.0.2:80", "0.0.0.0"),  # noqa: S104
    ],
)
async def test_where_synapse_runs_decides_how_it_reaches_us(
    place: Place, appservice_url: str | None, expected: str, listens_on: str
) -> None:
    async with site(HOMESERVER) as url:
        known = given(homeserver=url, synapse=place, appservice_url=appservice_url)
        answers, _ = await answered(known)
    assert answers.appservice_url == expected.format(port=known.port)
    assert answers.listen_host == listens_on


async def test_a_synapse_elsewhere_needs_to_be_told_our_address() -> None:
    async with site(HOMESERVER) as url:
        with pytest.raises(SetupError, match="--appservice-url is missing"):
            await answered(given(homeserver=url, synapse=Place.ELSEWHERE))


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"admin": "alice"}, "--admin: it should be a whole Matrix ID"),
        ({"admin": "@a:b c"}, "--admin: it should be a Matrix ID"),
        ({"server_name": "http://hs.test"}, "--server-name: it should be a server name"),
        ({"homeserver": "hs.test"}, "--homeserver: it should be an address beginning with http"),
        ({"localpart": "Lycatra!"}, "--localpart: it should have only a-z"),
        ({"model_url": "ftp://x"}, "--model-url: it should be an address beginning with http"),
        ({"port": 70000}, "--port: it should be a number from 1 to 65535"),
    ],
)
async def test_a_wrong_option_is_named_with_what_it_takes(
    wrong: dict[str, JSON], sentence: str
) -> None:
    async with site(HOMESERVER) as url:
        with pytest.raises(SetupError) as caught:
            await answered(given(**{"homeserver": url, **wrong}))
    assert sentence in str(caught.value)


async def test_a_models_address_is_completed_and_its_only_model_taken() -> None:
    models = {"data": [{"id": "qwen3:8b"}, {"id": "nomic-embed-text"}]}
    async with site(HOMESERVER) as url, site({"/v1/models": models}) as model:
        answers, _ = await answered(given(homeserver=url, model_url=model))
    assert answers.model is not None
    assert (answers.model.base_url, answers.model.name) == (f"{model}/v1", "qwen3:8b")
    assert answers.model.key_file is None


async def test_of_several_models_one_has_to_be_named() -> None:
    models = {"data": [{"id": name} for name in ("a", "b", "c", "d")]}
    async with site(HOMESERVER) as url, site({"/v1/models": models}) as model:
        with pytest.raises(SetupError, match=r"--model is missing.*a, b, c and 1 more"):
            await answered(given(homeserver=url, model_url=model))


async def test_a_key_stays_in_its_file(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("said-to-the-model")
    async with site(HOMESERVER) as url:
        known = given(homeserver=url, model_url=f"{url}/v1", model="m", model_key_file=key)
        answers, _ = await answered(known)
    assert answers.model is not None
    assert (answers.model.key_file, answers.model.new_key) == (str(key), None)


async def test_openais_key_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "said-to-openai")
    async with site({**HOMESERVER, "/v1/models": {"data": []}}) as url:
        # An address of our own in its place is another server, whose key it is not.
        known = given(homeserver=url, model_url=f"{url}/v1", model="m")
        answers, _ = await answered(known)
    assert answers.model is not None
    assert answers.model.key_file is None


async def test_a_wrong_answer_is_asked_for_again_and_the_typed_ones_are_taken() -> None:
    models = {"data": [{"id": "a"}, {"id": "b"}]}
    async with site(HOMESERVER) as url, site({"/v1/models": models}) as model:
        known = given(admin=None, synapse=None, no_model=False)
        typed = ["alice", "@alice:hs.test", "http://127.0.0.1:9", url, "1", "2", model, "2"]
        shown = await typed_into(known, typed)
    answers, said = shown
    assert "it should be a whole Matrix ID" in said
    assert "cannot be reached" in said
    assert answers.appservice_url == f"http://localhost:{known.port}"
    assert answers.model is not None
    assert answers.model.name == "b"


async def typed_into(known: Given, lines: list[str]) -> tuple[Answers, str]:
    class WithoutKey(Console):
        def ask_secret(self, question: str) -> str:
            return ""

    shown = StringIO()
    console = WithoutKey(StringIO("".join(f"{line}\n" for line in lines)), shown)
    interview = Interview(console, known, OnTheHost())
    return await asyncio.to_thread(interview.run), shown.getvalue()


async def test_a_taken_name_is_told_and_may_be_changed() -> None:
    taken = {"/_matrix/client/v3/profile/@lycatra:hs.test": {"displayname": "Lycatra"}}
    async with site({**HOMESERVER, **taken}) as url:
        answers, said = await answered(given(homeserver=url), "helper\n")
        assert answers.localpart == "helper"
        assert "@lycatra:hs.test exists already" in said
        assert (await answered(given(homeserver=url)))[0].localpart == "lycatra"


def test_a_new_key_has_one_place() -> None:
    assert KEY_FILE == "secrets/model-key"
