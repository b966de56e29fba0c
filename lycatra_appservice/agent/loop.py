"""The agent: asks the model, runs what it calls, and ends with words for the person."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from lycatra_appservice.agent.asking import CONNECTION_LOST, Behalf, Delay, Prompt, Window
from lycatra_appservice.agent.backend import ToolChoice, ToolSpec
from lycatra_appservice.agent.calls import CallDesk
from lycatra_appservice.agent.messages import (
    AssistantMessage,
    Message,
    ModelAnswer,
    Usage,
    answer_from_json,
    answer_to_json,
    concealed,
    with_note,
)
from lycatra_appservice.agent.models import FallingBack, Models, ModelWish
from lycatra_appservice.agent.ports import HearerPort, StepsPort, ToolboxPort
from lycatra_appservice.agent.prompt import Briefing, Question
from lycatra_appservice.agent.trimming import intact
from lycatra_appservice.model import JSON, File
from lycatra_appservice.toolkit.redaction import Mask
from lycatra_appservice.words.catalogue import in_english
from lycatra_appservice.words.text import Said, Text

__all__ = [
    "Agent",
    "AgentAnswer",
    "ModelWish",
    "Models",
    "Question",
    "StepsPort",
    "ToolboxPort",
    "Window",
]

MAX_REQUESTS = 8  # and one more, in which the model must answer

_ANY_MODEL = ModelWish()


class _Unheard:
    """Nobody is shown anything before the answer."""

    def waits(self, ahead: int) -> None:
        """See HearerPort."""

    def asks(self) -> None:
        """See HearerPort."""

    def wrote(self, text: str) -> None:
        """See HearerPort."""

    def calls(self, tools: Sequence[str]) -> None:
        """See HearerPort."""


_UNHEARD: HearerPort = _Unheard()
_BE_VISIBLE = "Your answer was empty. Answer the person now, in plain words."


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentAnswer:
    """What the agent has to say. `said` is Markdown, never empty, and tells where it was cut.

    `used` are the tools that gave results, by first use. `messages` are what this turn adds to the
    conversation's history: the question first, the answer last. `forgot`: earlier turns did not
    fit into the model's window. `requests` and `usage` count this turn, replayed answers included.
    `files` are what the tools gave to be shown with it. `blind`: there were pictures, and the
    model that answered was not shown them.
    """

    said: Said
    used: Sequence[str]
    truncated: bool
    messages: Sequence[Message]
    forgot: bool
    requests: int
    usage: Usage
    files: Sequence[File] = ()
    blind: bool = False


class Agent:
    """Answers questions with the models there are. Holds nothing of any conversation."""

    def __init__(
        self,
        models: Models,
        *,
        name: str = "Lycatra",
        delay: Delay = asyncio.sleep,
        conceal: Mask = str,
    ) -> None:
        """`name` is what the assistant is called; `delay` waits between attempts, in seconds.

        `conceal` takes the secrets of the configuration out of what the model writes: its server
        knows the key, and proxies repeat requests in their answers.
        """
        self._models = models
        self._name = name
        self._delay = delay
        self._conceal = conceal

    def can_see(self, wish: ModelWish) -> bool:
        """Whether a picture may be looked at by a model that this wish allows."""
        return self._models.can_see(wish)

    async def answer(
        self,
        question: Question,
        toolbox: ToolboxPort,
        steps: StepsPort,
        wish: ModelWish = _ANY_MODEL,
        hearer: HearerPort = _UNHEARD,
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
        behalf = Behalf(person=question.asker, hearer=hearer, delay=self._delay)
        asker = self._models.asker(wish, behalf)
        briefing = Briefing(question, self._name)
        desk = CallDesk(toolbox, steps, hearer)
        return await _Turn(briefing, question, tools, asker, desk, steps, self._conceal).run()


def step_of_answer(number: int) -> str:
    """The name under which the model's `number`-th answer of a turn is journaled."""
    return f"{number}:model"


class _Turn:
    """One question on its way to its answer."""

    def __init__(
        self,
        briefing: Briefing,
        question: Question,
        tools: Sequence[ToolSpec],
        asker: FallingBack,
        desk: CallDesk,
        steps: StepsPort,
        conceal: Mask,
    ) -> None:
        self._tools = tools
        self._asker = asker
        self._desk = desk
        self._steps = steps
        self._conceal = conceal
        self._briefing = briefing
        self._history = intact(question.history)
        self._new: list[Message] = [question.message]
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
                return self._ended(Text("could_not_call", tool=handled.hopeless))
            if handled.repeating:
                break
        return self._finished(await self._ask("none", None))

    async def _ask(self, tool_choice: ToolChoice, note: str | None) -> ModelAnswer:
        briefing = self._briefing
        messages = [briefing.system, *briefing.laid_out(self._history, self._new)]

        async def run() -> JSON:
            asked = with_note(messages, note) if note else messages
            prompt = Prompt(messages=asked, tools=self._tools, tool_choice=tool_choice)
            answer = await self._asker.ask(prompt)
            return answer_to_json(concealed(answer, self._conceal))

        journaled = await self._steps.step(step_of_answer(len(self._answers) + 1), run)
        self._answers.append(answer_from_json(journaled))
        return self._answers[-1]

    def _finished(self, said: ModelAnswer) -> AgentAnswer:
        if not said.text:
            withheld = said.finish == "content_filter"
            return self._ended(Text("withheld") if withheld else Text("nothing_said"))
        if not said.truncated:
            return self._ended(said.text)
        if said.finish == CONNECTION_LOST:
            return self._ended(said.text, Text("connection_lost", said=said.text))
        return self._ended(said.text, Text("cut_off", said=said.text))

    def _ended(self, answer: Said, cut: Text | None = None) -> AgentAnswer:
        """`cut` is what the person reads of an answer that has no end."""
        used = [each.usage for each in self._answers if each.usage]
        return AgentAnswer(
            said=cut or answer,
            used=self._desk.used,
            truncated=cut is not None,
            messages=[*self._new, AssistantMessage(text=in_english(answer))],
            forgot=self._asker.forgot,
            requests=len(self._answers),
            files=self._desk.files,
            blind=bool(self._answers) and self._answers[-1].blind,
            usage=Usage(
                prompt=sum(each.prompt for each in used),
                completion=sum(each.completion for each in used),
            ),
        )
