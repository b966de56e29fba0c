from collections.abc import AsyncIterator, Awaitable, Callable

import openai
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from lycatra_appservice.demo.model_choice import chosen_model
from lycatra_appservice.model import JSON

Ollama = Callable[[JSON], Awaitable[str]]


@pytest.fixture
async def ollama() -> AsyncIterator[Ollama]:
    servers: list[TestServer] = []

    async def start(listed: JSON) -> str:
        async def tags(request: web.Request) -> web.Response:
            return web.json_response(listed)

        app = web.Application()
        app.router.add_get("/api/tags", tags)
        server = TestServer(app, host="127.0.0.1")
        await server.start_server()
        servers.append(server)
        return str(server.make_url("/")).rstrip("/")

    yield start
    for server in servers:
        await server.close()


def nobody() -> str:
    return f"http://127.0.0.1:{unused_port()}"


async def test_a_key_of_openai_is_used_before_anything_else(ollama: Ollama) -> None:
    url = await ollama({"models": [{"name": "llama"}]})
    async with chosen_model({"OPENAI_API_KEY": "sk-secret"}, url) as choice:
        assert choice.base_url == "https://api.openai.com/v1"
        assert choice.api_key == "sk-secret"
        assert "sk-secret" not in repr(choice) + choice.words


async def test_ollama_on_this_machine_is_used_with_its_first_model_that_chats(
    ollama: Ollama,
) -> None:
    url = await ollama({"models": [{"name": "nomic-embed-text"}, {"name": "llama3:8b"}]})
    async with chosen_model({}, url) as choice:
        assert (choice.base_url, choice.model) == (f"{url}/v1", "llama3:8b")
        assert "Ollama" in choice.words


@pytest.mark.parametrize("listed", [{"models": []}, {}, [], {"models": [{}]}])
async def test_an_ollama_without_a_model_is_passed_over(ollama: Ollama, listed: JSON) -> None:
    async with chosen_model({}, await ollama(listed)) as choice:
        assert "stand-in" in choice.words


async def test_the_stand_in_answers_when_there_is_nothing_else() -> None:
    async with (
        chosen_model({}, nobody()) as choice,
        openai.AsyncOpenAI(base_url=choice.base_url, api_key=choice.api_key) as client,
    ):
        answer = await client.chat.completions.create(
            model=choice.model, messages=[{"role": "user", "content": "hi"}]
        )
    assert "not a language model" in (answer.choices[0].message.content or "")


async def test_the_stand_in_can_be_forced(ollama: Ollama) -> None:
    url = await ollama({"models": [{"name": "llama"}]})
    environ = {"OPENAI_API_KEY": "sk-secret", "LYCATRA_DEMO_MODEL": "offline"}
    async with chosen_model(environ, url) as choice:
        assert "stand-in" in choice.words


async def test_a_model_can_be_named(ollama: Ollama) -> None:
    url = await ollama({"models": [{"name": "llama"}]})
    async with chosen_model({"LYCATRA_DEMO_MODEL": "qwen"}, url) as choice:
        assert choice.model == "qwen"
