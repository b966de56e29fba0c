"""What a message can turn out to ask for: one value for each thing that the chat then does."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from lycatra_appservice.chat.commands import (
    Command,
    UnclearArguments,
    UnclearQuestion,
    UnknownCommand,
)
from lycatra_appservice.chat.control import ControlWord
from lycatra_appservice.model import UserID


@dataclass(frozen=True, slots=True)
class Ignore:
    """Not for us."""

    why: str


@dataclass(frozen=True, slots=True)
class RunTool:
    """A command. The tool's own virtual user answers."""

    command: Command


@dataclass(frozen=True, slots=True)
class RunTools:
    """Several of our users were named, each with a command of its own: each answers, in order."""

    commands: Sequence[Command]


@dataclass(frozen=True, slots=True)
class Explain:
    """A command that cannot be run as it was written."""

    speaker: UserID
    problem: UnknownCommand | UnclearArguments | UnclearQuestion


@dataclass(frozen=True, slots=True)
class Ask:
    """A question for the agent; with a namespace it has only that namespace's tools.

    `unseen` is the msgtype of a picture or file that the question is the caption of. `is_ready`:
    the words are those of a ready-made question, so they do not tell the asker's language.
    """

    speaker: UserID
    question: str
    namespace: str | None
    unseen: str | None = None
    is_ready: bool = False


@dataclass(frozen=True, slots=True)
class Control:
    """A word that steers the conversation itself; `rest` is what follows it, stripped."""

    speaker: UserID
    word: ControlWord
    rest: str = ""


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Nothing to answer: a thank-you or an emoji. The speaker reacts to it with `key`."""

    speaker: UserID
    key: str


@dataclass(frozen=True, slots=True)
class Unseen:
    """A picture, file or voice message without words; nobody here can look at it."""

    speaker: UserID
    msgtype: str


Route: TypeAlias = Ignore | RunTool | RunTools | Explain | Ask | Control | Acknowledge | Unseen
