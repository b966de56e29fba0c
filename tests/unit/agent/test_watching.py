"""What is counted of the agent's work: each thing once, however often its turn is run."""

from dataclasses import dataclass, field

import pytest

from lycatra_appservice.agent.asking import Window
from lycatra_appservice.agent.chat_completions import ChatCompletionsBackend
from lycatra_appservice.agent.loop import Agent
from lycatra_appservice.agent.messages import AssistantMessage, Message, UserMessage
from lycatra_appservice.agent.models import Models
from lycatra_appservice.agent.watching import AgentWatch
from lycatra_appservice.errors import InvalidArgumentsError, ModelError
from lycatra_appservice.model import JSON
from tests.support.model_server import ModelServer, calls, refuses, says
from tests.unit.agent.support import Journal, Toolbox, question


@dataclass
class Figures:
    heard: list[tuple[str, str]] = field(default_factory=list)

    def agent_invoked(self, seconds: float, error: str) -> None:
        self.heard.append(("invoked", error))

    def call_mistaken(self, kind: str) -> None:
        self.heard.append(("mistaken", kind))

    def agent_stopped(self, reason: str) -> None:
        self.heard.append(("stopped", reason))

    def prompt_trimmed(self, what: str) -> None:
        self.heard.append(("trimmed", what))


@pytest.fixture
def figures() -> Figures:
    return Figures()


@pytest.fixture
def agent(backend: ChatCompletionsBackend, figures: Figures) -> Agent:
    models = Models.only(backend, Window(context_tokens=8192))
    return Agent(models, watch=AgentWatch(figures))


async def picky(args: object) -> JSON:
    raise InvalidArgumentsError("`limit` is missing.")


async def found(args: object) -> JSON:
    return {"found": 1}


async def test_repairs_are_counted_by_kind_and_not_again_when_the_turn_is_resumed(
    server: ModelServer, agent: Agent, figures: Figures
) -> None:
    toolbox, journal = Toolbox({"list_updates": picky}), Journal()
    server.will(calls(("list_updates", "{}"), ("make_tea", "{}")), says("No idea."))
    await agent.answer(question(), toolbox, journal)
    expected = [("mistaken", "arguments"), ("mistaken", "unknown_tool")]
    assert figures.heard == expected
    await agent.answer(question(), toolbox, journal)
    assert figures.heard == expected


async def test_a_model_that_goes_in_circles_is_counted_as_stopped(
    server: ModelServer, agent: Agent, figures: Figures
) -> None:
    same = calls(("list_updates", "{}"))
    server.will(same, same, same, says("Enough."))
    await agent.answer(question(), Toolbox({"list_updates": found}), Journal())
    assert figures.heard == [("stopped", "same_call")]


async def test_a_model_that_cannot_call_rightly_is_counted_as_stopped(
    server: ModelServer, agent: Agent, figures: Figures
) -> None:
    server.will(*[calls(("list_updates", f'{{"n": {n}}}')) for n in range(3)])
    await agent.answer(question(), Toolbox({"list_updates": picky}), Journal())
    assert figures.heard == [("mistaken", "arguments")] * 3 + [("stopped", "mistakes")]


async def test_a_model_that_calls_for_ever_is_counted_as_stopped(
    server: ModelServer, agent: Agent, figures: Figures
) -> None:
    many = [calls(("list_updates", f'{{"n": {n}}}')) for n in range(8)]
    server.will(*many, says("Enough."))
    await agent.answer(question(), Toolbox({"list_updates": found}), Journal())
    assert figures.heard == [("stopped", "requests")]


async def test_a_prompt_that_is_too_long_is_counted(
    server: ModelServer, agent: Agent, figures: Figures
) -> None:
    history: list[Message] = []
    for _ in range(40):
        history += [UserMessage(text="x" * 900), AssistantMessage(text="y" * 900)]
    server.will(says("Yes."))
    await agent.answer(question(history=history), Toolbox(), Journal())
    assert figures.heard == [("trimmed", "turns")]


async def test_an_invocation_tells_how_it_ended(
    server: ModelServer, agent: Agent, figures: Figures
) -> None:
    server.will(says("Yes."), refuses(401))
    with agent.watch.invocation("$1", "!room"):
        await agent.answer(question(), Toolbox(), Journal())
    with pytest.raises(ModelError), agent.watch.invocation("$2", "!room"):
        await agent.answer(question(), Toolbox(), Journal())
    assert figures.heard == [("invoked", ""), ("invoked", "refused")]
