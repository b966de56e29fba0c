"""Plays a transcript: its question goes to the agent, whatever model it has."""

import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from lycatra_appservice.agent.backend import Backend
from lycatra_appservice.agent.loop import Agent, AgentAnswer, Window
from lycatra_appservice.agent.messages import (
    AssistantMessage,
    Message,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from lycatra_appservice.agent.models import Models
from lycatra_appservice.agent.prompt import Briefing, Question
from lycatra_appservice.agent.results import found
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.model import JSON
from lycatra_appservice.toolkit.base import ToolResult
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.words.catalogue import load_catalogue
from tests.transcripts.stand_ins import Beside, Made, as_shipped, asker_of, rehearsed
from tests.transcripts.transcript import Call, Earlier, Transcript

NAME = "Lycatra"
WINDOW = Window(context_tokens=8192)


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What came of a play. `answer` is as people read it, `read` all that the model was told.

    `failed` is what the person read because there was no answer.
    """

    answer: str
    made: Sequence[Made]
    asked_people: Sequence[str]
    read: Sequence[str] = ()
    requests: int = 0
    tokens: int = 0
    seconds: float = 0.0
    failed: str | None = None


@dataclass
class Notebook:
    """A journal of one run."""

    done: dict[str, JSON] = field(default_factory=dict)

    async def step(
        self, name: str, run: Callable[[], Awaitable[JSON]], *, args: JSON = None
    ) -> JSON:
        """See StepsPort; what a step gives is kept as a database would, as JSON."""
        if name not in self.done:
            self.done[name] = json.loads(json.dumps(await run()))
        return self.done[name]


async def play(
    transcript: Transcript,
    backend: Backend,
    window: Window = WINDOW,
    beside: Beside = as_shipped,
) -> Played:
    """Ask the agent the question, with the stand-ins for tools; never raises for a bad answer."""
    question = question_of(transcript)
    agent = Agent(Models.only(backend, window), name=NAME)
    began = time.monotonic()
    async with rehearsed(transcript, beside) as (toolbox, stand_ins):
        answer: AgentAnswer | None = None
        failed = None
        try:
            answer = await agent.answer(question, toolbox, Notebook())
        except LycatraError as error:
            failed = error.user_message
        return Played(
            answer=_words(answer, transcript) if answer else "",
            made=stand_ins.made,
            asked_people=stand_ins.asked_people,
            read=_read(question, answer.messages if answer else ()),
            requests=answer.requests if answer else 0,
            tokens=answer.usage.prompt + answer.usage.completion if answer else 0,
            seconds=time.monotonic() - began,
            failed=failed,
        )


def question_of(transcript: Transcript) -> Question:
    """The question as the chat puts it."""
    only = discover().namespace(transcript.only) if transcript.only else None
    return Question(
        text=transcript.question,
        asker=asker_of(transcript),
        display_name="A Person",
        now=transcript.now,
        zone=transcript.zone,
        room_name=transcript.room,
        history=history_of(transcript),
        rights=transcript.person,
        only_namespace=f"{only.display_name}: {only.summary}" if only else None,
    )


def history_of(transcript: Transcript) -> Sequence[Message]:
    """What was said before."""
    messages: list[Message] = []
    for number, earlier in enumerate(transcript.history):
        messages += _earlier(earlier, f"before{number}")
    return messages


def _earlier(earlier: Earlier, name: str) -> list[Message]:
    if earlier.person is not None:
        return [UserMessage(text=earlier.person, name=earlier.by)]
    if earlier.lycatra is not None:
        return [AssistantMessage(text=earlier.lycatra)]
    calls = [
        ToolCall(id=f"{name}{n}", name=each.call, arguments=json.dumps(each.written()))
        for n, each in enumerate(earlier.calls)
    ]
    results = [
        ToolMessage(call_id=call.id, text=result_text(each))
        for call, each in zip(calls, earlier.calls, strict=True)
    ]
    return [AssistantMessage(text="", calls=calls), *results]


def result_text(call: Call) -> str:
    """What a model reads of a call that gave something."""
    return found(call.call, ToolResult(data=call.result, markdown="", note=call.note))


def _words(answer: AgentAnswer, transcript: Transcript) -> str:
    return load_catalogue().say(answer.said, transcript.language)


def _read(question: Question, messages: Sequence[Message]) -> Sequence[str]:
    briefing = Briefing(question, NAME)
    new = messages[:-1] or [question.message]
    told = [briefing.system, *briefing.laid_out(question.history, new)]
    texts = [message.text for message in told]
    calls = [message.calls for message in told if isinstance(message, AssistantMessage)]
    return [*texts, *(call.arguments for made in calls for call in made)]
