"""What an answer rests on: the results of tools, read back from the journal of its turn."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lycatra_appservice.agent.calls import step_of_call
from lycatra_appservice.agent.loop import step_of_answer
from lycatra_appservice.agent.messages import ToolCall, answer_from_json
from lycatra_appservice.agent.results import unwrapped
from lycatra_appservice.model import JSON
from lycatra_appservice.turns.known import KnownStep


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One result as the model read it, with the arguments as it asked.

    `result` is JSON, unless it was so long that its end had to be cut off. What a tool said in
    place of a result, that it failed for example, is one, too.
    """

    tool: str
    arguments: Mapping[str, JSON]
    result: str
    at: datetime


def sources_in(steps: Sequence[KnownStep]) -> Sequence[Source]:
    """The results that a turn's journal holds, in the order in which they were asked for.

    Not those calls that the model made wrongly, and that nobody ran.
    """
    journal = {step.name: step for step in steps}
    found: dict[str, Source] = {}
    number = 1
    while answer := journal.get(step_of_answer(number)):
        for call in answer_from_json(answer.output).calls:
            name = step_of_call(number, call)
            step = journal.get(name)
            if step is not None and step.output["mistake"] is None:
                found[name] = _source(call, step)
        number += 1
    return list(found.values())


def _source(call: ToolCall, step: KnownStep) -> Source:
    arguments = json.loads(call.arguments)  # readable, or nobody would have run it
    return Source(
        tool=call.name,
        arguments=arguments,
        result=unwrapped(step.output["text"]),
        at=step.at,
    )
