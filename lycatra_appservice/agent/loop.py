"""The agent: asks the model, runs what it calls, and ends with words for the person."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from lycatra_appservice.agent.asking import CONNECTION_LOST, Behalf, Delay, Prompt, Window
from lycatra_appservice.agent.backend import ToolChoice
from lycatra_appservice.agent.calls import CallDesk, Handled
from lycatra_appservice.agent.choice import Purpose, choice_in, choice_to_json, gist
from lycatra_appservice.agent.messages import (
    AssistantMessage,
    Message,
    ModelAnswer,
    SmallerWindow,
    Usage,
    answer_from_json,
    answer_to_json,
    concealed,
    with_note,
)
from lycatra_appservice.agent.models import FallingBack, Models, ModelWish
from lycatra_appservice.agent.offering import Offered, Offering
from lycatra_appservice.agent.ports import (
    HearerPort,
    PursePort,
    SpentError,
    StepsPort,
    ToolboxPort,
)
from lycatra_appservice.agent.prompt import Briefing, Question
from lycatra_appservice.agent.shelves import Shelves
from lycatra_appservice.agent.specs import Specs
from lycatra_appservice.agent.spending import FreePurse, affordable, raw_findings
from lycatra_appservice.agent.trimming import chars_of, intact
from lycatra_appservice.agent.watching import UNWATCHED, AgentObserver, AgentWatch
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


UNHEARD: HearerPort = _Unheard()
_BE_VISIBLE = "Your answer was empty. Answer the person now, in plain words."


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentAnswer:
    """What the agent has to say. `said` is Markdown, never empty, and tells where it was cut.

    `used` are the tools that gave results, by first use. `messages` are what this turn adds to the
    conversation's history: the question first, the answer last. `forgot`: earlier turns did not
    fit into the model's window. `requests` and `usage` count this turn, replayed answers included,
    and tokens only where the server counted them.
    `files` are what the tools gave to be shown with it. `smaller` are the windows of models that
    read less than configured, as far as this turn has found out. `blind`: there were pictures,
    and the model that answered was not shown them.
    """

    said: Said
    used: Sequence[str]
    truncated: bool
    messages: Sequence[Message]
    forgot: bool
    requests: int
    usage: Usage
    files: Sequence[File] = ()
    smaller: Sequence[SmallerWindow] = ()
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
        watch: AgentWatch = UNWATCHED,
    ) -> None:
        """`name` is what the assistant is called; `delay` waits between attempts, in seconds.

        `conceal` takes the secrets of the configuration out of what the model writes: its server
        knows the key, and proxies repeat requests in their answers.
        """
        self._models = models
        self._name = name
        self._delay = delay
        self._conceal = conceal
        self.watch = watch
        self._specs = Specs()

    def can_see(self, wish: ModelWish) -> bool:
        """Whether a picture may be looked at by a model that this wish allows."""
        return self._models.can_see(wish)

    async def answer(
        self,
        question: Question,
        toolbox: ToolboxPort,
        steps: StepsPort,
        wish: ModelWish = _ANY_MODEL,
        hearer: HearerPort = UNHEARD,
        purse: PursePort | None = None,
    ) -> AgentAnswer:
        """Answer, asking the toolbox as often as it takes; `purse` pays for what models do.

        Every model answer and tool result is a step: run again with the same journal, it asks
        nobody anything twice. Raises ModelError with a sentence for the person when the model
        cannot be asked, and whatever the journal raises.
        """
        behalf = Behalf(person=question.asker, hearer=hearer, delay=self._delay, watch=self.watch)
        offering = Offering(Shelves.of(toolbox, self._specs), question.text)
        turn = _Turn(
            Briefing(question, self._name),
            question,
            self._models.asker(wish, behalf),
            CallDesk(toolbox, steps, hearer, offering, self.watch.tracer),
            offering,
            purse or FreePurse(steps),
            self._conceal,
            self.watch.observer,
        )
        return await turn.run()


def step_of_answer(number: int) -> str:
    """The name under which the model's `number`-th answer of a turn is journaled."""
    return f"{number}:model"


