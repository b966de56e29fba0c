"""A command: the tool runs at once, without a model, and its own virtual user answers."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.approvals.desk import ApprovalDesk
from lycatra_appservice.chat.approvals.occasion import Occasion
from lycatra_appservice.chat.approvals.settling import NotApprovedError, Settling
from lycatra_appservice.chat.attachments import long_text_in_file
from lycatra_appservice.chat.commands import (
    Command,
    UnclearArguments,
    UnclearQuestion,
    UnknownCommand,
)
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.control import ControlWord
from lycatra_appservice.chat.private_answers import PrivateAnswers
from lycatra_appservice.chat.progress import ProgressNotices
from lycatra_appservice.chat.ready_questions import ReadyQuestions, usage
from lycatra_appservice.chat.routes import Explain, RunTool, RunTools
from lycatra_appservice.errors import ToolError, ToolFailedError
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import Caller, Face, Inbound, Outgoing, Reply, UserID
from lycatra_appservice.toolkit.approvals import NeedsApprovalError
from lycatra_appservice.toolkit.base import Audience, Effect, ToolResult
from lycatra_appservice.toolkit.registry import Registry
from lycatra_appservice.toolkit.toolbox import Gate, Toolbox
from lycatra_appservice.turns.approvals import Approval
from lycatra_appservice.turns.call_steps import ReadingSteps
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.text import Said

_SUGGESTIONS: Final = 3


class CommandHandler:
    """Runs tools for people, through the gate like everybody else."""

    def __init__(
        self,
        gate: Gate,
        registry: Registry,
        users: VirtualUsers,
        composer: Composer,
        private: PrivateAnswers,
        desk: ApprovalDesk,
        settling: Settling,
        notices: ProgressNotices,
        questions: ReadyQuestions,
    ) -> None:
        self._questions = questions
        self._gate = gate
        self._registry = registry
        self._users = users
        self._composer = composer
        self._private = private
        self._desk = desk
        self._settling = settling
        self._notices = notices

    def only_reads(self, route: RunTool | RunTools) -> bool:
        """Whether running it changes nothing."""
        tools = [self._registry.tool(command.tool) for command in _commands_of(route)]
        return all(tool is not None and tool.effect is Effect.READ for tool in tools)

    async def handle(
        self, route: RunTool | RunTools | Explain, turn: Turn, inbound: Inbound, room: RoomView
    ) -> Sequence[Outgoing]:
        """Run one tool or several, in order, and show what they gave, or why they did not run."""
        caller = Caller(
            user_id=inbound.sender,
            face=Face.COMMAND,
            room_id=inbound.room_id,
            on_behalf_of_turn=turn.trigger_id,
            run=turn.first_n,
        )
        if isinstance(route, Explain):
            said = self._explanation(route.problem, await self._gate.open(caller))
            reply = Reply(markdown=said, sender=route.speaker, notice=True)
            return self._composer.answer(reply, inbound, room)
        answers = [
            await self._answer(f"{n}:{command.tool}", command, caller, turn, inbound, room)
            for n, command in enumerate(_commands_of(route))
        ]
        return [row for rows in answers for row in rows]

    def _explanation(
        self, problem: UnknownCommand | UnclearArguments | UnclearQuestion, toolbox: Toolbox
    ) -> Said:
        if not isinstance(problem, UnclearQuestion):
            questions = [prompt.name for prompt in self._questions.visible(toolbox)]
            return _explanation(problem, toolbox, questions)
        if problem.prompt not in self._questions.visible(toolbox):
            return messages.may_not_ask()
        known: Sequence[str] = ()
        if problem.missing is not None:
            known = self._questions.known(problem.prompt, problem.missing)
        return messages.unclear_question(problem.problem, usage(problem.prompt), known)

    async def _answer(
        self,
        step_name: str,
        command: Command,
        caller: Caller,
        turn: Turn,
        inbound: Inbound,
        room: RoomView,
    ) -> Sequence[Outgoing]:
        speaker = self._users.of(self._registry.namespace_of(command.tool).name)
        occasion = Occasion(
            turn=turn, inbound=inbound, room=room, speaker=speaker, face=caller.face
        )
        reply, is_told = await self._run(step_name, command, caller, occasion)
        if is_told and await self._is_for_asker_alone(command.tool, inbound):
            direct = await self._private.room_with(turn, inbound.sender)
            return self._private.rows(reply, direct, inbound, room)
        return self._composer.answer(reply, inbound, room)

    async def _is_for_asker_alone(self, name: str, inbound: Inbound) -> bool:
        tool = self._registry.tool(name)
        if tool is None or tool.audience is not Audience.ASKER:
            return False
        return not await self._private.is_alone(inbound.sender, inbound.room_id)

    async def _run(
        self, step_name: str, command: Command, caller: Caller, occasion: Occasion
    ) -> tuple[Reply, bool]:
        """What to say, and whether the tool said it, rather than the gate."""
        async with self._notices.open(
            occasion.turn, occasion.inbound, occasion.room, occasion.speaker
        ) as notice:
            toolbox = await self._gate.open(caller, progress=notice.during)
            approval = occasion.turn.approval(step_name)
            if approval is not None:
                return await self._go_on(approval, toolbox, occasion)
            return await self._call(step_name, command, toolbox, occasion)

    async def _call(
        self, step_name: str, command: Command, toolbox: Toolbox, occasion: Occasion
    ) -> tuple[Reply, bool]:
        work = toolbox.background_of(command.tool, command.arguments)
        if work is not None:
            await occasion.turn.go_on_in_background(occasion.room.room_id, work)
        # No step: what only reads may be read again after a crash, as nothing was said yet, and
        # a commit less is a good part of a command's time.
        try:
            try:
                steps = ReadingSteps(occasion.turn, step_name)
                result = await toolbox.call(command.tool, command.arguments, steps=steps)
            except NeedsApprovalError as needed:
                await self._desk.ask(occasion, step_name, needed)
        except ToolError as error:
            is_told = isinstance(error, ToolFailedError)
            return Reply(markdown=error.said, sender=occasion.speaker, notice=True), is_told
        return _shown(result, command.tool, occasion.speaker), True

    async def _go_on(
        self, approval: Approval, toolbox: Toolbox, occasion: Occasion
    ) -> tuple[Reply, bool]:
        """After the wait: the result is a new message, which rings."""
        mentions = () if occasion.room.is_direct else (occasion.inbound.sender,)
        is_told = True
        try:
            result = await self._settling.settle(occasion.turn, approval, toolbox)
        except NotApprovedError as error:
            reply, is_told = Reply(markdown=error.said, sender=occasion.speaker), False
        except ToolError as error:
            reply = Reply(markdown=messages.failed(error.said), sender=occasion.speaker)
        else:
            reply = _shown(result, approval.tool, occasion.speaker)
        return replace(reply, notice=False, mentions=mentions), is_told


def _shown(result: ToolResult, tool: str, speaker: UserID) -> Reply:
    # The note stays outside of the file that a long text becomes: it is to be read.
    found = long_text_in_file(
        Reply(
            markdown=result.markdown,
            sender=speaker,
            notice=True,
            files=result.files,
            subject=tool,
        )
    )
    if not result.note:
        return found
    return replace(found, markdown=messages.with_note(found.markdown, result.note))


def _commands_of(route: RunTool | RunTools) -> Sequence[Command]:
    return route.commands if isinstance(route, RunTools) else (route.command,)


def _explanation(
    problem: UnknownCommand | UnclearArguments, toolbox: Toolbox, questions: Sequence[str]
) -> Said:
    """What is wrong with a command, without a word about tools that are not for everybody."""
    if isinstance(problem, UnclearArguments):
        try:
            toolbox.tool(problem.tool)
        except ToolError as refused:
            return refused.said
        return messages.unclear_arguments(problem.problem, problem.example)
    visible = {*ControlWord, *questions, *(tool.name for tool in toolbox.tools())}
    meant = [name for name in problem.suggestions if name in visible][:_SUGGESTIONS]
    return messages.unknown_command(problem.words, [name.replace("_", " ") for name in meant])
