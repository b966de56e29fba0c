"""No model answers: each room is told once, and plain questions are answered with plain facts."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from lycatra_appservice.errors import InvalidArgumentsError, ToolFailedError
from lycatra_appservice.model import RoomID
from lycatra_appservice.settings import NamedModel, Permission
from lycatra_appservice.toolkit.base import Audience, Field, ToolArgs, ToolContext, ToolResult
from lycatra_appservice.toolkit.registry import AnyTool
from tests.support.approving import LISTS, OPERATOR, Services, card_id, card_now, seat_people
from tests.support.model_server import (
    ModelServer,
    Reply,
    calls,
    delta,
    model_server,
    refuses,
    refuses_plainly,
    says,
    writes,
)
from tests.support.scene import (
    EVERYBODY,
    MAIN,
    PERSON,
    SERVICES,
    TOOLS,
    UPDATES,
    NoArgs,
    Scene,
    open_scene,
)
from tests.support.toolbench import a_tool
from tests.support.turns import turn_states
from tests.unit.chat.revising import reaction

AWAY = refuses(401, {"message": "sk-secret is wrong"})  # told at once, and no matter of a breaker
QUESTION = "lycatra: please write a poem"
FULL, SHORT = "Without it you can use", "Still no answer"
OTHER_ROOM = RoomID("!another")


class OneArgs(ToolArgs):
    service: str | None = Field(default=None, max_length=60, description="Which service.")


async def show_one(args: OneArgs, ctx: ToolContext) -> ToolResult:
    if args.service not in (None, "web"):
        raise InvalidArgumentsError("No such service.")
    return ToolResult(data={}, markdown=f"{args.service or 'all'} well")


async def show_salary(args: NoArgs, ctx: ToolContext) -> ToolResult:
    return ToolResult(data={}, markdown="canary-salary")


async def show_debts(args: NoArgs, ctx: ToolContext) -> ToolResult:
    raise ToolFailedError("canary-debts")


OWN: Mapping[str, Sequence[AnyTool]] = {
    **TOOLS,
    "services": [
        *TOOLS["services"],
        a_tool(name="get_service_health", run=show_one, args=OneArgs),
        a_tool(name="show_salary", run=show_salary, args=NoArgs, audience=Audience.ASKER),
        a_tool(name="show_debts", run=show_debts, args=NoArgs, audience=Audience.ASKER),
        a_tool(name="list_orders", args=NoArgs),
        a_tool(name="find_orders", args=NoArgs),
    ],
}


@pytest.fixture
async def asking(tmp_path: Path, model: ModelServer) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path, model_url=model.base_url, tools=OWN) as opened:
        opened.seat(*EVERYBODY)
        opened.seat(*EVERYBODY, room_id=OTHER_ROOM)
        yield opened


async def ask(scene: Scene, body: str = QUESTION, room_id: RoomID | None = None) -> str:
    if room_id is None:
        [said] = await scene.ask(body)
        return said.body
    before = len(scene.said(room_id))
    await scene.hear(scene.message(body, room_id=room_id))
    [answer] = scene.said(room_id)[before:]
    return answer.body


async def test_a_room_is_told_once_what_still_works_and_then_only_shortly(
    asking: Scene, model: ModelServer
) -> None:
    model.will(*[AWAY] * 3)
    first = await ask(asking)
    assert FULL in first
    assert "`!list updates`" in first
    assert "restart" not in first  # it changes something
    assert "journal" not in first  # it is for operators
    assert "secret" not in first
    assert "\n" not in first
    second = await ask(asking)
    assert SHORT in second
    assert FULL not in second
    assert len(second) < len(first) / 2
    assert FULL in await ask(asking, room_id=OTHER_ROOM)


async def test_when_it_is_back_nothing_is_said_twice_and_the_next_outage_is_told_again(
    asking: Scene, model: ModelServer
) -> None:
    model.will(AWAY, AWAY, says("A poem."), AWAY)
    await ask(asking)
    await ask(asking)
    assert await ask(asking) == "A poem."
    await asking.work()
    assert len(asking.said()) == 3
    assert set((await turn_states(asking.database)).values()) == {"done"}
    assert FULL in await ask(asking)


async def test_replicas_agree_on_what_a_room_was_told(tmp_path: Path, model: ModelServer) -> None:
    model.will(AWAY, AWAY, says("A poem."), AWAY)
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(
            open_scene(tmp_path, model_url=model.base_url, database_url=url)
        )
        other = await stack.enter_async_context(
            open_scene(tmp_path, model_url=model.base_url, database_url=url, beside=one)
        )
        one.seat(*EVERYBODY)
        assert FULL in await ask(one)
        # Their own counts would give two messages the same id.
        event = replace_id(other.message(QUESTION), "$of-the-other-1")
        [said] = await other.hear(event)
        assert SHORT in said.body
        await other.hear(replace_id(other.message(QUESTION), "$of-the-other-2"))
        assert FULL in await ask(one)


def replace_id(event: dict[str, object], event_id: str) -> dict[str, object]:
    return {**event, "event_id": event_id}


async def test_a_room_of_local_models_has_its_own_outage(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        home, cloud = [await stack.enter_async_context(model_server()) for _ in range(2)]
        models = {
            "home": NamedModel(base_url=home.base_url, model="m"),
            "cloud": NamedModel(base_url=cloud.base_url, model="m", local=False),
        }
        scene = await stack.enter_async_context(open_scene(tmp_path, models=models))
        power = {"m.room.power_levels": {"users": {PERSON: 50}}}
        scene.seat(*EVERYBODY, state=power)
        scene.seat(*EVERYBODY, room_id=OTHER_ROOM)
        await scene.ask("!settings local_only on")
        home.will(*[AWAY] * 3)
        cloud.will(says("From the cloud."))
        assert FULL in await ask(scene)
        assert "From the cloud." in await ask(scene, room_id=OTHER_ROOM)
        assert SHORT in await ask(scene)


@pytest.mark.parametrize("span", ["90", "600"])
async def test_a_busy_model_tells_each_time_when_to_come_back(
    asking: Scene, model: ModelServer, span: str
) -> None:
    model.will(refuses(429, {"message": "no"}, headers={"Retry-After": span}))
    for _ in range(2):  # the second time it is not even asked
        assert "is busy" in await ask(asking)


async def test_a_question_that_a_command_answers_gets_the_facts_from_its_virtual_user(
    asking: Scene, model: ModelServer
) -> None:
    model.will(AWAY)
    [said] = await asking.ask("lycatra: what updates are there?")
    assert said.by == UPDATES
    first, _, facts = said.body.partition("\n")
    assert "The language model is not answering" in first
    assert "!list updates" in first
    assert "3 updates" in facts
    assert "more with limit=9" in facts
    assert said.content["msgtype"] == "m.text"
    assert said.content["m.mentions"] == {"user_ids": [PERSON]}


async def test_facts_are_given_each_time_and_a_room_is_still_told_at_length(
    asking: Scene, model: ModelServer
) -> None:
    model.will(*[AWAY] * 3)
    for _ in range(2):
        assert "3 updates" in await ask(asking, "lycatra: what updates are there?")
    assert FULL in await ask(asking)


async def test_who_asks_in_german_reads_german(asking: Scene, model: ModelServer) -> None:
    model.will(AWAY, AWAY)
    said = await ask(asking, "lycatra: welche Updates gibt es?")
    assert "Das Sprachmodell antwortet nicht" in said
    assert "3 updates" in said
    assert "Ohne es geht" in await ask(asking, "lycatra: wie schreibt man ein Gedicht?")


async def test_a_name_in_the_question_is_asked_for_and_one_that_is_none_is_not(
    asking: Scene, model: ModelServer
) -> None:
    model.will(AWAY, AWAY)
    [said] = await asking.ask("lycatra: how is the health of web?")
    assert said.by == SERVICES
    assert "web well" in said.body
    missed = await ask(asking, "lycatra: how is the health of granny?")
    assert "No such service" not in missed
    assert "`!get service health`" in missed


async def test_of_two_commands_that_fit_alike_both_are_named_and_none_runs(
    asking: Scene, model: ModelServer
) -> None:
    model.will(AWAY)
    said = await ask(asking, "lycatra: which orders are there?")
    assert "`!list orders`" in said
    assert "`!find orders`" in said
    assert "list updates" not in said


async def test_nothing_that_changes_something_is_run(asking: Scene, model: ModelServer) -> None:
    model.will(AWAY)
    assert FULL in await ask(asking, "lycatra: restart service?")  # its run would fail the test


async def test_who_may_not_use_the_command_gets_no_facts(
    tmp_path: Path, model: ModelServer
) -> None:
    model.will(AWAY)
    rule = Permission(tools=("list_updates",), faces=("command",), level="operator")
    async with open_scene(tmp_path, model_url=model.base_url, rules=[rule]) as scene:
        scene.seat(*EVERYBODY)
        said = await ask(scene, "lycatra: what updates are there?")
    assert "3 updates" not in said
    assert "list updates" not in said


async def test_a_virtual_user_answers_with_its_own_commands_alone(
    asking: Scene, model: ModelServer
) -> None:
    model.will(AWAY)
    [said] = await asking.ask("lycatra_services: what updates are there?")
    assert said.by == SERVICES
    assert "3 updates" not in said.body


@pytest.mark.parametrize(
    ("question", "secret"), [("which salary?", "canary-salary"), ("any debts?", "canary-debts")]
)
async def test_facts_for_the_asker_alone_do_not_stand_in_the_room(
    asking: Scene, model: ModelServer, question: str, secret: str
) -> None:
    model.will(AWAY)
    said = await asking.ask(f"lycatra: {question}")
    assert said
    assert all(secret not in each.body for each in asking.said())


async def test_a_command_that_fails_says_so_in_its_own_words(
    asking: Scene, model: ModelServer
) -> None:
    model.will(AWAY)
    [said] = await asking.ask("lycatra: what status?")
    assert said.by == SERVICES
    assert "The disk is full." in said.body


async def test_a_question_about_a_picture_is_not_answered_by_a_command(
    asking: Scene, model: ModelServer
) -> None:
    model.will(AWAY)
    content = {"msgtype": "m.image", "url": "mxc://hs.test/1", "filename": "a.png"}
    said = await asking.ask("lycatra: what updates are there?", **content)
    assert all("3 updates" not in each.body for each in said)


@pytest.mark.parametrize(
    "reply",
    [refuses(400, {"message": "x", "code": "context_length_exceeded"})],
)
async def test_a_failure_of_one_question_is_no_outage(
    asking: Scene, model: ModelServer, reply: Reply
) -> None:
    model.will(reply, reply)
    said = await ask(asking)
    assert "!reset" in said
    assert FULL not in said


async def test_the_log_tells_why_without_what_the_server_repeats_of_the_question(
    asking: Scene, model: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = {"loc": ["body", "messages", 1], "msg": "Not a string", "input": "canary-question"}
    model.will(refuses_plainly(422, {"detail": [wrong]}))
    await ask(asking)
    logged = caplog.text + "".join(str(record.__dict__) for record in caplog.records)
    assert "body.messages.1: Not a string" in logged
    assert "canary" not in logged


# The model dies in the middle of something.


async def test_a_text_that_breaks_off_is_kept_with_one_clear_line(
    asking: Scene, model: ModelServer
) -> None:
    half = writes(delta(content="There are three, of which"), end="cut")
    model.will(calls(("list_updates", "{}")), half)
    [said] = await asking.ask("lycatra: what updates are there?")
    assert said.by == MAIN
    assert said.body.startswith("There are three, of which")
    assert said.body.count("lost the connection") == 1
    assert len(model.asked) == 2


async def test_what_was_approved_is_told_to_be_done_when_the_model_dies_after_it(
    tmp_path: Path, model: ModelServer
) -> None:
    services = Services()
    async with open_scene(
        tmp_path, model_url=model.base_url, lists=LISTS, tools=services.tools()
    ) as scene:
        seat_people(scene)
        model.will(calls(("restart_service", '{"service": "web"}')), AWAY)
        await scene.ask("lycatra: please restart web")
        said = await scene.hear(reaction(scene, card_id(scene), "✅", sender=OPERATOR))
        assert services.restarted == ["web"]
        [told] = [each.body for each in said if "refuses my requests" in each.body]
        assert "`restart service`" in told
        assert "please do not ask for it again" in told
        assert "and done" in card_now(scene, card_id(scene))
        assert len(model.asked) == 2
