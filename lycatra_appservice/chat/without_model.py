"""What a person gets when no model answers: the plain facts, if a command has them; else words."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from lycatra_appservice.agent.backend import (
    ModelBusyError,
    ModelRefusedError,
    ModelRestingError,
    ModelSilentError,
    ModelUnreachableError,
)
from lycatra_appservice.chat import messages
from lycatra_appservice.chat.asides import Asides
from lycatra_appservice.chat.attachments import long_text_in_file
from lycatra_appservice.chat.call_words import call_in_words
from lycatra_appservice.chat.commands import Command
from lycatra_appservice.chat.plain_questions import PlainQuestions
from lycatra_appservice.chat.private_answers import PrivateAnswers
from lycatra_appservice.chat.question_words import QuestionWords
from lycatra_appservice.chat.routes import Ask
from lycatra_appservice.errors import InvalidArgumentsError, ModelError, ToolError, ToolFailedError
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import Caller, Face, Inbound, Reply, RoomID, UserID
from lycatra_appservice.toolkit.base import Audience, ToolResult
from lycatra_appservice.toolkit.registry import Registry
from lycatra_appservice.toolkit.toolbox import Gate, Toolbox
from lycatra_appservice.turns.call_steps import ReadingSteps
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.catalogue import load_catalogue
from lycatra_appservice.words.text import Said

logger = logging.getLogger(__name__)

# The model is not to be had; every other failure is about this one question.
_AWAY: Final = (
    ModelUnreachableError,
    ModelSilentError,
    ModelBusyError,
    ModelRestingError,
    ModelRefusedError,
)
_EXAMPLES: Final = 3
_HELP: Final = "help"  # named in the line itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Instead:
    """What is said in place of an answer; `direct` is where it goes if it is for one alone."""

    reply: Reply
    is_for_asker_alone: bool = False
    direct: RoomID | None = None


class WithoutModel:
    """Tells each room once at length that no model answers, until one has answered again."""

    def __init__(
        self,
        gate: Gate,
        registry: Registry,
        users: VirtualUsers,
        private: PrivateAnswers,
        asides: Asides,
        questions: PlainQuestions,
    ) -> None:
        self._gate = gate
        self._registry = registry
        self._users = users
        self._private = private
        self._asides = asides
        self._questions = questions

    async def answer(
        self, error: ModelError, route: Ask, turn: Turn, inbound: Inbound, *, local_only: bool
    ) -> Instead:
        """Say something useful. Nothing is kept to be answered later: people ask again."""
        if turn.approved_tools:
            done = messages.model_failed_after_change(error.said, turn.approved_tools)
            return _words(done, route)
        if not isinstance(error, _AWAY):
            return _words(error.said, route)
        toolbox = await self._gate.open(_caller(turn, inbound), namespace=route.namespace)
        # Who sent a picture with it asks about the picture.
        question = route.question if route.unseen is None else ""
        found = self._questions.commands_for(question, toolbox.tools())
        if len(found) == 1:
            facts = await self._facts(found[0], toolbox, turn, inbound)
            if facts is not None:
                return facts
        meant = [command.tool for command in found]
        if _passes_soon(error) or await self._asides.model_is_away(
            turn, inbound.room_id, local_only=local_only
        ):
            said = messages.model_down(error.said, self._examples(toolbox, meant))
            return _words(said, route)
        return _words(messages.model_still_down(), route)

    async def is_back(self, *, local_only: bool) -> None:
        """A model has answered: the next time that none does is told at length again."""
        await self._asides.model_is_back(local_only=local_only)

    async def _facts(
        self, command: Command, toolbox: Toolbox, turn: Turn, inbound: Inbound
    ) -> Instead | None:
        """What the command gives, by its own virtual user; None when it was not meant."""
        speaker = self._users.of(self._registry.namespace_of(command.tool).name)
        # Face and rights are those of a command: no model has a hand in it.
        steps = ReadingSteps(turn, f"facts:{command.tool}")
        try:
            result = await toolbox.call(command.tool, command.arguments, steps=steps)
        except InvalidArgumentsError:
            logger.info("question_misunderstood", extra={"tool": command.tool})
            return None
        except ToolError as failed:
            told = _facts_in(Reply(markdown=failed.said, sender=speaker), command)
            if not isinstance(failed, ToolFailedError):
                return told
        else:
            told = _facts_in(_shown(result, command.tool, speaker), command)
        if not await self._is_for_asker_alone(command.tool, inbound):
            return told
        direct = await self._private.room_with(turn, inbound.sender)
        return Instead(reply=told.reply, is_for_asker_alone=True, direct=direct)

    def _examples(self, toolbox: Toolbox, meant: Sequence[str]) -> Sequence[str]:
        """Commands that change nothing: those that were meant, else one of each virtual user."""
        looking = [tool for tool in toolbox.tools() if not tool.changes and tool.name != _HELP]
        by_home = {self._registry.namespace_of(tool.name).name: tool for tool in reversed(looking)}
        chosen = [tool for tool in looking if tool.name in meant] or [*reversed(by_home.values())]
        return [tool.example for tool in chosen[:_EXAMPLES]]

    async def _is_for_asker_alone(self, name: str, inbound: Inbound) -> bool:
        tool = self._registry.tool(name)
        if tool is None or tool.audience is not Audience.ASKER:
            return False
        return not await self._private.is_alone(inbound.sender, inbound.room_id)


def plain_questions(registry: Registry) -> PlainQuestions:
    """What matches questions to these tools, in all languages of the catalogue."""
    tools = [(tool, registry.namespace_of(tool.name)) for tool in registry.tools]
    return PlainQuestions(tools, QuestionWords(load_catalogue().languages))


def _caller(turn: Turn, inbound: Inbound) -> Caller:
    return Caller(
        user_id=inbound.sender,
        face=Face.COMMAND,
        room_id=inbound.room_id,
        on_behalf_of_turn=turn.trigger_id,
        run=turn.first_n,
    )


def _passes_soon(error: ModelError) -> bool:
    """Whether the server itself says when to come back: worth telling each time."""
    busy = isinstance(error, ModelRestingError) and error.busy_for is not None
    return busy or isinstance(error, ModelBusyError)


def _words(said: Said, route: Ask) -> Instead:
    return Instead(reply=Reply(markdown=messages.failed(said), sender=route.speaker))


def _facts_in(reply: Reply, command: Command) -> Instead:
    called = call_in_words(command.tool.replace("_", " "), command.arguments)
    said = messages.facts_without_model(called, reply.markdown)
    return Instead(reply=replace(reply, markdown=said))


def _shown(result: ToolResult, tool: str, speaker: UserID) -> Reply:
    # What is said beside the facts stays outside of the file that long ones become.
    found = long_text_in_file(
        Reply(markdown=result.markdown, sender=speaker, files=result.files, subject=tool)
    )
    if not result.note:
        return found
    return replace(found, markdown=messages.with_note(found.markdown, result.note))
