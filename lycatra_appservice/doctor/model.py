"""Findings about a language model: reachable, answers, calls a tool, reads all it is sent."""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Final
from urllib.parse import urlsplit

from lycatra_appservice.agent.backend import Backend, ContextOverflowError, ToolSpec
from lycatra_appservice.agent.messages import Message, ModelAnswer, SystemMessage, UserMessage
from lycatra_appservice.agent.silent_cut import SilentCut, line_to_change, window_seen
from lycatra_appservice.doctor.findings import Finding, error, ok, warning
from lycatra_appservice.errors import ModelError
from lycatra_appservice.settings import Model

_REACHED: Final = "reachable"
_ANSWER: Final = "answer"
_TOOL_CALL: Final = "tool_call"
_WINDOW: Final = "window"
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


_WORD: Final = "pelican"
_LINE: Final = "The quick brown fox jumps over the lazy dog, and all is well in the wood today.\n"
_LINE_TOKENS: Final = 18  # by most tokenizers
_FILLED: Final = 0.75  # of the window: the answer and a rough estimate need the rest
_MEASURED: Final = 0.8  # of our estimate; these words are counted about the same everywhere
_WHY_CUT: Final = (
    "the rest is lost without a word, rules and tools first: it will invent answers in long "
    "conversations"
)
_MOST_TOKENS: Final = 12_000  # it costs time, and at some servers money


@dataclass(frozen=True, slots=True)
class _Timed:
    answer: ModelAnswer
    first: timedelta
    whole: timedelta


class ModelCheck:
    """Asks one model three times, in as few words as possible but for the last."""

    def __init__(self, key: str, settings: Model, backend: Backend) -> None:
        """`key` is its place in the configuration, such as `models.home`."""
        self._key = key
        self._settings = settings
        self._backend = backend

    async def run(self) -> Sequence[Finding]:
        """All findings; without a server there is nothing more to ask."""
        try:
            seen = await self._backend.probe()
        except ModelError as failed:
            return [self._failed(_REACHED, failed)]
        reached = ok(self._named(_REACHED), f"{self._settings.base_url} is {seen}")
        answer = await self._check_answer()
        tool_call = await self._check_tool_call()
        return [reached, answer, tool_call, await self._check_window()]

    async def _check_answer(self) -> Finding:
        check, settings = self._named(_ANSWER), self._settings
        try:
            timed = await _ask(self._backend, _GREETING, ())
        except ModelError as failed:
            return self._failed(_ANSWER, failed)
        if not timed.answer.text.strip():
            return error(
                check,
                f"{settings.model} answered without a word",
                why=_WHY,
                fix=f"{self._key}.model, or {self._key}.max_output_tokens "
                "if it thinks before it speaks",
            )
        if timed.first > settings.first_token_timeout / 2:
            return warning(
                check,
                f"{settings.model} took {_seconds(timed.first)} to its first word",
                why=f"after {_seconds(settings.first_token_timeout)} a person is told "
                "that it does not answer",
                fix=f"{self._key}.first_token_timeout: longer, or a smaller model",
            )
        first, whole = _seconds(timed.first), _seconds(timed.whole)
        return ok(check, f"{settings.model} said its first word after {first}, all after {whole}")

    async def _check_tool_call(self) -> Finding:
        check, model = self._named(_TOOL_CALL), self._settings.model
        try:
            timed = await _ask(self._backend, _ORDER, (_TOOL,))
        except ModelError as failed:
            return self._failed(_TOOL_CALL, failed)
        if any(call.name == _TOOL.name for call in timed.answer.calls):
            return ok(check, f"{model} called a tool, in {_seconds(timed.whole)}")
        return warning(
            check,
            f"{model} answered without calling the tool that it was given",
            why="it will invent answers instead of looking things up",
            fix=f"{self._key}.model: one that is made for tool calls",
        )

    async def _check_window(self) -> Finding:
        """Send about as much as the configuration says that it reads, and see what it read."""
        check, configured = self._named(_WINDOW), self._settings.context_window
        tokens = min(round(_FILLED * configured), _MOST_TOKENS)
        try:
            answer = (await _ask(self._backend, _long_prompt(tokens), ())).answer
        except ContextOverflowError as failed:
            takes = "what it takes" if failed.window is None else str(failed.window)
            return warning(
                check,
                f"{self._settings.model} does not take {tokens} tokens: {failed}",
                why="long conversations fail once before they are shortened",
                fix=f"{self._key}.context_window: {takes}",
            )
        except ModelError as failed:
            return self._failed(_WINDOW, failed)
        return self._window_by(answer, tokens)

    def _window_by(self, answer: ModelAnswer, tokens: int) -> Finding:
        """What an answer to the long prompt shows: the word of its beginning, and the count."""
        check, model = self._named(_WINDOW), self._settings.model
        if _WORD in answer.text.casefold():
            return ok(check, f"{model} read all of about {tokens} tokens")
        counted = answer.usage.prompt if answer.usage else 0
        if counted >= _MEASURED * tokens:  # all was read, and the word is not its strength
            return ok(check, f"{model} took about {tokens} tokens, and counts {counted}")
        if counted <= 0:
            return warning(
                check,
                f"{model} has lost the beginning of about {tokens} tokens, or does not remember "
                "it; how many it reads cannot be seen, because its server does not count them",
                why=_WHY_CUT,
                fix=f"{self._key}.context_window: what its server is set to read",
            )
        cut = SilentCut(estimated_tokens=tokens, counted_tokens=counted)
        return warning(
            check,
            f"{model} was sent about {tokens} tokens, and read {counted}",
            why=_WHY_CUT,
            fix=line_to_change(self._key, window_seen(cut)),
        )

    def _failed(self, check: str, failed: ModelError) -> Finding:
        key, settings = self._key, self._settings
        return error(
            self._named(check),
            f"{settings.model} at {settings.base_url} does not do it: {failed}",
            why=_WHY,
            fix=f"{key}.base_url{_with_v1(settings.base_url)}, {key}.model and {key}.api_key",
        )

    def _named(self, check: str) -> str:
        return f"{self._key}.{check}"


def no_model() -> Finding:
    """Where none is configured."""
    return warning(
        "model.reachable",
        "no model is configured",
        why=_WHY,
        fix="model: a section with base_url and model",
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


def _long_prompt(tokens: int) -> Sequence[Message]:
    """What has to be remembered stands first, where a silent cut begins."""
    filler = _LINE * max(1, tokens // _LINE_TOKENS)
    return (
        SystemMessage(text=f"Remember this word: {_WORD}."),
        UserMessage(text=f"{filler}\nAnswer with the word to remember, and nothing else."),
    )


def _with_v1(base_url: str) -> str:
    """A hint where the address has no path, which is wrong for nearly every server."""
    return "" if urlsplit(base_url).path else f" (mostly {base_url}/v1)"


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():.1f} s"
