"""What the words of a message say, before anything is known about its room. Pure."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Final

from lycatra_appservice.chat.addressing import Addressed, Addressing
from lycatra_appservice.chat.commands import Command, CommandWords
from lycatra_appservice.chat.control import ControlWord, Steering
from lycatra_appservice.chat.small_talk import SmallTalk
from lycatra_appservice.matrix.events import MEDIA
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import Inbound, LaneKind, UserID
from lycatra_appservice.words.catalogue import load_catalogue

_MOST_COMMANDS: Final = 6  # in one message
_OVERTAKING: Final = frozenset(
    {ControlWord.STOP, ControlWord.APPROVE, ControlWord.DENY, ControlWord.ANSWER}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A message's words, understood.

    `users` are ours, first named first; `words` are without their names at the beginning, and
    `core` also without the name at the end. `command` is set when there is a prefix, and then
    without it. `control` steers the conversation, with a prefix or, when we are meant, without.
    `commands` are those of several users named with one each.
    """

    users: tuple[UserID, ...]
    words: str
    core: str
    command: str | None
    control: Steering | None
    commands: Sequence[Command] = ()


class Reader:
    """Reads messages for the way in, which needs their lane, and for the router."""

    def __init__(self, users: VirtualUsers, commands: CommandWords, talk: SmallTalk) -> None:
        self.commands = commands
        self.talk = talk
        self._users = users
        self._addressing = Addressing(users, talk.before_a_name)

    def read(self, inbound: Inbound) -> Reading:
        """Read a message's words."""
        addressed = self._addressing.of(inbound)
        command = self.commands.without_prefix(addressed.words)
        return Reading(
            users=addressed.users,
            words=addressed.words,
            core=addressed.core,
            command=command,
            control=self._control(command, addressed.core, inbound.msgtype),
            commands=self._several_commands(inbound, addressed),
        )

    def without(self, hidden: Set[str]) -> "Reader":
        """The same for somebody to whom these tools are unknown."""
        return Reader(self._users, self.commands.without(hidden), self.talk)

    def lane_kind(self, reading: Reading) -> LaneKind:
        """Where a message waits, whoever it turns out to be meant for."""
        word = reading.control.word if reading.control else None
        if word in _OVERTAKING:
            return LaneKind.CONTROL  # before what it stops or lets go on
        if word is ControlWord.RESET:
            return LaneKind.ASK  # behind the questions before it
        if self._asks_a_ready_question(reading):
            return LaneKind.ASK  # a model answers, so no command shall wait behind it
        if reading.command is not None or reading.commands or self.runs_own_tool(reading):
            return LaneKind.COMMAND
        return LaneKind.COMMAND if word and reading.users else LaneKind.ASK

    def runs_own_tool(self, reading: Reading) -> bool:
        """Whether the user named first is told exactly the name of a tool of its own."""
        namespace = self._users.namespace_of(reading.users[0]) if reading.users else None
        return namespace is not None and self.commands.is_command(reading.core, namespace)

    def _asks_a_ready_question(self, reading: Reading) -> bool:
        words = reading.core if reading.command is None else reading.command
        namespace = self._users.namespace_of(reading.users[0]) if reading.users else None
        if reading.commands or (reading.command is None and namespace is None):
            return False
        return self.commands.calls_a_question(words, namespace) or (
            reading.command is not None and self.commands.calls_a_question(words)
        )

    def is_sure(self, reading: Reading) -> bool:
        """Whether it is ours by its words alone. Another `!word` may be some other bot's."""
        if reading.command is None:
            return bool(reading.users)
        control = reading.control is not None
        return bool(reading.users) or control or self.commands.calls_a_tool(reading.command)

    def _control(self, command: str | None, core: str, msgtype: str) -> Steering | None:
        if command is not None:
            return self.commands.control(command)
        if not core:
            # A picture without words is no question for help.
            return None if msgtype in MEDIA else Steering(ControlWord.HELP)
        word = self.talk.control(core)
        return Steering(word) if word else None

    def _several_commands(self, inbound: Inbound, addressed: Addressed) -> Sequence[Command]:
        """The commands of a message that tells several of ours exactly one of its own each."""
        words = addressed.words
        may_name_more = len(addressed.users) > 1 or "\n" in words or "@" in words
        if not addressed.users or not may_name_more:
            return ()
        parts = self._addressing.parts(inbound)
        if not 1 < len(parts) <= _MOST_COMMANDS:
            return ()
        commands = [self._own_command(user, words) for user, words in parts]
        found = [command for command in commands if command is not None]
        return found if len(found) == len(commands) else ()

    def _own_command(self, user: UserID, words: str) -> Command | None:
        namespace = self._users.namespace_of(user)
        command = self.commands.without_prefix(words)
        if namespace is None or (
            command is None and not self.commands.is_command(words, namespace)
        ):
            return None
        parsed = self.commands.parse(words if command is None else command, namespace)
        return parsed if isinstance(parsed, Command) else None


def make_reader(users: VirtualUsers, commands: CommandWords) -> Reader:
    """A reader for the small talk of all languages of the catalogue."""
    talk = SmallTalk(language.phrases for language in load_catalogue().languages)
    return Reader(users, commands, talk)
