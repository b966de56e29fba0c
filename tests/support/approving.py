"""A changing tool that remembers its calls, and people who are asked about it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lycatra_appservice.errors import InvalidArgumentsError, ToolFailedError
from lycatra_appservice.model import JSON, RoomID, UserID
from lycatra_appservice.toolkit.base import (
    Effect,
    Field,
    Plan,
    Rule,
    Tool,
    ToolArgs,
    ToolContext,
    ToolResult,
)
from tests.support.scene import EVERYBODY, PERSON, ROOM, TOOLS, Scene
from tests.support.toolbench import Lists, a_tool
from tests.support.turns import query

OPERATOR: Final = UserID("@operator:hs.test")
SECOND: Final = UserID("@second:hs.test")
LISTS: Final = Lists(viewer=["*:hs.test"], operator=[OPERATOR, SECOND])
RESTART: Final = "!restart service web"


class RestartArgs(ToolArgs):
    service: str = Field(max_length=60, description="Which one.")


@dataclass
class Services:
    """What can be restarted; `restarted` is the proof that it was.

    `meanwhile` happens while it is being restarted.
    """

    restarted: list[str] = field(default_factory=list)
    breaks: list[Exception] = field(default_factory=list)
    meanwhile: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    command: str = "systemctl restart"
    state: str = "running"

    async def restart(self, args: RestartArgs, ctx: ToolContext) -> ToolResult:
        self.restarted.append(args.service)
        if self.meanwhile:
            await self.meanwhile.pop(0)()
        if self.breaks:
            raise self.breaks.pop(0)
        return ToolResult(data={"restarted": args.service}, markdown=f"{args.service} is back")

    async def plan(self, args: RestartArgs, ctx: ToolContext) -> Plan:
        if args.service == "wbe":
            raise InvalidArgumentsError("I do not know `wbe`.")
        return Plan(
            target=args.service,
            steps=[f"runs `{self.command} {args.service}`"],
            now=[f"now it is {self.state}"],
            look=f"get status {args.service}",
        )

    def tools(self, approval: Rule | None = None) -> Mapping[str, Sequence[Tool[Any]]]:
        """The scene's tools, with this one in the place of its own."""
        restart = a_tool(
            name="restart_service",
            title="Restart service",
            run=self.restart,
            args=RestartArgs,
            effect=Effect.CHANGE,
            plan=self.plan,
            approval=approval,
        )
        others = [each for each in TOOLS["services"] if each.name != restart.name]
        return {**TOOLS, "services": [*others, restart]}


def failing(words: str) -> Exception:
    """What a tool raises that could not."""
    return ToolFailedError(words)


def seat_people(scene: Scene, *more: UserID) -> None:
    """A group with two operators."""
    scene.seat(*EVERYBODY, OPERATOR, SECOND, *more)


def cards(scene: Scene, room_id: RoomID = ROOM) -> list[Mapping[str, JSON]]:
    """The cards in a room, as events, in order."""
    return [
        event
        for event in scene.stub.rooms[room_id].events
        if event["content"].get("org.lycatra.reply", {}).get("kind") == "card"
        and "m.new_content" not in event["content"]
    ]


def card_id(scene: Scene, room_id: RoomID = ROOM) -> str:
    """The last card's event id."""
    return str(cards(scene, room_id)[-1]["event_id"])


def card_now(scene: Scene, event_id: str, room_id: RoomID = ROOM) -> str:
    """What a card says after its edits."""
    said = ""
    for event in scene.stub.rooms[room_id].events:
        content = event["content"]
        if event["event_id"] == event_id:
            said = content["body"]
        relation = content.get("m.relates_to", {})
        if relation.get("rel_type") == "m.replace" and relation["event_id"] == event_id:
            said = content["m.new_content"]["body"]
    return said


async def approval_rows(scene: Scene) -> list[Mapping[str, Any]]:
    """All approvals, the oldest first."""
    return await query(scene.database, "SELECT * FROM approval ORDER BY id")


async def code(scene: Scene) -> str:
    """The last card's code."""
    return str((await approval_rows(scene))[-1]["code"])


async def let_time_pass(scene: Scene) -> None:
    """Have every approval's time be over."""
    await query(scene.database, "UPDATE approval SET expires_at = 0")


async def ask_restart(scene: Scene, *, sender: UserID = PERSON) -> str:
    """Ask for a restart and return the card's event id."""
    await scene.ask(RESTART, sender=sender)
    return card_id(scene)
