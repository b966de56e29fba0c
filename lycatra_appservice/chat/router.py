"""What a message asks for. Pure: it decides, the handlers act."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from lycatra_appservice.chat.commands import (
    Command,
    Parsed,
    ReadyQuestion,
    UnclearArguments,
    UnclearQuestion,
    UnknownCommand,
)
from lycatra_appservice.chat.control import ControlWord, Steering
from lycatra_appservice.chat.emoji import is_displeased
from lycatra_appservice.chat.reading import Reader, Reading
from lycatra_appservice.chat.routes import (
    Acknowledge,
    Ask,
    Control,
    Explain,
    Ignore,
    Route,
    RunTool,
    RunTools,
    Unseen,
)
from lycatra_appservice.chat.small_talk import is_emoji
from lycatra_appservice.matrix.events import MEDIA, WORDS
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import Inbound, UserID

MAX_AGE: Final = timedelta(minutes=10)
MAX_AGE_OF_A_READ: Final = timedelta(hours=1)
_MAX_HOPS: Final = 3
_SEEN: Final = "\U0001f44d"  # thumbs up
_GLADLY: Final = "\U0001f642"  # a smile
_SORRY: Final = "\U0001f615"  # a confused face; thumbs up would sound like mockery


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """A message and the facts around it."""

    inbound: Inbound
    room: RoomView
    replied_to: UserID | None = None  # who of us said what it replies to
    in_our_thread: bool = False  # in a thread that we answer in
    others_in_thread: bool = False  # somebody else has written there, too
    other_bots: bool = False  # bots are here that the configuration knows
    hidden: frozenset[str] = frozenset()  # tools that are unknown to who wrote it

    @property
    def is_wide(self) -> bool:
        """Whether so many read along that only who names us or replies to us is answered."""
        return self.room.is_wide and not self.room.is_direct

    @property
    def is_meant_for_us(self) -> bool:
        """Whether it is, even if it names nobody."""
        if self.replied_to is not None:
            return True
        alone_with_us = self.in_our_thread and not self.others_in_thread
        return not self.is_wide and (self.room.is_direct or alone_with_us)


_MAX_REMEMBERED: Final = 64  # as many kinds of people as rules that hide something make


class Router:
    """Knows the names, the commands and whether there is a model, nothing else."""

    def __init__(self, users: VirtualUsers, reader: Reader, *, has_model: bool) -> None:
        self._users = users
        self._reader = reader
        self._commands = reader.commands
        self._talk = reader.talk
        self._has_model = has_model
        self._knowing_less: dict[frozenset[str], Router] = {}
        self._edition = self._commands.edition

    def route(self, situation: Situation) -> Route:
        """Decide. An unknown `!word` in a group may be another bot's, so it is not answered."""
        if situation.hidden:
            less = self._without(situation.hidden)
            return less.route(replace(situation, hidden=frozenset()))
        inbound = situation.inbound
        if inbound.hops > _MAX_HOPS:
            return Ignore("hops")
        if inbound.msgtype not in WORDS | MEDIA:
            return Ignore("msgtype")
        reading = self._reader.read(inbound)
        is_meant = bool(reading.users) or situation.is_meant_for_us
        if not is_meant and (reading.command is None or situation.is_wide):
            return Ignore("not addressed")
        if reading.commands:
            return RunTools(reading.commands)
        if reading.command is not None:
            return self._command(reading.command, reading, situation, is_meant=is_meant)
        return self._words(reading, situation)

    def named_first(self, inbound: Inbound) -> UserID:
        """Whom a message names, for when nothing more can be found out about it."""
        return next(iter(self._reader.read(inbound).users), self._users.main)

    def speaker(self, situation: Situation) -> UserID:
        """Who answers a message that is meant for us."""
        return self._speaker(self._reader.read(situation.inbound), situation)

    def _without(self, hidden: frozenset[str]) -> "Router":
        if self._edition != self._commands.edition:
            self._edition = self._commands.edition
            self._knowing_less.clear()
        found = self._knowing_less.get(hidden)
        if found is None:
            if len(self._knowing_less) >= _MAX_REMEMBERED:
                self._knowing_less.clear()
            reader = self._reader.without(hidden)
            found = Router(self._users, reader, has_model=self._has_model)
            self._knowing_less[hidden] = found
        return found

    def _command(
        self, words: str, reading: Reading, situation: Situation, *, is_meant: bool
    ) -> Route:
        speaker = self._speaker(reading, situation)
        namespace = self._users.namespace_of(speaker)
        if namespace is not None and self._commands.calls_a_tool(words, namespace):
            return self._run(self._commands.parse(words, namespace), speaker)
        if reading.control is not None:
            is_help = reading.control.word is ControlWord.HELP
            if is_meant or is_help or not situation.other_bots:
                return self._steer(reading.control, reading, situation)
            return Ignore("perhaps another bot's")
        if self._commands.calls_a_tool(words):
            return self._run(self._commands.parse(words), speaker)
        if not is_meant:
            return Ignore("unknown command")
        return self._run(self._commands.parse(words, namespace), speaker)

    def _words(self, reading: Reading, situation: Situation) -> Route:
        speaker, msgtype = self._speaker(reading, situation), situation.inbound.msgtype
        namespace = self._users.namespace_of(speaker)
        if msgtype in MEDIA and (not reading.core or reading.control is not None):
            return Unseen(speaker, msgtype)  # "help" below a picture is about the picture
        if reading.control is not None:
            return self._steer(reading.control, reading, situation)
        # Without a model nobody else could make sense of a command's bare words.
        understands = namespace is not None or not self._has_model
        if understands and self._commands.is_command(reading.core, namespace):
            return self._run(self._commands.parse(reading.core, namespace), speaker)
        if msgtype in WORDS:
            return self._small_talk(reading, situation) or Ask(
                speaker, reading.words or reading.core, namespace
            )
        return Ask(speaker, reading.words, namespace, unseen=msgtype)

    def _small_talk(self, reading: Reading, situation: Situation) -> Route | None:
        if self._talk.is_thanks(reading.core):
            return Acknowledge(self._speaker(reading, situation), _GLADLY)
        if is_emoji(reading.core):
            key = _SORRY if is_displeased(reading.core) else _SEEN
            return Acknowledge(self._speaker(reading, situation), key)
        if self._talk.is_greeting(reading.core) and not self._has_model:
            return self._steer(Steering(ControlWord.HELP), reading, situation)
        return None

    def _run(self, parsed: Parsed, speaker: UserID) -> Route:
        match parsed:
            case ReadyQuestion():
                namespace = self._users.namespace_of(speaker)
                return Ask(speaker, parsed.words, namespace, is_ready=True)
            case UnclearQuestion():
                return Explain(speaker, parsed)
            case Command():
                return RunTool(parsed)
            case UnknownCommand() | UnclearArguments():
                return Explain(speaker, parsed)

    def _steer(self, steering: Steering, reading: Reading, situation: Situation) -> Control:
        """@lycatra speaks for itself where it is.

        Help for who named a namespace's user, and said no more, is about that namespace.
        """
        named = self._speaker(reading, situation)
        main = self._users.main
        rest = steering.rest
        if steering.word is ControlWord.HELP and not rest and reading.users and not reading.words:
            rest = self._users.namespace_of(named) or ""
        return Control(main if main in situation.room.ours else named, steering.word, rest)

    def _speaker(self, reading: Reading, situation: Situation) -> UserID:
        """Who answers: who was named first, else whose words it is about, else who is there."""
        if reading.users:
            return reading.users[0]
        return situation.replied_to or situation.room.host(self._users.main)


def is_too_old(age: timedelta, *, only_reads: bool) -> bool:
    """Whether something was asked too long ago to be acted on."""
    return age > (MAX_AGE_OF_A_READ if only_reads else MAX_AGE)
