"""What takes long is done where it keeps nobody waiting, its plan and its card included."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lycatra_appservice.toolkit.base import Effect, Plan, Tool, ToolContext, ToolResult
from tests.support.approving import LISTS, OPERATOR, RestartArgs, card_id, seat_people
from tests.support.model_server import ModelServer, calls, says
from tests.support.scene import PERSON, SERVICES, TOOLS, Scene, at_work, open_scene
from tests.support.toolbench import a_tool
from tests.support.turns import query
from tests.support.waiting import until
from tests.unit.chat.revising import reaction

DEPLOY = "!deploy service web"


@dataclass
class Slow:
    """A change that takes until it is let go on."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    approved_by: list[str] = field(default_factory=list)
    runs: int = 0

    async def run(self, args: RestartArgs, ctx: ToolContext) -> ToolResult:
        self.runs += 1
        self.approved_by += ctx.approved_by
        self.begun.set()
        await self.may_end.wait()
        return ToolResult(data={"deployed": args.service}, markdown=f"{args.service} is new")

    async def plan(self, args: RestartArgs, ctx: ToolContext) -> Plan:
        return Plan(target=args.service, steps=["swaps it"])

    def tools(self) -> Mapping[str, Sequence[Tool[Any]]]:
        deploy = a_tool(
            name="deploy_service",
            title="Deploy service",
            run=self.run,
            args=RestartArgs,
            effect=Effect.CHANGE,
            plan=self.plan,
            background=lambda args: f"deploy {args.service}",
        )
        return {**TOOLS, "services": [*TOOLS["services"], deploy]}


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
async def scene(tmp_path: Path, slow: Slow) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path, lists=LISTS, tools=slow.tools()) as opened:
        seat_people(opened)
        yield opened


def bodies(scene: Scene) -> list[str]:
    return [said.body for said in scene.said()]


async def lanes(scene: Scene) -> list[str]:
    rows = await query(scene.database, "SELECT lane FROM turn WHERE state <> 'done' ORDER BY id")
    return [row["lane"] for row in rows]


async def test_it_leaves_the_room_s_lane_before_anything_is_planned_or_asked(
    scene: Scene, slow: Slow
) -> None:
    [card] = await scene.ask(DEPLOY)

    assert card.body.startswith("Deploy service: `web`")
    [lane] = await lanes(scene)
    assert lane.endswith("|deploy web|background")


async def test_while_it_runs_the_room_is_answered_and_its_end_is_a_new_message(
    scene: Scene, slow: Slow
) -> None:
    await scene.ask(DEPLOY)
    async with at_work(scene):
        await scene.push(reaction(scene, card_id(scene), "✅", sender=OPERATOR))
        await slow.begun.wait()
        await scene.push(scene.message("!list updates"))
        await until(lambda: said_in(scene, "3 updates"), "the answer meanwhile")
        assert "web is new" not in bodies(scene)
        slow.may_end.set()
        await until(lambda: said_in(scene, "web is new"), "the end")

    assert slow.runs == 1
    assert slow.approved_by == [OPERATOR]
    [end] = [said for said in scene.said() if said.body == "web is new"]
    assert end.by == SERVICES
    assert end.content["m.mentions"] == {"user_ids": [PERSON]}


async def said_in(scene: Scene, words: str) -> bool:
    return any(words in body for body in bodies(scene))


async def test_a_call_with_wrong_arguments_is_refused_where_it_was_asked(scene: Scene) -> None:
    [said] = await scene.ask("!deploy service colour=red")

    assert "colour" in said.body
    assert await lanes(scene) == []


async def test_a_model_s_answer_goes_on_after_it(
    tmp_path: Path, model: ModelServer, slow: Slow
) -> None:
    async with open_scene(
        tmp_path, model_url=model.base_url, lists=LISTS, tools=slow.tools()
    ) as scene:
        seat_people(scene)
        model.will(
            calls(("list_updates", "{}"), ("deploy_service", json.dumps({"service": "web"})))
        )
        await scene.ask("lycatra: please deploy web")
        model.will(says("The new web is there."))
        slow.may_end.set()
        await scene.hear(reaction(scene, card_id(scene), "✅", sender=OPERATOR))

        assert slow.runs == 1
        assert len(model.asked) == 2  # what it said was journaled before the turn moved
        assert any("The new web is there." in body for body in bodies(scene))


async def test_what_waits_in_the_background_can_be_stopped(scene: Scene, slow: Slow) -> None:
    await scene.ask(DEPLOY)
    said = await scene.ask("!stop")

    assert any("stopped" in each.body.casefold() for each in said)
    await scene.hear(reaction(scene, card_id(scene), "✅", sender=OPERATOR))
    assert slow.runs == 0
