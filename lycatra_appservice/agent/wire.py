"""Our messages and tools as a request in the chat-completions format."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol, assert_never

from pydantic import SecretStr

from lycatra_appservice.agent.accumulator import is_json_object
from lycatra_appservice.agent.attached import content_of
from lycatra_appservice.agent.backend import ToolChoice, ToolSpec
from lycatra_appservice.agent.messages import (
    AssistantMessage,
    Message,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
    with_note,
)
from lycatra_appservice.agent.strict import strict_schema
from lycatra_appservice.model import JSON

STRICT = "strict"  # inside of each tool, and dropped like a parameter
IMAGES = "images"  # parts of messages, and dropped like a parameter
EXTRA = "extra_body"  # where the SDK takes what it does not know

_DISPENSABLE = (
    "stream_options",
    "stream",
    "temperature",
    "tool_choice",
    "parallel_tool_calls",
    "max_completion_tokens",
    "max_tokens",
    STRICT,
)
_NO_MORE_TOOLS = "No more tool calls are possible. Answer now with what you have."


class ModelSettings(Protocol):
    """What is configured about a model; `settings.Model` fits."""

    @property
    def base_url(self) -> str:
        """Address of the API, mostly ending in /v1."""

    @property
    def model(self) -> str:
        """The model's name, as its server calls it."""

    @property
    def api_key(self) -> SecretStr | None:
        """None for servers that want none."""

    @property
    def connect_timeout(self) -> timedelta:
        """Until the server, or its proxy, takes the connection."""

    @property
    def first_token_timeout(self) -> timedelta:
        """From the request to the first word; for the whole answer if it is not streamed."""

    @property
    def idle_timeout(self) -> timedelta:
        """Between two words."""

    @property
    def max_output_tokens(self) -> int | None:
        """Limit of one answer; None leaves it to the server."""

    @property
    def temperature(self) -> float | None:
        """None leaves it to the server."""

    @property
    def stream(self) -> bool:
        """Whether to ask for the answer word by word."""

    @property
    def stream_usage(self) -> bool:
        """Whether to ask for the tokens at the end of a stream."""

    @property
    def tool_choice(self) -> bool:
        """False: never send the parameter; the model is told in words instead."""

    @property
    def parallel_tool_calls(self) -> bool | None:
        """Whether the model may call several tools at once; None leaves it to the server."""

    @property
    def strict_schemas(self) -> bool:
        """Whether the server shall hold the model to the schemas of its tools."""

    @property
    def images(self) -> bool:
        """Whether the model can look at pictures."""

    @property
    def headers(self) -> Mapping[str, SecretStr]:
        """Sent with every request, over what is sent anyway."""

    @property
    def body(self) -> Mapping[str, JSON]:
        """Further parameters of a request."""

    @property
    def ca_file(self) -> Path | None:
        """The only authority to trust, in PEM format; None trusts those of the system."""

    @property
    def proxy(self) -> SecretStr | None:
        """Its address; None takes the one of the environment, if it names one."""


class RequestForm:
    """Writes the requests to one server, and remembers what it does not take."""

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings
        self._refused: set[str] = set()
        if not settings.tool_choice:
            self._refused.add("tool_choice")
        if not settings.stream_usage:
            self._refused.add("stream_options")

    @property
    def is_strict(self) -> bool:
        """Whether tools are sent in strict mode."""
        return self._settings.strict_schemas and STRICT not in self._refused

    @property
    def dispensable(self) -> Collection[str]:
        """What a server may not know and we can do without."""
        return (*_DISPENSABLE, IMAGES, *self._settings.body)

    @property
    def takes_images(self) -> bool:
        """Whether pictures are sent, as far as it is known by now."""
        return self._settings.images and IMAGES not in self._refused

    def leave_out(self, parameter: str) -> None:
        """Never send this parameter again, as long as we run."""
        self._refused.add(parameter)

    def sent(self, body: Mapping[str, Any]) -> Collection[str]:
        """The parameters in a body of ours, as a server would name them."""
        extra = body.get(EXTRA, {})
        strict = [STRICT] if self.is_strict and "tools" in body else []
        shown = any(isinstance(each.get("content"), list) for each in body["messages"])
        return {*body, *extra, *strict, *([IMAGES] if shown else [])}

    def fill(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSpec],
        tool_choice: ToolChoice,
        *,
        images: bool = True,
    ) -> dict[str, Any]:
        """The body of a request. As few parameters as possible: every server knows others.

        What the configuration adds stands below `EXTRA`. Without `images` none are in it.
        """
        settings = self._settings
        forbid_calls = bool(tools) and tool_choice == "none"
        if forbid_calls:  # in words, too: Ollama takes the parameter and does not heed it
            messages = with_note(messages, _NO_MORE_TOOLS)
        stream = settings.stream and "stream" not in self._refused
        # OpenAI's newer models know only the longer name, most other servers only the short one.
        limit = "max_completion_tokens" if "max_tokens" in self._refused else "max_tokens"
        optional = {
            "tools": tools_on_wire(tools, strict=self.is_strict) or None,
            "tool_choice": "none" if forbid_calls else None,
            "parallel_tool_calls": settings.parallel_tool_calls if tools else None,
            "stream_options": {"include_usage": True} if stream else None,
            "temperature": settings.temperature,
            limit: settings.max_output_tokens,
            EXTRA: self._kept(settings.body) or None,
        }
        return {
            "model": settings.model,
            "messages": [
                message_on_wire(message, images=images and self.takes_images)
                for message in messages
            ],
            "stream": stream,
            **{name: each for name, each in self._kept(optional).items() if each is not None},
        }

    def _kept(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        return {name: each for name, each in parameters.items() if name not in self._refused}


def message_on_wire(message: Message, *, images: bool = False) -> dict[str, JSON]:
    """One message as the server takes it; `images`: with the pictures that go with it.

    A person's name is left out: some servers refuse the field and most models never see it.
    """
    match message:
        case SystemMessage():
            return {"role": "system", "content": message.text}
        case UserMessage():
            return {"role": "user", "content": content_of(message, images=images)}
        case AssistantMessage():
            return _assistant(message)
        case ToolMessage():
            return {"role": "tool", "tool_call_id": message.call_id, "content": message.text}
        case _:
            assert_never(message)


def tools_on_wire(tools: Sequence[ToolSpec], *, strict: bool) -> list[Mapping[str, JSON]]:
    """The tools, sorted by name: the same set always gives the same bytes, which servers cache."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": strict_schema(tool.schema) if strict else tool.schema,
                **({STRICT: True} if strict else {}),
            },
        }
        for tool in sorted(tools, key=lambda tool: tool.name)
    ]


def _assistant(message: AssistantMessage) -> dict[str, JSON]:
    if not message.calls:
        return {"role": "assistant", "content": message.text}
    calls = [_call(call) for call in message.calls]
    return {"role": "assistant", "content": message.text or None, "tool_calls": calls}


def _call(call: ToolCall) -> dict[str, JSON]:
    """A past call. Servers answer 400 to a name or to arguments that no model should have made."""
    name = re.sub(r"[^A-Za-z0-9_-]", "_", call.name)[:64] or "unnamed"
    arguments = call.arguments if is_json_object(call.arguments) else "{}"
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }
