"""Findings about the language model: reachable, answers bit by bit, calls a tool."""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Final

from lycatra_appservice.agent.backend import Backend, ToolSpec
from lycatra_appservice.agent.messages import Message, ModelAnswer, SystemMessage, UserMessage
from lycatra_appservice.doctor.findings import Finding, error, ok, warning
from lycatra_appservice.errors import ModelError
from lycatra_appservice.settings import Model

_REACHED: Final = "model.reachable"
_ANSWER: Final = "model.answer"
_TOOL_CALL: Final = "model.tool_call"
_WHY: Final = "questions are answered with one line saying so; commands work"
_GREETING: Final[Sequence[Message]] = (UserMessage(text="Say the one word: ready"),)
_ORDER: Final[Sequence[Message]] = (
    SystemMessage(text="You answer only with what tools find. Never answer from memory."),
    UserMessage(text="Which version of the shop is running? Look it up."),
)
_TOOL: Final = ToolSpec(
    name="get_version",
    description="Tells which version of a service is running.",
    schema={
        "type": "object",
        "properties": {"service": {"type": "string", "description": "the name of the service"}},
        "required": ["service"],
        "additionalProperties": False,
    },
)


@dataclass(frozen=True, slots=True)
class _Timed:
    answer: ModelAnswer
    first: timedelta
    whole: timedelta


async def check_model(settings: Model | None, backend: Backend | None) -> Sequence[Finding]:
    """Ask the model twice, in as few words as possible."""
    if settings is None or backend is None:
        return [_none()]
    try:
        reached = ok(_REACHED, f"{settings.base_url} is {await backend.probe()}")
    except ModelError as failed:
        return [_failed(_REACHED, settings, failed)]
    answer = await _check_answer(settings, backend)
    return [reached, answer, await _check_tool_call(settings, backend)]


def _none() -> Finding:
    return warning(
        _REACHED,
        "no model is configured",
        why=_WHY,
        fix="model: a section with base_url and model",
    )


async def _check_answer(settings: Model, backend: Backend) -> Finding:
    try:
        timed = await _ask(backend, _GREETING, ())
    except ModelError as failed:
        return _failed(_ANSWER, settings, failed)
    if not timed.answer.text.strip():
        return error(
            _ANSWER,
            f"{settings.model} answered without a word",
            why=_WHY,
            fix="model.model, or model.max_output_tokens if it thinks before it speaks",
        )
    if timed.first > settings.first_token_timeout / 2:
        return warning(
            _ANSWER,
            f"{settings.model} took {_seconds(timed.first)} to its first word",
            why=f"after {_seconds(settings.first_token_timeout)} a person is told "
            "that it does not answer",
            fix="model.first_token_timeout: longer, or a smaller model",
        )
    first, whole = _seconds(timed.first), _seconds(timed.whole)
    return ok(_ANSWER, f"{settings.model} said its first word after {first}, all after {whole}")


async def _check_tool_call(settings: Model, backend: Backend) -> Finding:
    try:
        timed = await _ask(backend, _ORDER, (_TOOL,))
    except ModelError as failed:
        return _failed(_TOOL_CALL, settings, failed)
    if any(call.name == _TOOL.name for call in timed.answer.calls):
        return ok(_TOOL_CALL, f"{settings.model} called a tool, in {_seconds(timed.whole)}")
    return warning(
        _TOOL_CALL,
        f"{settings.model} answered without calling the tool that it was given",
        why="it will invent answers instead of looking things up",
        fix="model.model: one that is made for tool calls",
    )


async def _ask(backend: Backend, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> _Timed:
    began = monotonic()
    first: float | None = None
    async with aclosing(backend.stream(messages, tools, tool_choice="auto")) as deltas:
        async for delta in deltas:
            first = first or monotonic()
            if delta.answer is not None:
                now = monotonic()
                return _Timed(
                    delta.answer, timedelta(seconds=first - began), timedelta(seconds=now - began)
                )
    raise ModelError("its stream ended without an answer")


def _failed(check: str, settings: Model, failed: ModelError) -> Finding:
    return error(
        check,
        f"{settings.model} at {settings.base_url} does not do it: {failed}",
        why=_WHY,
        fix="model.base_url, model.model and model.api_key",
    )


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():.1f} s"
