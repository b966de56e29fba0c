"""The agent: asks the model, runs what it calls, and ends with words for the person."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from lycatra_appservice.agent.asking import CONNECTION_LOST, Asker, Delay, Window
from lycatra_appservice.agent.backend import Backend, ToolChoice, ToolSpec
from lycatra_appservice.agent.calls import CallDesk
from lycatra_appservice.agent.messages import (
    AssistantMessage,
    Message,
    ModelAnswer,
    SystemMessage,
    Usage,
    UserMessage,
    answer_from_json,
    answer_to_json,
    with_note,
)
from lycatra_appservice.agent.ports import StepsPort, ToolboxPort
from lycatra_appservice.agent.prompt import Question, system_message, with_speakers
from lycatra_appservice.agent.trimming import intact
from lycatra_appservice.model import JSON

__all__ = ["Agent", "AgentAnswer", "Question", "StepsPort", "ToolboxPort", "Window"]

MAX_REQUESTS = 8  # and one more, in which the model must answer

_BE_VISIBLE = "Your answer was empty. Answer the person now, in plain words."
_NOTHING_SAID = (
    "I am sorry, the language model gave me no answer to this. "
    "Please put the question in other words."
)
_WITHHELD = "The language model's provider does not let it answer this."
_CUT_OFF = "\n\n*(My answer was cut off here. Ask me to go on.)*"
_LOST = "\n\n*(I lost the connection to the language model here. Please ask again.)*"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentAnswer:
    """What the agent has to say. `text` is Markdown, never empty, and says where it was cut.

    `used` are the tools that gave results, by first use. `messages` are what this turn adds to the
    conversation's history: the question first, the answer last. `forgot`: earlier turns did not
    fit into the model's window. `requests` and `usage` count this turn, replayed answers included.
    """

    text: str
    used: Sequence[str]
    truncated: bool
    messages: Sequence[Message]
    forgot: bool
    requests: int
    usage: Usage


class Agent:
    """Answers questions with one model. Holds nothing of any conversation."""

    def __init__(
        self,
        backend: Backend,
        window: Window,
        *,
        name: str = "Lycatra",
        delay: Delay = asyncio.sleep,
    ) -> None:
        """`name` is what the assistant is called; `delay` waits between attempts, in seconds."""
        self._backend = backend
        self._window = window
        self._name = name
        self._delay = delay

    async def answer(
        self, question: Question, toolbox: ToolboxPort, steps: StepsPort
    ) -> AgentAnswer:
        """Answer, asking the toolbox as often as it takes.

        Every model answer and tool result is a step: run again with the same journal, it asks
        nobody anything twice. Raises ModelError with a sentence for the person when the model
        cannot be asked, and whatever the journal raises.
        """
        tools = [
            ToolSpec(name=tool.name, description=tool.summary, schema=tool.schema())
            for tool in toolbox.tools()
        ]
        asker = Asker(self._backend, self._window, tools, self._delay)
        system = system_message(question, self._name)
        return await _Turn(system, question, asker, CallDesk(toolbox, steps), steps).run()


class _Turn:
    """One question on its way to its answer."""

    def __init__(
        self,
        system: SystemMessage,
        question: Question,
        asker: Asker,
        desk: CallDesk,
        steps: StepsPort,
    ) -> None:
        self._asker = asker
        self._desk = desk
        self._steps = steps
        self._system = system
        self._history = intact(question.history)
        self._new: list[Message] = [UserMessage(text=question.text, name=question.asker)]
        self._answers: list[ModelAnswer] = []

    async def run(self) -> AgentAnswer:
        nudged = False
        note: str | None = None
        for _ in range(MAX_REQUESTS):
            said = await self._ask("auto", note)
            if not said.calls:
                if said.text or nudged or said.finish == "content_filter":
                    return self._finished(said)
                nudged, note = True, _BE_VISIBLE
                continue
            note = None
            self._new.append(AssistantMessage(text=said.text, calls=said.calls))
            handled = await self._desk.handle(len(self._answers), said)
            self._new += handled.messages
            if handled.hopeless:
                return self._ended(_could_not_call(handled.hopeless))
            if handled.repeating:
                break
        return self._finished(await self._ask("none", None))

    async def _ask(self, tool_choice: ToolChoice, note: str | None) -> ModelAnswer:
        messages = [self._system, *with_speakers([*self._history, *self._new])]

        async def run() -> JSON:
            asked = with_note(messages, note) if note else messages
            return answer_to_json(await self._asker.ask(asked, tool_choice))

        journaled = await self._steps.step(f"{len(self._answers) + 1}:model", run)
        self._answers.append(answer_from_json(journaled))
        return self._answers[-1]

    def _finished(self, said: ModelAnswer) -> AgentAnswer:
        if not said.text:
            return self._ended(_WITHHELD if said.finish == "content_filter" else _NOTHING_SAID)
        mark = ""
        if said.truncated:
            mark = _LOST if said.finish == CONNECTION_LOST else _CUT_OFF
        return self._ended(said.text, mark=mark)

    def _ended(self, text: str, *, mark: str = "") -> AgentAnswer:
        used = [answer.usage for answer in self._answers if answer.usage]
        return AgentAnswer(
            text=text + mark,
            used=self._desk.used,
            truncated=bool(mark),
            messages=[*self._new, AssistantMessage(text=text)],
            forgot=self._asker.forgot,
            requests=len(self._answers),
            usage=Usage(
                prompt=sum(each.prompt for each in used),
                completion=sum(each.completion for each in used),
            ),
        )


def _could_not_call(tool_name: str) -> str:
    return (
        f"I tried to look this up with `{tool_name}`, but could not work out how to ask it. "
        "Please put the question in other words, or use `!help` to see the commands."
    )
