"""A backend for every server that speaks OpenAI's chat.completions, on the `openai` package.

The SDK does addresses, authentication and connections. The answer is read by ourselves: the
SDK's own reader costs four times the CPU and hides what broken servers send.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Any

import httpx2
import openai
from openai import AsyncOpenAI, DefaultAioHttpClient

from lycatra_appservice.agent.backend import ModelUnreachableError, ToolChoice, ToolSpec
from lycatra_appservice.agent.failures import Failure, failure_in, retry_after
from lycatra_appservice.agent.messages import Delta, Message, UserMessage
from lycatra_appservice.agent.patience import Patience
from lycatra_appservice.agent.reading import AnswerReader, causes
from lycatra_appservice.agent.sse import GarbledAnswerError
from lycatra_appservice.agent.wire import ModelSettings, RequestForm
from lycatra_appservice.errors import ModelError
from lycatra_appservice.model import JSON

logger = logging.getLogger(__name__)

_CONNECT_SECONDS = 5  # a server that is there accepts at once
_PROBE_SECONDS = 5
_NO_KEY = "unused"  # the SDK insists on one; servers without keys ignore it


class ChatCompletionsBackend:
    """One model at one server. Connections are opened when first needed, and kept."""

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings
        self._form = RequestForm(settings)
        self._client: AsyncOpenAI | None = None

    @property
    def name(self) -> str:
        """The model's name."""
        return self._settings.model

    async def stream(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec], *, tool_choice: ToolChoice
    ) -> AsyncGenerator[Delta, None]:
        """See `Backend.stream`."""
        patience = Patience(self._settings.first_token_timeout, self._settings.idle_timeout)
        reader = AnswerReader(patience)
        try:
            async with AsyncExitStack() as until_read:
                response = await self._ask(until_read, patience, messages, tools, tool_choice)
                async with aclosing(reader.read(response)) as deltas:
                    async for delta in deltas:
                        yield delta
        except (ModelError, TimeoutError, httpx2.HTTPError, GarbledAnswerError) as failed:
            error = reader.error_after(failed)
            extra = {"model": self.name, "error": type(error).__name__, "detail": str(error)}
            logger.warning("model_request_failed", extra=extra)
            raise error from failed

    async def probe(self) -> str:
        """See `Backend.probe`. Raises ModelError."""
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                listed = await self._connected().get("/models", cast_to=httpx2.Response)
        except openai.APIStatusError as refused:
            if refused.status_code in {404, 405}:
                return "reachable; it does not list its models"
            raise self._failure(refused).error() from refused
        except (openai.APIConnectionError, httpx2.HTTPError, TimeoutError) as failed:
            raise ModelUnreachableError(causes(failed)) from failed
        return f"reachable; {_found(self.name, listed)}"

    async def warm_up(self) -> None:
        """Do now what would slow the first question: load, build, open. Sends nothing."""
        self._connected()
        transport = httpx2.MockTransport(lambda _: httpx2.Response(200, json={}))
        nowhere = httpx2.AsyncClient(transport=transport)
        async with AsyncOpenAI(
            api_key=_NO_KEY, base_url="http://nowhere.invalid", http_client=nowhere
        ) as dry:
            body = self._form.fill([UserMessage(text="")], [], "auto")
            async with dry.chat.completions.with_streaming_response.create(**body):
                pass

    async def aclose(self) -> None:
        """See `Backend.aclose`."""
        if self._client is not None:
            await self._client.close()

    async def _ask(
        self,
        until_read: AsyncExitStack,
        patience: Patience,
        messages: Sequence[Message],
        tools: Sequence[ToolSpec],
        tool_choice: ToolChoice,
    ) -> httpx2.Response:
        """Send the request, again without each parameter that the server turns out not to take."""
        while True:
            body = self._form.fill(messages, tools, tool_choice)
            request = self._connected().chat.completions.with_streaming_response.create(**body)
            try:
                async with patience.bounded():
                    opened = await until_read.enter_async_context(request)
            except openai.APIStatusError as refused:
                self._drop_parameter(refused, body)
            except openai.APIConnectionError as failed:
                raise ModelUnreachableError(causes(failed)) from failed
            else:
                response: httpx2.Response = opened.http_response
                return response

    def _drop_parameter(self, refused: openai.APIStatusError, body: Mapping[str, Any]) -> None:
        failure = self._failure(refused)
        parameter = failure.unsupported(body)
        if parameter is None:
            raise failure.error() from refused
        self._form.leave_out(parameter)
        logger.info("model_parameter_dropped", extra={"model": self.name, "parameter": parameter})

    def _failure(self, refused: openai.APIStatusError) -> Failure:
        body: JSON = refused.body
        key = self._settings.api_key
        if key is not None:  # some servers repeat a wrong key in their answer
            body = _without(body, key.get_secret_value())
        headers = refused.response.headers
        return failure_in(body, status=refused.status_code, retry_after=retry_after(headers))

    def _connected(self) -> AsyncOpenAI:
        if self._client is None:
            key = self._settings.api_key
            self._client = AsyncOpenAI(
                base_url=self._settings.base_url,
                api_key=key.get_secret_value() if key else _NO_KEY,
                max_retries=0,  # the SDK would sleep up to two minutes without a word
                # Redirects are off: the key belongs to the address that was configured.
                http_client=DefaultAioHttpClient(follow_redirects=False),
                # What the SDK calls read is any gap between bytes; `Patience` measures words.
                timeout=httpx2.Timeout(
                    connect=_CONNECT_SECONDS, pool=2 * _CONNECT_SECONDS, read=None, write=None
                ),
            )
        return self._client


def _found(model: str, listed: httpx2.Response) -> str:
    try:
        names = [entry["id"] for entry in listed.json()["data"]]
    except (ValueError, KeyError, TypeError):
        return "its list of models is unreadable"
    if model in names or f"{model}:latest" in names:  # Ollama's way of naming
        return f"it has {model}"
    return f"{model} is not among its {len(names)} models"


def _without(body: JSON, secret: str) -> JSON:
    if isinstance(body, dict):
        return {name: _without(value, secret) for name, value in body.items()}
    return body.replace(secret, "***") if isinstance(body, str) else body
