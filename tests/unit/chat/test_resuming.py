"""A change that was cut off goes on under its approval, if its tool tells what was done."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lycatra_appservice.model import JSON, LaneKind
from lycatra_appservice.toolkit.base import (
    Effect,
    Plan,
    StepCutOffError,
    Tool,
    ToolContext,
    ToolFailedError,
    ToolResult,
)
from tests.support.approving import LISTS, OPERATOR, card_id, card_now, seat_people
from tests.support.dying import cut_off, die_here
from tests.support.scene import TOOLS, NoArgs, Scene, open_scene
from tests.support.toolbench import Lists, a_tool
from tests.support.turns import query
from tests.unit.chat.approving import results
from tests.unit.chat.revising import hurry, reaction, work_off


class Deployment:
    """A change of two steps; `done` is the proof. It is cut off in `cut_in`, once."""

    def __init__(self, cut_in: str | None = None) -> None:
        self.done: list[str] = []
        self.cut_in = cut_in
        self.looks = True
        self.plans = 0

    async def run(self, args: NoArgs, ctx: ToolContext) -> ToolResult:
        before = await ctx.step("remember", self._part("remember"))
        try:
            await ctx.step("apply", self._part("apply"))
        except StepCutOffError:
            if not self.looks:
                raise
            await ctx.step("look", self._part("look"))
        await self._cut("end")
        return ToolResult(data={}, markdown=f"deployed, was {before}")

    async def plan(self, args: NoArgs, ctx: ToolContext) -> Plan:
        """Says something else as soon as a part of it was done."""
        self.plans += 1
        return Plan(target="web", steps=["apply it"] if "apply" not in self.done else ["nothing"])

    def _part(self, name: str) -> Any:
        async def run() -> JSON:
            self.done.append(name)
            await self._cut(name)
            return name

        return run

    async def _cut(self, name: str) -> None:
        if self.cut_in == name:
            self.cut_in = None
            await die_here()

    def tools(self, *, resumes: bool) -> Mapping[str, Sequence[Tool[Any]]]:
        tool = a_tool(
            name="deploy_update",
            title="Deploy",
            run=self.run,
            args=NoArgs,
            effect=Effect.CHANGE,
            plan=self.plan,
            resumes=resumes,
        )
        return {**TOOLS, "updates": [*TOOLS["updates"], tool]}


@asynccontextmanager
async def deploying(
    folder: Path, deployment: Deployment, *, resumes: bool = True, **more: Any
) -> AsyncIterator[Scene]:
    async with open_scene(
        folder, lists=LISTS, tools=deployment.tools(resumes=resumes), **more
    ) as opened:
        seat_people(opened)
        yield opened


async def approve_until_cut_off(scene: Scene) -> None:
    """Ask, approve, and end the process in the middle of the call."""
    await scene.ask("!deploy update")
    await scene.push(reaction(scene, card_id(scene), "✅", sender=OPERATOR))
    await work_off(scene, LaneKind.CONTROL)
    [(lease, turn)] = await scene.engine.store.claim(LaneKind.COMMAND, 1)
    with cut_off():
        await scene.runner.run(lease, turn, go_on=False)
    await scene.engine.store.put_back(lease, turn, timedelta(0), failed=False)


@pytest.mark.parametrize("cut_in", ["apply", "end"])
async def test_it_goes_on_after_a_crash_and_does_nothing_twice(
    tmp_path: Path, cut_in: str
) -> None:
    deployment = Deployment(cut_in)
    async with deploying(tmp_path, deployment) as scene:
        await approve_until_cut_off(scene)
        await hurry(scene)

        looked = ["look"] if cut_in == "apply" else []
        assert deployment.done == ["remember", "apply", *looked]
        assert results(scene) == ["deployed, was remember"]
        assert "and done" in card_now(scene, card_id(scene))


async def test_the_audit_tells_both_runs_under_one_approval(tmp_path: Path) -> None:
    async with deploying(tmp_path, Deployment("apply")) as scene:
        await approve_until_cut_off(scene)
        await hurry(scene)
        await scene.trail.flush()

        rows = await query(
            scene.database,
            "SELECT outcome, approval FROM audit WHERE approval IS NOT NULL ORDER BY id",
        )
        calls = [row["outcome"] for row in rows if row["outcome"]]
        assert calls.count("started") == 2
        assert calls[-1] == "ok"
        assert len({row["approval"] for row in rows}) == 1


async def test_a_tool_that_does_not_tell_is_not_made_again(tmp_path: Path) -> None:
    deployment = Deployment("apply")
    async with deploying(tmp_path, deployment, resumes=False) as scene:
        await approve_until_cut_off(scene)
        await hurry(scene)

        assert deployment.done == ["remember", "apply"]
        assert "may or may not have happened" in results(scene)[-1]
        assert "may or may not have happened" in card_now(scene, card_id(scene))


async def test_a_tool_that_cannot_tell_how_far_it_came_says_so(tmp_path: Path) -> None:
    deployment = Deployment("apply")
    deployment.looks = False
    async with deploying(tmp_path, deployment) as scene:
        await approve_until_cut_off(scene)
        await hurry(scene)

        assert deployment.done == ["remember", "apply"]
        assert "interrupted in the middle" in results(scene)[-1]
        assert "may or may not have happened" in results(scene)[-1]
        assert "may or may not have happened" in card_now(scene, card_id(scene))


async def test_who_lost_the_right_meanwhile_reads_that_it_may_be_half_done(
    tmp_path: Path,
) -> None:
    deployment = Deployment("end")
    url = f"sqlite:///{tmp_path / 'one.db'}"
    async with deploying(tmp_path, deployment, database_url=url) as before:
        await approve_until_cut_off(before)
        tools = deployment.tools(resumes=True)
        lists = Lists(operator=[OPERATOR])
        async with open_scene(
            tmp_path, tools=tools, lists=lists, database_url=url, beside=before
        ) as scene:
            await hurry(scene)

            assert deployment.done == ["remember", "apply"]
            assert "may or may not have happened" in results(scene)[-1]


async def test_it_can_decide_to_give_up_in_its_own_words(tmp_path: Path) -> None:
    deployment = Deployment("apply")

    async def undo(args: NoArgs, ctx: ToolContext) -> ToolResult:
        try:
            return await deployment.run(args, ctx)
        except StepCutOffError as cut_off:
            raise ToolFailedError("I put the old version back.") from cut_off

    deployment.looks = False
    [*others, tool] = deployment.tools(resumes=True)["updates"]
    undoing = a_tool(
        name=tool.name, run=undo, args=NoArgs, effect=Effect.CHANGE, resumes=True, title="Deploy"
    )
    async with open_scene(
        tmp_path, lists=LISTS, tools={**TOOLS, "updates": [*others, undoing]}
    ) as scene:
        seat_people(scene)
        await approve_until_cut_off(scene)
        await hurry(scene)

        assert "I put the old version back." in results(scene)[-1]
        assert "may or may not" not in results(scene)[-1]


async def test_a_part_that_was_read_is_not_read_again_after_a_crash(tmp_path: Path) -> None:
    deployment = Deployment("end")
    reading = a_tool(name="deploy_update", title="Deploy", run=deployment.run, args=NoArgs)
    async with open_scene(tmp_path, lists=LISTS, tools={**TOOLS, "updates": [reading]}) as scene:
        seat_people(scene)
        await scene.push(scene.message("!deploy update"))
        [(lease, turn)] = await scene.engine.store.claim(LaneKind.COMMAND, 1)
        with cut_off():
            await scene.runner.run(lease, turn, go_on=False)
        await scene.engine.store.put_back(lease, turn, timedelta(0), failed=False)
        await hurry(scene)

        assert deployment.done == ["remember", "apply"]
        assert [each.body for each in scene.said()] == ["deployed, was remember"]
