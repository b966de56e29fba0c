"""Where questions go, as people read it in the welcome."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from lycatra_appservice.chat.model_host import asked_in, is_local, where_questions_go
from lycatra_appservice.chat.room_settings import LocalOnly, RoomSettings
from lycatra_appservice.words.catalogue import in_english


@dataclass(frozen=True, slots=True)
class Model:
    base_url: str
    model: str = "llama3.1"
    local: bool | None = None


HERE = "Questions go to a model on this server."


def near(host: str) -> str:
    return f"Questions go to a model in this server's own network ({host})."


def cloud(service: str, host: str) -> str:
    return f"Questions go to {service} ({host}), a cloud service."


def at(host: str) -> str:
    return f"Questions go to a model at {host}."


@pytest.mark.parametrize(
    ("base_url", "said"),
    [
        ("http://localhost:11434/v1", HERE),
        ("http://LOCALHOST:11434/v1", HERE),
        ("http://127.0.0.1:8000/v1", HERE),
        ("http://127.8.9.1/v1", HERE),
        ("http://[::1]:8000/v1", HERE),
        ("http://host.docker.internal:11434/v1", HERE),
        ("http://host.containers.internal/v1", HERE),
        ("http://ollama:11434/v1", near("ollama")),
        ("http://192.168.1.20/v1", near("192.168.1.20")),
        ("http://10.0.0.7:8080/v1", near("10.0.0.7")),
        ("http://172.17.0.1/v1", near("172.17.0.1")),
        ("http://100.100.20.3/v1", near("100.100.20.3")),  # shared address space, as in a VPN
        ("http://[fd00::7]/v1", near("fd00::7")),
        ("http://[fe80::7]/v1", near("fe80::7")),
        ("http://gpu.local/v1", near("gpu.local")),
        ("http://gpu.lan/v1", near("gpu.lan")),
        ("http://gpu.home.arpa/v1", near("gpu.home.arpa")),
        ("http://gpu.fritz.box/v1", near("gpu.fritz.box")),
        ("https://api.openai.com/v1", cloud("OpenAI", "api.openai.com")),
        ("https://api.openai.com./v1", cloud("OpenAI", "api.openai.com")),
        ("https://API.OpenAI.com/v1", cloud("OpenAI", "api.openai.com")),
        ("https://eu.api.openai.com/v1", cloud("OpenAI", "eu.api.openai.com")),
        ("https://mine.openai.azure.com/v1", cloud("Microsoft Azure", "mine.openai.azure.com")),
        ("https://openrouter.ai/api/v1", cloud("OpenRouter", "openrouter.ai")),
        ("https://api.mistral.ai/v1", cloud("Mistral AI", "api.mistral.ai")),
        ("https://ollama.com/v1", cloud("Ollama", "ollama.com")),
        ("https://api.x.ai/v1", cloud("xAI", "api.x.ai")),
        # What only looks like one of them.
        ("https://api.openai.com.evil.example/v1", at("api.openai.com.evil.example")),
        ("https://notopenai.com/v1", at("notopenai.com")),
        ("https://api.openai.com@evil.example/v1", at("evil.example")),
        ("https://max.ai/v1", at("max.ai")),
        ("https://llm.example.org/v1", at("llm.example.org")),
        ("http://8.8.8.8/v1", at("8.8.8.8")),
        ("http://[2001:4860:4860::8888]/v1", at("2001:4860:4860::8888")),
        ("http://localhost.evil.example/v1", at("localhost.evil.example")),
    ],
)
def test_people_read_where_questions_go(base_url: str, said: str) -> None:
    assert in_english(where_questions_go([Model(base_url)])) == said


def test_a_local_server_that_only_passes_them_on_is_not_called_local() -> None:
    for name in ("gpt-oss:120b-cloud", "minimax-m2:cloud"):
        said = in_english(where_questions_go([Model("http://localhost:11434/v1", name)]))
        assert said == cloud("Ollama", "ollama.com")


def test_without_a_model_they_go_nowhere() -> None:
    assert "only commands" in in_english(where_questions_go([]))


CHOICES: Sequence[tuple[str, LocalOnly]] = (("auto", "off"), ("cloud", "off"), ("cloud", "on"))
OLLAMA = "http://localhost:11434/v1"
OPENAI = "https://api.openai.com/v1"


@pytest.mark.parametrize(
    ("model", "local"),
    [
        (Model(OLLAMA), True),
        (Model("http://10.0.0.7/v1"), True),
        (Model("http://ollama:11434/v1"), True),
        (Model(OPENAI), False),
        (Model("http://8.8.8.8/v1"), False),
        (Model("https://llm.example.org/v1"), False),
        (Model(OLLAMA, "gpt-oss:120b-cloud"), False),
        (Model("https://llm.example.org/v1", local=True), True),
        (Model(OLLAMA, local=False), False),
    ],
)
def test_what_is_local_is_near_or_said_to_be(model: Model, local: bool) -> None:
    assert is_local(model) is local


def test_with_several_people_read_all_places_in_order_and_each_once() -> None:
    models = [Model(OLLAMA), Model(OLLAMA, "big"), Model(OPENAI), Model("http://gpu.lan/v1")]
    assert in_english(where_questions_go(models)) == (
        "Questions go to a model on this server. "
        "If that fails, they go to OpenAI (api.openai.com), a cloud service. "
        "If that fails, they go to a model in this server's own network (gpu.lan)."
    )


def test_people_read_where_the_questions_of_their_room_go() -> None:
    models = {"home": Model(OLLAMA), "cloud": Model(OPENAI)}
    places = [
        list(asked_in(models, RoomSettings(model=model, local_only=local_only)))
        for model, local_only in CHOICES
    ]
    home, cloud = models.values()
    assert places == [[home, cloud], [cloud, home], [home]]
