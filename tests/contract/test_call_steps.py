"""Steps of a call, on both stores: what was done comes back, what was cut off is told."""

import asyncio
from collections.abc import Sequence

import pytest

from lycatra_appservice.errors import StepCutOffError
from lycatra_appservice.model import JSON, Outgoing
from lycatra_appservice.turns.call_steps import ChangingSteps, ReadingSteps
from lycatra_appservice.turns.turn import Turn
from tests.contract.conftest import Replicas
from tests.support.turns import (
    Replica,
    Rooms,
    ScriptedHandler,
    message,
    query,
    trigger,
    until_ended,
)


class Deploying:
    """A change in three parts; `done` is the proof, `hold` the part that does not end."""

    def __init__(self, hold: str | None = None) -> None:
        self.done: list[str] = []
        self.hold = hold
        self.begun = asyncio.Event()

    async def __call__(self, turn: Turn) -> Sequence[Outgoing]:
        said = await turn.change("change:0", lambda: self.work(turn), resumes=True)
        return [message(str(said))]

    async def work(self, turn: Turn) -> JSON:
        steps = ChangingSteps(turn, "change:0")
        try:
            return [await steps.step(part, self.part(part)) for part in ("plan", "apply", "check")]
        except StepCutOffError as cut_off:
            return f"cut off: {cut_off.step}"

    def part(self, name: str) -> "Part":
        return Part(self, name)


class Part:
    def __init__(self, of: Deploying, name: str) -> None:
        self._of = of
        self._name = name

    async def __call__(self) -> JSON:
        self._of.done.append(self._name)
        if self._of.hold == self._name:
            self._of.begun.set()
            await asyncio.Event().wait()
        return f"{self._name} {len(self._of.done)}"


@pytest.fixture
def handler() -> ScriptedHandler:
    return ScriptedHandler()


async def begin(replicas: Replicas, handler: ScriptedHandler) -> Replica:
    replica = await replicas.add(handler)
    await replica.inbox.store([trigger("$a")])
    await replica.start()
    return replica


async def take_over(replicas: Replicas, crashed: Replica, handler: ScriptedHandler) -> Replica:
    await crashed.crash()
    await crashed.forget_leases()
    heir = await replicas.add(handler)
    await heir.start()
    return heir


async def has_begun(deploying: Deploying) -> None:
    async with asyncio.timeout(20):
        await deploying.begun.wait()


async def test_the_step_that_a_crash_cut_off_is_told_and_the_ones_before_come_back(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    handler.scripts["$a"] = deploying = Deploying(hold="apply")
    replica = await begin(replicas, handler)
    await has_begun(deploying)

    heir = await take_over(replicas, replica, handler)

    assert (await until_ended(heir.database, "$a"))["$a"] == "done"
    assert deploying.done == ["plan", "apply"]
    assert rooms.said() == ["cut off: apply"]


async def test_a_crash_between_two_steps_is_made_up_for(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    deploying = Deploying()
    between = asyncio.Event()

    class Between(Deploying):
        async def work(self, turn: Turn) -> JSON:
            steps = ChangingSteps(turn, "change:0")
            first = await steps.step("plan", self.part("plan"))
            if not between.is_set():
                between.set()
                await asyncio.Event().wait()
            return [first, await steps.step("apply", self.part("apply"))]

    handler.scripts["$a"] = deploying = Between()
    replica = await begin(replicas, handler)
    async with asyncio.timeout(20):
        await between.wait()

    heir = await take_over(replicas, replica, handler)

    assert (await until_ended(heir.database, "$a"))["$a"] == "done"
    assert deploying.done == ["plan", "apply"]
    assert rooms.said() == ["['plan 1', 'apply 2']"]


async def test_what_was_cut_off_stays_so_in_every_later_run(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    class Looking(Deploying):
        async def work(self, turn: Turn) -> JSON:
            steps = ChangingSteps(turn, "change:0")
            try:
                return await steps.step("apply", self.part("apply"))
            except StepCutOffError:
                self.done.append("told")
            try:
                return await steps.step("look", self.part("look"))
            except StepCutOffError as cut_off:
                return f"cut off: {cut_off.step}"

    handler.scripts["$a"] = deploying = Looking(hold="apply")
    replica = await begin(replicas, handler)
    await has_begun(deploying)
    deploying.hold = "look"
    deploying.begun.clear()
    second = await take_over(replicas, replica, handler)
    await has_begun(deploying)

    third = await take_over(replicas, second, handler)

    assert (await until_ended(third.database, "$a"))["$a"] == "done"
    assert deploying.done == ["apply", "told", "look", "told"]
    assert rooms.said() == ["cut off: look"]
    assert not await third.revisions.is_changing("$a")


async def test_nothing_is_left_begun_when_the_tool_has_gone_on(
    replicas: Replicas, handler: ScriptedHandler
) -> None:
    handler.scripts["$a"] = deploying = Deploying(hold="check")
    replica = await begin(replicas, handler)
    await has_begun(deploying)

    heir = await take_over(replicas, replica, handler)
    await until_ended(heir.database, "$a")

    states = await query(heir.database, "SELECT name, state FROM step ORDER BY name")
    assert {row["state"] for row in states} == {"done"}


async def test_what_only_reads_is_read_again_where_it_was_cut_off(
    replicas: Replicas, handler: ScriptedHandler, rooms: Rooms
) -> None:
    class Reading(Deploying):
        async def __call__(self, turn: Turn) -> Sequence[Outgoing]:
            steps = ReadingSteps(turn, "0:read")
            found = [await steps.step(part, self.part(part)) for part in ("list", "details")]
            return [message(str(found))]

    handler.scripts["$a"] = reading = Reading(hold="details")
    replica = await begin(replicas, handler)
    await has_begun(reading)
    reading.hold = None

    heir = await take_over(replicas, replica, handler)

    assert (await until_ended(heir.database, "$a"))["$a"] == "done"
    assert reading.done == ["list", "details", "details"]
    assert rooms.said() == ["['list 1', 'details 3']"]