class _Turn:
    """One question on its way to its answer."""

    def __init__(
        self,
        briefing: Briefing,
        question: Question,
        asker: FallingBack,
        desk: CallDesk,
        offering: Offering,
        purse: PursePort,
        conceal: Mask,
        observer: AgentObserver,
    ) -> None:
        self._observer = observer
        self._is_replayed = False  # the last answer: then it was counted before
        self._asker = asker
        self._desk = desk
        self._offering = offering
        self._purse = purse
        self._conceal = conceal
        self._briefing = briefing
        self._history = intact(question.history)
        self._new: list[Message] = [question.message]
        self._answers: list[ModelAnswer] = []

    async def run(self) -> AgentAnswer:
        try:
            return await self._run()
        except SpentError as spent:
            found = raw_findings(self._new)
            if not found:
                raise
            return self._ended(Text("tokens_spent_found", why=spent.said, found=found))

    async def _run(self) -> AgentAnswer:
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
            self._count(handled)
            self._new += handled.messages
            if handled.hopeless:
                return self._ended(Text("could_not_call", tool=handled.hopeless))
            if handled.repeating:
                break
        else:
            self._count_stop("requests")
        return self._finished(await self._ask("none", None))

    async def _ask(self, tool_choice: ToolChoice, note: str | None) -> ModelAnswer:
        """The model's next answer. Before it, the model may have to choose what it is offered.


        What it was asked for stands beside its answer in the journal, and only that counts in a
        later run: the window, the tools or the rights may be others by then.
        """
        while True:
            number = len(self._answers) + 1
            self._is_replayed = True
            journaled = await self._purse.step(
                step_of_answer(number), partial(self._request, tool_choice, note)
            )
            answer = answer_from_json(journaled)
            self._answers.append(answer)
            self._asker.go_on_with(answer.backend)
            choice = choice_in(journaled)
            if choice is None:
                return answer
            self._offering.take(choice)

    async def _request(self, tool_choice: ToolChoice, note: str | None) -> JSON:
        self._is_replayed = False
        left = await self._purse.left()
        offered: list[Offered] = []

        def plan(window: Window) -> Prompt:
            may_choose = tool_choice != "none"
            own = chars_of(self._briefing.own)
            offered.append(self._offering.for_window(window.chars, own, may_choose=may_choose))
            return affordable(self._prompt(offered[-1], tool_choice, note), left)

        answer = await self._asker.ask(plan)
        row = answer_to_json(concealed(answer, self._conceal))
        purpose = offered[-1].purpose
        if purpose is Purpose.ANSWER:
            return row
        return {**row, **choice_to_json(self._offering.chosen_in(answer, purpose))}

    def _prompt(self, offered: Offered, tool_choice: ToolChoice, note: str | None) -> Prompt:
        if offered.task is not None:
            messages = [offered.task, *gist([*self._history, self._new[0]])]
            return Prompt(messages=messages, tools=offered.tools, aloud=False)
        briefing = self._briefing
        said = [briefing.system, *briefing.laid_out(self._history, self._new)]
        asked = with_note(said, note) if note else said
        return Prompt(messages=asked, tools=offered.tools, tool_choice=tool_choice)

    def _count(self, handled: Handled) -> None:
        if self._is_replayed:
            return
        for kind in handled.mistakes:
            self._observer.call_mistaken(kind)
        if handled.hopeless:
            self._count_stop("mistakes")
        elif handled.repeating:
            self._count_stop("same_call")

    def _count_stop(self, reason: str) -> None:
        if not self._is_replayed:
            self._observer.agent_stopped(reason)

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
        used = [one for each in self._answers if (one := each.usage) and not one.estimated]
        return AgentAnswer(
            said=cut or answer,
            used=self._desk.used,
            truncated=cut is not None,
            messages=[*self._new, AssistantMessage(text=in_english(answer))],
            forgot=any(each.forgot for each in self._answers),
            requests=len(self._answers),
            files=self._desk.files,
            smaller=[each.smaller for each in self._answers if each.smaller],
            blind=bool(self._answers) and self._answers[-1].blind,
            usage=Usage(
                prompt=sum(each.prompt for each in used),
                completion=sum(each.completion for each in used),
            ),
        )
