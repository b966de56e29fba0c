"""A command: the tool runs at once, without a model, and its own virtual user answers."""

from collections.abc import Sequence

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.router import RunTool
from lycatra_appservice.errors import InvalidArgumentsError, ToolError
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, Caller, Face, Inbound, Outgoing, Reply
from lycatra_appservice.toolkit.base import Effect
from lycatra_appservice.toolkit.registry import Registry
from lycatra_appservice.toolkit.toolbox import Gate
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.text import Said


class CommandHandler:
    """Runs tools for people, through the gate like everybody else."""

    def __init__(
        self, gate: Gate, registry: Registry, users: VirtualUsers, composer: Composer
    ) -> None:
        self._gate = gate
        self._registry = registry
        self._users = users
        self._composer = composer

    def only_reads(self, route: RunTool) -> bool:
        """Whether running it changes nothing."""
        tool = self._registry.tool(route.command.tool)
        return tool is not None and tool.effect is Effect.READ

    async def handle(
        self, route: RunTool, turn: Turn, inbound: Inbound, room: RoomView
    ) -> Sequence[Outgoing]:
        """Run the tool and show what it gave, or why it did not run."""
        caller = Caller(
            user_id=inbound.sender,
            face=Face.COMMAND,
            room_id=inbound.room_id,
            on_behalf_of_turn=turn.trigger_id,
        )
        command = route.command
        # No step: what only reads may be read again after a crash, as nothing was said yet, and
        # a commit less is a good part of a command's time.
        said = await self._run(caller, command.tool, command.arguments)
        namespace = self._registry.namespace_of(command.tool)
        reply = Reply(markdown=said, sender=self._users.of(namespace.name), notice=True)
        return self._composer.answer(reply, inbound, room)

    async def _run(self, caller: Caller, tool: str, arguments: JSON) -> Said:
        try:
            result = await self._gate.open(caller).call(tool, arguments)
        except ToolError as error:
            problems = error.problems if isinstance(error, InvalidArgumentsError) else ()
            return messages.tool_refused(error.user_message, problems)
        return f"{result.markdown}\n\n*{result.note}*" if result.note else result.markdown
