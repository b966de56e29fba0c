"""What becomes of an answer when the tokens run out on the way to it."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from math import inf
from typing import Final

from lycatra_appservice.agent.asking import Prompt
from lycatra_appservice.agent.messages import (
    AssistantMessage,
    Message,
    ToolCall,
    ToolMessage,
    with_note,
)
from lycatra_appservice.agent.ports import StepsPort
from lycatra_appservice.agent.results import unwrapped
from lycatra_appservice.model import JSON
from lycatra_appservice.words.text import Said, Text

_LAST_WORD: Final = "No more calls are possible. Answer the person now, from the results above."
_FENCE: Final = "```"


class FreePurse:
    """Nobody counts; see PursePort."""

    def __init__(self, steps: StepsPort) -> None:
        self._steps = steps

    async def left(self) -> float:
        """As much as one likes."""
        return inf

    async def step(self, name: str, run: Callable[[], Awaitable[JSON]]) -> JSON:
        """See PursePort."""
        return await self._steps.step(name, run)


def affordable(prompt: Prompt, left: float) -> Prompt:
    """The prompt; one that takes all that is left comes without a choice but to answer.

    Not before a tool has given anything: without facts an answer would be made up, and what is
    spent too much is the same one request.
    """
    is_last = prompt.tokens >= left and isinstance(prompt.messages[-1], ToolMessage)
    if not is_last:
        return prompt
    return replace(prompt, messages=with_note(prompt.messages, _LAST_WORD), tool_choice="none")


def raw_findings(messages: Sequence[Message]) -> Sequence[Said]:
    """What the tools of a turn have given, as they gave it: nothing that was found is lost."""
    calls: dict[str, ToolCall] = {}
    found: list[Said] = []
    for message in messages:
        if isinstance(message, AssistantMessage):
            calls |= {call.id: call for call in message.calls}
        if isinstance(message, ToolMessage) and message.call_id in calls:
            result = _result(unwrapped(message.text))
            if result is not None:
                name = calls[message.call_id].name
                found.append(Text("found_raw", tool=name, result=result))
    return found


def _result(text: str) -> str | None:
    """A result as a block of code; None for an error, which is of no use to the person."""
    try:
        facts = json.loads(text)
    except ValueError:
        # It was cut. A fence inside of it may not end the block.
        return f"{_FENCE}json\n{text.replace(_FENCE, '` ` `')}\n{_FENCE}"
    if not isinstance(facts, dict) or "data" not in facts:
        return None
    lines = json.dumps(facts["data"], ensure_ascii=False, indent=2)
    return f"{_FENCE}json\n{lines}\n{_FENCE}"
