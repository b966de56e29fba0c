"""Our agent with all that a turn does beside its database: history, journal, gate."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from benchmarks.contenders.playing import QUESTION, RESULT, SAID_BEFORE, TOOL_WORDS, play
from benchmarks.servers.scripted_model import TOOL
from lycatra_appservice.agent.chat_completions import ChatCompletionsBackend
from lycatra_appservice.agent.loop import Agent, Question, Window
from lycatra_appservice.agent.messages import (
    AssistantMessage,
    Message,
    UserMessage,
    message_from_json,
    message_to_json,
)
from lycatra_appservice.agent.models import Models
from lycatra_appservice.model import JSON
from lycatra_appservice.settings import Model
from lycatra_appservice.toolkit.base import Field, ToolArgs, ToolContext, ToolResult
from lycatra_appservice.toolkit.toolbox import Toolbox
from lycatra_appservice.turns.journal import hash_arguments
from lycatra_appservice.words.catalogue import in_english
from tests.support.toolbench import VIEWER, a_tool, bench

_NOW: Final = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
_ZONE: Final = ZoneInfo("Europe/Berlin")


class StatusArgs(ToolArgs):
    """Which service."""

    service: str = Field(max_length=60, description="The service, by its name.")


async def _status(args: StatusArgs, ctx: ToolContext) -> ToolResult:
    return ToolResult(data=RESULT, markdown="fine")


class JournalWithoutDatabase:
    """What the journal of a turn does before its statement, which is left out."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[str, str]] = {}

    async def step(
        self, name: str, run: Callable[[], Awaitable[JSON]], *, args: JSON = None
    ) -> JSON:
        """See StepsPort."""
        args_hash = hash_arguments(args)
        output = await run()
        self._rows[name] = (args_hash, json.dumps(output))
        return output


class AgentTools:
    """The gate without approvals, of which this tool needs none."""

    def __init__(self, toolbox: Toolbox) -> None:
        self._toolbox = toolbox
        self.tools = toolbox.tools
        self.namespace_of = toolbox.namespace_of

    async def call(self, name: str, raw_args: Mapping[str, JSON], *, key: str) -> ToolResult:
        """See ToolboxPort."""
        return await self._toolbox.call(name, raw_args)


@asynccontextmanager
async def ours(base_url: str, model: str) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """A turn, from the rows of its history to the rows that it adds."""
    backend = ChatCompletionsBackend(Model(base_url=base_url, model=model))
    agent = Agent(Models.only(backend, Window(context_tokens=32_000)))
    rows = [row for said in SAID_BEFORE for row in _rows(*said)]
    tool = a_tool(name=TOOL, args=StatusArgs, run=_status, summary=TOOL_WORDS)

    async with bench([tool]) as on:

        async def turn() -> str:
            on.audit.entries.clear()
            on.calls.heard.clear()
            question = Question(
                text=QUESTION,
                asker=VIEWER,
                display_name="A Person",
                now=_NOW,
                zone=_ZONE,
                history=[message_from_json(json.loads(row)) for row in rows],
                rights="viewer",
            )
            tools = AgentTools(on.toolbox(VIEWER))
            answer = await agent.answer(question, tools, JournalWithoutDatabase())
            added = [json.dumps(message_to_json(message)) for message in answer.messages]
            if len(added) != 4:
                raise AssertionError(f"a turn of {len(added)} messages")
            return in_english(answer.said)

        try:
            yield turn
        finally:
            await backend.aclose()


def _rows(question: str, answer: str) -> list[str]:
    messages: list[Message] = [UserMessage(text=question, name=VIEWER)]
    messages.append(AssistantMessage(text=answer))
    return [json.dumps(message_to_json(message)) for message in messages]


if __name__ == "__main__":
    play(ours)
