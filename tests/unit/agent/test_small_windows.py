"""What a model is offered whose window does not hold all tools, and how it comes to more."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from lycatra_appservice.agent.asking import Window
from lycatra_appservice.agent.chat_completions import ChatCompletionsBackend
from lycatra_appservice.agent.loop import Agent, AgentAnswer, Models
from lycatra_appservice.agent.messages import (
    AssistantMessage,
    Attached,
    AttachedKind,
    Message,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from lycatra_appservice.agent.models import OfferedModel
from lycatra_appservice.agent.offering import MAX_WIDENINGS
from lycatra_appservice.agent.silent_cut import CutWatch
from lycatra_appservice.errors import NotAllowedError
from lycatra_appservice.model import JSON
from tests.support.model_server import (
    Asked,
    ModelServer,
    Reply,
    calls,
    model_server,
    refuses,
    says,
)
from tests.unit.agent.conftest import OpenBackend
from tests.unit.agent.support import ASKER, Journal, ManyTools, question

TOKENS = 4096
SMALL = Window(context_tokens=TOKENS)
CHARS_A_TOKEN = 3.5
TALK: list[Message] = [UserMessage(text="hello"), AssistantMessage(text="Hello.")]
CHOOSER = "choose_namespaces"
UPDATES = calls((CHOOSER, '{"names": ["updates"]}'))
FORGE = calls((CHOOSER, '{"names": ["forge"]}'))


async def found(_: Mapping[str, JSON]) -> JSON:
    return "found"


class Hearing:
    def __init__(self) -> None:
        self.text = ""
        self.tools: list[Sequence[str]] = []

    def waits(self, ahead: int) -> None: ...

    def asks(self) -> None: ...

    def wrote(self, text: str) -> None:
        self.text += text

    def calls(self, tools: Sequence[str]) -> None:
        self.tools.append(tools)


@pytest.fixture
def agent(backend: ChatCompletionsBackend) -> Agent:
    return Agent(Models.only(backend, SMALL))


@pytest.fixture
def toolbox() -> ManyTools:
    names = ["list_updates", "get_service_status", *(f"do_thing_{n}" for n in range(30))]
    return ManyTools(dict.fromkeys(names, found))


async def ask(
    agent: Agent,
    toolbox: ManyTools,
    journal: Journal | None = None,
    *,
    text: str = "What changed?",
    history: Sequence[Message] = (),
) -> AgentAnswer:
    async with asyncio.timeout(10):
        asked = question(text, history=history)
        return await agent.answer(asked, toolbox, journal or Journal())


def offered_in(asked: Asked) -> list[str]:
    return [each["function"]["name"] for each in asked.body.get("tools", ())]


def fixed_tokens(asked: Asked) -> float:
    rules = asked.messages[0]["content"] + asked.context
    return len(rules + json.dumps(asked.body.get("tools", []))) / CHARS_A_TOKEN


async def test_a_window_that_holds_all_is_offered_all_at_once(
    server: ModelServer, backend: ChatCompletionsBackend, toolbox: ManyTools
) -> None:
    server.will(says("Nothing."))
    await ask(Agent(Models.only(backend, Window(context_tokens=100_000))), toolbox)
    assert len(offered_in(server.asked[0])) == 32


async def test_namespaces_are_chosen_and_only_their_tools_are_sent(
    server: ModelServer, agent: Agent, toolbox: ManyTools
) -> None:
    server.will(UPDATES, calls(("list_updates", "{}")), says("Version 2.3."))
    answer = await ask(agent, toolbox)
    assert (answer.said, answer.used) == ("Version 2.3.", ("list_updates",))
    assert [offered_in(each) for each in server.asked] == [
        [CHOOSER],
        [CHOOSER, "list_updates"],
        [CHOOSER, "list_updates"],
    ]
    # The conversation remembers nothing of it.
    assert [type(each) for each in answer.messages] == [
        UserMessage,
        AssistantMessage,
        ToolMessage,
        AssistantMessage,
    ]
    for each in server.asked:
        assert fixed_tokens(each) <= 0.3 * TOKENS


@pytest.mark.parametrize(
    ("choosing", "chosen"),
    [
        (calls((CHOOSER, '{"namespaces": "updates, services"}')), {"updates", "services"}),
        (calls((CHOOSER, '["Updates"]')), {"updates"}),
        (calls((CHOOSER, '{"names": ["updates"')), {"updates"}),
        (calls(("choose_tools", '{"names": ["list_updates"]}')), {"updates"}),
        (calls(("list_updates", '{"limit": 3}')), {"updates"}),
        (says("I would need the **updates** namespace for that."), {"updates"}),
        (says('{"name": "choose_namespaces", "arguments": {"names": ["updates"]}}'), {"updates"}),
        (calls((CHOOSER, '{"names": ["news"]}')), {"updates"}),  # by the words of the question
        (says("Of course! Let me look."), {"updates"}),
        (says(""), {"updates"}),
        (calls((CHOOSER, '{"names": []}')), set()),
        (calls((CHOOSER, "{}")), set()),
    ],
)
async def test_a_model_may_choose_in_whatever_form(
    server: ModelServer, agent: Agent, toolbox: ManyTools, choosing: Any, chosen: set[str]
) -> None:
    server.will(choosing, says("Done."))
    answer = await ask(agent, toolbox, text="Which versions were released and deployed?")
    assert answer.said == "Done."
    tools = {"updates": "list_updates", "services": "get_service_status"}
    assert set(offered_in(server.asked[1])) == {CHOOSER, *(tools[each] for each in chosen)}
    assert toolbox.called == []


async def test_of_a_namespace_that_is_too_large_tools_are_chosen(
    server: ModelServer, agent: Agent, toolbox: ManyTools
) -> None:
    tools = calls(("choose_tools", '{"names": ["do_thing_7", "do_thing_21"]}'))
    server.will(FORGE, tools, calls(("do_thing_21", "{}")), says("Done."))
    answer = await ask(agent, toolbox)
    assert (answer.said, answer.used) == ("Done.", ("do_thing_21",))
    assert offered_in(server.asked[1]) == ["choose_tools"]
    listed = server.asked[1].messages[0]["content"]
    assert "- do_thing_7: Does thing 7" in listed
    assert "list_updates" not in listed
    assert set(offered_in(server.asked[2])) == {CHOOSER, "do_thing_7", "do_thing_21"}
    for each in server.asked:
        assert fixed_tokens(each) <= 0.3 * TOKENS


async def test_a_model_that_chooses_nothing_of_a_large_namespace_gets_what_fits(
    server: ModelServer, agent: Agent, toolbox: ManyTools
) -> None:
    server.will(FORGE, says("Hm."), says("Done."))
    await ask(agent, toolbox, text="Do thing 12, please")
    offered = offered_in(server.asked[2])
    assert len(offered) > 3
    assert fixed_tokens(server.asked[2]) <= 0.3 * TOKENS


async def test_a_tool_that_was_not_offered_runs_all_the_same_and_is_offered_then(
    server: ModelServer, agent: Agent, toolbox: ManyTools
) -> None:
    server.will(UPDATES, calls(("do_thing_3", '{"argument_1": "x"}')), says("Done."))
    answer = await ask(agent, toolbox)
    assert answer.used == ("do_thing_3",)
    assert toolbox.called == [("do_thing_3", {"argument_1": "x"})]
    assert "do_thing_3" in offered_in(server.asked[2])


async def test_the_gate_decides_about_what_was_not_offered(
    server: ModelServer, agent: Agent, toolbox: ManyTools
) -> None:
    async def refuse(_: Mapping[str, JSON]) -> JSON:
        raise NotAllowedError("You need operator.")

    toolbox.handlers["do_thing_3"] = refuse
    server.will(UPDATES, calls(("do_thing_3", "{}"), ("do_thing_99", "{}")), says("I may not."))
    answer = await ask(agent, toolbox)
    assert (answer.said, answer.used) == ("I may not.", ())
    read = [each["content"] for each in server.asked[2].messages if each["role"] == "tool"]
    assert "You need operator." in read[0]
    assert "don't know a tool called `do_thing_99`" in read[1]
    assert read[1].count("do_thing_") < 30  # of many names only the nearest


async def test_more_can_be_asked_for_in_the_midst_of_a_turn(
    server: ModelServer, agent: Agent, toolbox: ManyTools
) -> None:
    services = calls((CHOOSER, '{"names": ["services"]}'))
    look = calls(("get_service_status", "{}"))
    server.will(UPDATES, calls(("list_updates", "{}")), services, look, says("All is well."))
    answer = await ask(agent, toolbox)
    assert (answer.said, answer.used) == ("All is well.", ("list_updates", "get_service_status"))
    assert offered_in(server.asked[3]) == [CHOOSER, "get_service_status", "list_updates"]
    told = server.asked[3].messages[-1]["content"]
    assert "You are offered tools of services from now on." in told


async def test_what_is_asked_for_may_have_to_be_chosen_from_too(
    server: ModelServer, agent: Agent, toolbox: ManyTools
) -> None:
    tool = calls(("choose_tools", '{"names": ["do_thing_5"]}'))
    server.will(UPDATES, FORGE, tool, calls(("do_thing_5", "{}")), says("Done."))
    answer = await ask(agent, toolbox)
    assert answer.used == ("do_thing_5",)
    assert offered_in(server.asked[2]) == ["choose_tools"]
    assert {"do_thing_5", "list_updates"} <= set(offered_in(server.asked[3]))


async def test_a_model_that_chooses_for_ever_is_stopped(
    server: ModelServer, agent: Agent, toolbox: ManyTools
) -> None:
    groups = ["updates", "services", "forge"]

    def wish(number: int) -> Reply:
        names = groups[: 1 + number % 3]
        return calls((CHOOSER, json.dumps({"names": names, "n": number})))

    server.will(*map(wish, range(8 + MAX_WIDENINGS)), says("Enough."))
    answer = await ask(agent, toolbox)
    assert (answer.said, answer.requests) == ("Enough.", 8 + MAX_WIDENINGS + 1)
    assert server.asked[-1].body["tool_choice"] == "none"
    assert "No further tools can be offered" in str(server.asked[-1].messages)
    assert CHOOSER not in offered_in(server.asked[-1])


async def test_a_choice_is_not_made_again_when_the_turn_is_resumed(
    server: ModelServer, backend: ChatCompletionsBackend, agent: Agent, toolbox: ManyTools
) -> None:
    journal = Journal()
    services = calls((CHOOSER, '{"names": ["services"]}'))
    server.will(UPDATES, services, refuses(401, {"message": "no"}))
    with pytest.raises(Exception, match="401"):
        await ask(agent, toolbox, journal)
    stored = json.loads(json.dumps(journal.done))
    assert stored["1:model"]["namespaces"] == ["updates"]

    again = Journal(done=json.loads(json.dumps(stored)))
    server.will(says("Done."))
    await ask(agent, toolbox, again)
    assert again.ran == ["3:model"]
    assert server.asked[3].body == server.asked[2].body

    # Nor where nothing would have to be chosen any more.
    roomy = Journal(done=stored)
    server.will(says("Done."))
    answer = await ask(Agent(Models.only(backend, Window(context_tokens=100_000))), toolbox, roomy)
    assert (answer.said, roomy.ran) == ("Done.", ["3:model"])


async def test_nobody_is_shown_how_a_model_chooses(
    server: ModelServer, agent: Agent, toolbox: ManyTools
) -> None:
    hearing = Hearing()
    services = calls((CHOOSER, '{"names": ["services"]}'))
    server.will(says("I choose updates."), services, says("Version 2.3."))
    await agent.answer(question(), toolbox, Journal(), hearer=hearing)
    assert (hearing.text, hearing.tools) == ("Version 2.3.", [])


async def test_what_is_only_sorted_is_sent_in_few_words(
    server: ModelServer, agent: Agent, toolbox: ManyTools
) -> None:
    call = ToolCall(id="a", name="list_updates", arguments="{}")
    history: list[Message] = [
        UserMessage(text="And the shop? " + "x" * 3000, name=ASKER),
        AssistantMessage(text="", calls=(call,)),
        ToolMessage(call_id="a", text="y" * 3000),
        AssistantMessage(text="The shop is at 2.3."),
    ]
    server.will(UPDATES, says("Done."))
    await ask(agent, toolbox, history=history)
    sorted_by = server.asked[0].messages
    assert [each["role"] for each in sorted_by] == ["system", "user", "assistant", "user"]
    assert sum(len(each["content"]) for each in sorted_by[1:]) < 400
    assert "And the shop?" in sorted_by[1]["content"]


@pytest.mark.parametrize("text", ["What does it mean?", ""])
async def test_who_chooses_reads_what_the_question_quotes_in_short(
    server: ModelServer, agent: Agent, toolbox: ManyTools, text: str
) -> None:
    quote = Attached(
        kind=AttachedKind.QUOTE, name="@other:example.org", text="A new release. " * 300
    )
    picture = Attached(kind=AttachedKind.IMAGE, name="a.png", image="data:image/png;base64,QUJD")
    asked = replace(question(text, history=TALK), attached=[quote, picture])
    server.will(UPDATES, says("Version 2.3 is out."))

    await agent.answer(asked, toolbox, Journal())

    last = server.asked[0].messages[-1]
    assert last["role"] == "user"
    assert last["content"].startswith('<quoted by="@other:example.org">\nA new release.')
    assert last["content"].endswith(text)
    assert len(last["content"]) < 1300
    assert "QUJD" not in str(server.asked[0].body)


async def test_a_smaller_model_that_takes_over_chooses_for_itself(
    server: ModelServer, backend_with: OpenBackend, toolbox: ManyTools
) -> None:
    def offered(name: str, backend: ChatCompletionsBackend, tokens: int) -> OfferedModel:
        window = Window(context_tokens=tokens)
        return OfferedModel(name=name, backend=backend, window=window, watch=CutWatch(name))

    async with model_server() as smaller:
        backends = [backend_with(), backend_with(base_url=smaller.base_url)]
        line = [offered("large", backends[0], 100_000), offered("small", backends[1], TOKENS)]
        server.will(refuses(401, {"message": "no"}))
        smaller.will(UPDATES, says("Done."))
        journal = Journal()
        answer = await ask(Agent(Models(line)), toolbox, journal)
        assert answer.said == "Done."
        assert len(offered_in(server.asked[0])) == 32
        assert [offered_in(each) for each in smaller.asked] == [
            [CHOOSER],
            [CHOOSER, "list_updates"],
        ]
