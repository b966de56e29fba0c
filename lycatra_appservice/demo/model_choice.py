"""Which language model the demo talks to: OpenAI, Ollama on this machine, or the stand-in."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from lycatra_appservice.demo.offline_model import OFFLINE_MODEL, OfflineModel

OLLAMA_URL = "http://127.0.0.1:11434"
_OPENAI_URL = "https://api.openai.com/v1"
_OPENAI_MODEL = "gpt-4.1-mini"
_OLLAMA_SECONDS = 1.0  # it is on this machine or it is not there
_ANY_KEY = "not-needed"  # the client insists on one


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChoice:
    """A chat.completions server and a model there; `words` tell people which one it is."""

    base_url: str
    model: str
    api_key: str = field(repr=False)
    words: str


@asynccontextmanager
async def chosen_model(
    environ: Mapping[str, str], ollama_url: str = OLLAMA_URL, offline_port: int = 0
) -> AsyncIterator[ModelChoice]:
    """The model to use while this is open; it runs the stand-in's server if that is the choice.

    `OPENAI_API_KEY` first, then Ollama when it runs and has a model, else the stand-in.
    `LYCATRA_DEMO_MODEL=offline` forces the stand-in, any other value names the model.
    """
    wanted = environ.get("LYCATRA_DEMO_MODEL", "").strip()
    choice = None
    if wanted != "offline":
        choice = _openai(environ, wanted) or await _ollama(ollama_url, wanted)
    if choice is not None:
        yield choice
        return
    async with OfflineModel(offline_port) as offline:
        yield ModelChoice(
            base_url=offline.base_url,
            model=OFFLINE_MODEL,
            api_key=_ANY_KEY,
            words="the demo's small rule-based stand-in (no language model was found)"
            if wanted != "offline"
            else "the demo's small rule-based stand-in",
        )


def _openai(environ: Mapping[str, str], wanted: str) -> ModelChoice | None:
    key = environ.get("OPENAI_API_KEY", "").strip()
    if not key:
        return None
    model = wanted or _OPENAI_MODEL
    return ModelChoice(
        base_url=environ.get("OPENAI_BASE_URL", "").strip() or _OPENAI_URL,
        model=model,
        api_key=key,
        words=f"{model}, with your OPENAI_API_KEY",
    )


async def _ollama(url: str, wanted: str) -> ModelChoice | None:
    models = await _ollama_models(url)
    if not models:
        return None
    model = wanted or models[0]
    return ModelChoice(
        base_url=url.rstrip("/") + "/v1",
        model=model,
        api_key=_ANY_KEY,
        words=f"{model}, by Ollama on this machine",
    )


async def _ollama_models(url: str) -> list[str]:
    """The models that can chat, as Ollama lists them; none when it does not answer."""
    patience = aiohttp.ClientTimeout(total=_OLLAMA_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=patience) as http,
            http.get(url.rstrip("/") + "/api/tags") as answer,
        ):
            listed = await answer.json() if answer.status == 200 else {}
            names = [str(entry["name"]) for entry in listed["models"]]
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError):
        return []
    return [name for name in names if "embed" not in name]
