"""A backend for every server that speaks OpenAI's chat.completions, on the `openai` package.

The SDK does addresses, authentication and connections. The answer is read by ourselves: the
SDK's own reader costs four times the CPU and hides what broken servers send.
"""

import asyncio
import logging
import ssl
from base64 import b64encode
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from typing import Any

import httpx2
import openai
from openai import AsyncOpenAI, DefaultAioHttpClient

from lycatra_appservice.agent.attached import images_of
from lycatra_appservice.agent.backend import (
    ModelGoneError,
    ModelRefusedError,
    ModelUnreachableError,
    ToolChoice,
    ToolSpec,
)
from lycatra_appservice.agent.failures import Failure, failure_in, retry_after
from lycatra_appservice.agent.messages import Delta, Message, ModelAnswer, UserMessage
from lycatra_appservice.agent.patience import Patience
from lycatra_appservice.agent.reading import AnswerReader, causes
from lycatra_appservice.agent.sse import GarbledAnswerError
from lycatra_appservice.agent.strict import without_nulls
from lycatra_appservice.agent.wire import IMAGES, ModelSettings, RequestForm
from lycatra_appservice.errors import ModelError
from lycatra_appservice.model import JSON

logger = logging.getLogger(__name__)

_PROBE_SECONDS = 5
_NO_KEY = "unused"  # the SDK insists on one; servers without keys ignore it


class ChatCompletionsBackend:
    """One model at one server. Connections are opened when first needed, and kept."""

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings
        self._form = RequestForm(settings)
        self._begins_in_thought = False  # without a sign of it, as an answer has shown
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
        reader = AnswerReader(patience, begins_in_thought=self._begins_in_thought)
        try:
            async with AsyncExitStack() as until_read:
                response, shown = await self._ask(
                    until_read, patience, messages, tools, tool_choice
                )
                blind = bool(images_of(messages)) and not shown
                async with aclosing(reader.read(response)) as deltas:
                    async for delta in deltas:
                        yield self._as_meant(delta, tools, blind=blind)
                self._begins_in_thought = self._begins_in_thought or reader.began_in_thought
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
            async with dry.chat.completions.with_streaming_response.create(**_untouched(body)):
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
    ) -> tuple[httpx2.Response, bool]:
        """Send the request, again without each parameter that the server turns out not to take.

        Also whether there were pictures in it.
        """
        images = True
        while True:
            body = self._form.fill(messages, tools, tool_choice, images=images)
            asking = self._connected().chat.completions.with_streaming_response
            request = asking.create(**_untouched(body))
            try:
                async with patience.bounded():
                    opened = await until_read.enter_async_context(request)
            except openai.APIStatusError as refused:
                images = self._drop_parameter(refused, body) and images
            except openai.APIConnectionError as failed:
                raise ModelGoneError(causes(failed)) from failed
            else:
                response: httpx2.Response = opened.http_response
                return response, IMAGES in self._form.sent(body)

    def _drop_parameter(self, refused: openai.APIStatusError, body: Mapping[str, Any]) -> bool:
        """Leave it out from now on; False when it is only the pictures of this request."""
        failure = self._failure(refused)
        sent = self._form.sent(body)
        parameter = failure.unsupported([each for each in self._form.dispensable if each in sent])
        if parameter is None:
            raise failure.error() from refused
        is_for_once = parameter == IMAGES and failure.is_about_one_image
        if not is_for_once:
            self._form.leave_out(parameter)
        extra = {"model": self.name, "parameter": parameter, "detail": failure.detail}
        logger.warning("model_parameter_dropped", extra=extra)
        return not is_for_once

    def _as_meant(self, delta: Delta, tools: Sequence[ToolSpec], *, blind: bool) -> Delta:
        if delta.answer is None:
            return delta
        answer = replace(delta.answer, blind=blind)
        return replace(
            delta, answer=_without_nulls(answer, tools) if self._form.is_strict else answer
        )

    def _failure(self, refused: openai.APIStatusError) -> Failure:
        body: JSON = refused.body
        for secret in self._secrets():  # some servers repeat a wrong key in their answer
            body = _without(body, secret)
        headers = refused.response.headers
        return failure_in(body, status=refused.status_code, retry_after=retry_after(headers))

    def _secrets(self) -> Sequence[str]:
        key = self._settings.api_key
        found = [*([key] if key else []), *self._settings.headers.values()]
        return [each.get_secret_value() for each in found if each.get_secret_value()]

    def _connected(self) -> AsyncOpenAI:
        """The client. Raises ModelRefusedError when the file of authorities cannot be used."""
        if self._client is None:
            settings, key = self._settings, self._settings.api_key
            connect = settings.connect_timeout.total_seconds()
            self._client = AsyncOpenAI(
                base_url=settings.base_url,
                api_key=key.get_secret_value() if key else _NO_KEY,
                max_retries=0,  # the SDK would sleep up to two minutes without a word
                default_headers=self._headers(),
                # Redirects are off: the key belongs to the address that was configured.
                http_client=DefaultAioHttpClient(
                    follow_redirects=False,
                    verify=self._trusted(),
                    proxy=self._proxy(),
                ),
                # What the SDK calls read is any gap between bytes; `Patience` measures words.
                timeout=httpx2.Timeout(connect=connect, pool=2 * connect, read=None, write=None),
            )
        return self._client

    def _headers(self) -> dict[str, str]:
        added = {name: value.get_secret_value() for name, value in self._settings.headers.items()}
        proxy = self._proxy()
        # Without TLS there is no CONNECT: the proxy reads the request itself, and takes this out.
        if proxy is not None and self._settings.base_url.startswith("http:"):
            return {**proxy.headers, **added}
        return added

    def _proxy(self) -> httpx2.Proxy | None:
        if self._settings.proxy is None:
            return None
        url = httpx2.URL(self._settings.proxy.get_secret_value())
        # As a header, because aiohttp 3.14 warns of what openai 3.54 makes of a password.
        login = f"{url.username}:{url.password}".encode()
        header = {"Proxy-Authorization": f"Basic {b64encode(login).decode()}"}
        return httpx2.Proxy(url.copy_with(userinfo=b""), headers=header if url.userinfo else None)

    def _trusted(self) -> ssl.SSLContext | bool:
        file = self._settings.ca_file
        try:
            return ssl.create_default_context(cafile=str(file)) if file else True
        except OSError as unusable:  # an SSLError is one
            raise ModelRefusedError(f"ca_file cannot be used: {unusable}") from unusable


def _untouched(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body in the one parameter that the SDK passes on as it is, over all others.

    Its walk through messages and schemas changes nothing of ours, and costs more CPU than all else
    of a turn together (openai 3.54: 0.4 ms for each earlier question with its answer).
    """
    own = {name: value for name, value in body.items() if name != "extra_body"}
    whole = {**own, **body.get("extra_body", {})}
    stream = bool(body.get("stream"))
    return {"model": body["model"], "messages": [], "stream": stream, "extra_body": whole}


def _without_nulls(answer: ModelAnswer, tools: Sequence[ToolSpec]) -> ModelAnswer:
    schemas = {tool.name: tool.schema for tool in tools}
    calls = [
        replace(call, arguments=without_nulls(call.arguments, schemas.get(call.name, {})))
        for call in answer.calls
    ]
    return replace(answer, calls=tuple(calls))


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
