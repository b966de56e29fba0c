"""What the stand-in model does with one request: call a tool, or answer from its results; pure."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from lycatra_appservice.agent.prompt import without_context
from lycatra_appservice.demo.offline_choosing import choice, without_choosers
from lycatra_appservice.demo.offline_prose import decoded, failure_in, introduce, tell
from lycatra_appservice.demo.offline_rules import (
    Offered,
    ToolCall,
    choose_call,
    fill_arguments,
    read_tools,
)
from lycatra_appservice.model import JSON

_WRITER: Final = re.compile(r"@[^\s:]+:\S+: ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Either some text, or one call with its id."""

    text: str = ""
    call: ToolCall | None = None
    call_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """A call of this turn, and what came back as text."""

    call: ToolCall
    result: str


def answer(request: Mapping[str, JSON], today: date) -> Answer:
    """The next step for a chat.completions request; looks only at what the last person said."""
    messages = [entry for entry in request["messages"] if isinstance(entry, dict)]
    question, later = _split(messages)
    wanted = request.get("tool_choice")
    tools = [] if wanted == "none" else read_tools(request.get("tools"))
    chosen = choice(question, tools, messages)
    if chosen is not None:
        return _calling(chosen, len(messages))
    tools = without_choosers(tools)
    done = _calls_done(later)
    if not done:
        return _first_step(question, tools, wanted, today)
    last = done[-1]
    if len(done) == 1 and last.call.arguments and _failed(last.result) and tools:
        # A name that the tool does not know, most likely: its whole answer still helps.
        return _calling(ToolCall(name=last.call.name, arguments={}), len(messages))
    return Answer(text=tell(last.call.name, last.result, last.call.arguments))


def _first_step(question: str, tools: Sequence[Offered], demanded: JSON, today: date) -> Answer:
    wanted = demanded.get("function", {}).get("name") if isinstance(demanded, dict) else None
    for tool in tools:
        if tool.name == wanted:
            arguments = fill_arguments(question, tool, today)
            return _calling(ToolCall(name=tool.name, arguments=arguments), 0)
    call = choose_call(question, tools, today)
    if call is not None:
        return _calling(call, 0)
    return Answer(text=introduce([tool.name for tool in tools]))


def _calling(call: ToolCall, position: int) -> Answer:
    return Answer(call=call, call_id=f"call_{call.name}_{position}")


def _split(messages: Sequence[Mapping[str, JSON]]) -> tuple[str, Sequence[Mapping[str, JSON]]]:
    """The last question, and what has happened since."""
    for index in range(len(messages) - 1, -1, -1):
        if messages[index].get("role") == "user":
            return _words(_text(messages[index].get("content"))), messages[index + 1 :]
    return "", messages


def _words(said: str) -> str:
    """What the person said: who wrote it, and when and where it was asked, means no tool."""
    return _WRITER.sub("", without_context(said), count=1)


def _calls_done(messages: Sequence[Mapping[str, JSON]]) -> list[_Done]:
    calls: dict[str, ToolCall] = {}
    done: list[_Done] = []
    for message in messages:
        for entry in message.get("tool_calls") or ():
            function = entry["function"]
            calls[entry["id"]] = ToolCall(
                name=function["name"], arguments=_arguments(function.get("arguments"))
            )
        if message.get("role") == "tool":
            name = str(message.get("name") or "the tool")
            call = calls.get(str(message.get("tool_call_id")), ToolCall(name=name, arguments={}))
            done.append(_Done(call=call, result=_text(message.get("content"))))
    return done


def _arguments(text: JSON) -> Mapping[str, JSON]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _failed(result: str) -> bool:
    return failure_in(decoded(result)) is not None


def _text(content: JSON) -> str:
    """A message's words, whether plain or in parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(str(part.get("text", "")) for part in parts if isinstance(part, dict))
