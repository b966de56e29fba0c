"""What a message asks for. Pure: it decides, the handlers act."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

from lycatra_appservice.chat.addressing import Addressed, Addressing
from lycatra_appservice.chat.commands import (
    Command,
    CommandWords,
    Parsed,
    UnclearArguments,
    UnknownCommand,
)
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import Inbound, UserID

MAX_AGE: Final = timedelta(minutes=10)
MAX_AGE_OF_A_READ: Final = timedelta(hours=1)
_MAX_HOPS: Final = 3
_HELP: Final = "help"


@dataclass(frozen=True, slots=True)
class Ignore:
    """Not for us."""

    why: str


@dataclass(frozen=True, slots=True)
class RunTool:
    """A command. The tool's own virtual user answers."""

    command: Command


@dataclass(frozen=True, slots=True)
class Explain:
    """A command that cannot be run as it was written."""

    speaker: UserID
    problem: UnknownCommand | UnclearArguments


@dataclass(frozen=True, slots=True)
class Ask:
    """A question for the agent; with a namespace it has only that namespace's tools."""

    speaker: UserID
    question: str
    namespace: str | None


@dataclass(frozen=True, slots=True)
class Reset:
    """The conversation begins anew."""

    speaker: UserID


Route: TypeAlias = Ignore | RunTool | Explain | Ask | Reset


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """A message and the facts around it."""

    inbound: Inbound
    room: RoomView
    replied_to: UserID | None = None  # who of us said what it replies to
    in_our_thread: bool = False  # in a thread that we answer in

    @property
    def is_meant_for_us(self) -> bool:
        """Whether it is, even if it names nobody."""
        return self.room.is_direct or self.replied_to is not None or self.in_our_thread


class Router:
    """Knows the names and the commands, nothing else."""

    def __init__(
        self, users: VirtualUsers, addressing: Addressing, commands: CommandWords
    ) -> None:
        self._users = users
        self._addressing = addressing
        self._commands = commands

    def route(self, situation: Situation) -> Route:
        """Decide. An unknown `!word` in a group may be another bot's, so it is not answered."""
        inbound = situation.inbound
        if inbound.hops >= _MAX_HOPS:
            return Ignore("hops")
        addressed = self._addressing.of(inbound)
        meant = bool(addressed.users) or situation.is_meant_for_us
        words = self._commands.without_prefix(addressed.words)
        if words is not None:
            return self._command(words, situation, addressed, meant=meant)
        if not meant:
            return Ignore("not addressed")
        return self._words(situation, addressed)

    def _command(
        self, words: str, situation: Situation, addressed: Addressed, *, meant: bool
    ) -> Route:
        speaker = self._speaker(situation, addressed)
        namespace = self._users.namespace_of(speaker)
        if namespace is not None and self._commands.calls_a_tool(words, namespace):
            return self._run(self._commands.parse(words, namespace), speaker)
        if self._commands.is_reset(words):
            return Reset(speaker) if meant else Ignore("unknown command")
        parsed = self._commands.parse(words)
        if isinstance(parsed, UnknownCommand) and not meant:
            return Ignore("unknown command")
        return self._run(parsed, speaker)

    def _words(self, situation: Situation, addressed: Addressed) -> Route:
        speaker = self._speaker(situation, addressed)
        namespace = self._users.namespace_of(speaker)
        if not addressed.words:
            return RunTool(Command(_HELP, {}))
        if namespace is not None and self._commands.is_command(addressed.words, namespace):
            return self._run(self._commands.parse(addressed.words, namespace), speaker)
        return Ask(speaker, addressed.words, namespace)

    def named_first(self, inbound: Inbound) -> UserID:
        """Whom a message names, for when nothing more can be found out about it."""
        return next(iter(self._addressing.of(inbound).users), self._users.main)

    @staticmethod
    def _run(parsed: Parsed, speaker: UserID) -> Route:
        match parsed:
            case Command():
                return RunTool(parsed)
            case UnknownCommand() | UnclearArguments():
                return Explain(speaker, parsed)

    def _speaker(self, situation: Situation, addressed: Addressed) -> UserID:
        """Who answers: who was named first, else whose words it is about, else who is there."""
        if addressed.users:
            return addressed.users[0]
        return situation.replied_to or situation.room.host(self._users.main)


def is_too_old(age: timedelta, *, only_reads: bool) -> bool:
    """Whether something was asked too long ago to be acted on."""
    return age > (MAX_AGE_OF_A_READ if only_reads else MAX_AGE)
