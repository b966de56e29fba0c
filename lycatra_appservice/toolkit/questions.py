"""What a running call wants to know from the person it runs for; asked wherever that one is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from lycatra_appservice.model import JSON, Caller


class Reaction(StrEnum):
    """What became of a question."""

    ACCEPT = "accept"
    DECLINE = "decline"  # the person does not want to
    CANCEL = "cancel"  # nobody has answered, or nobody could be asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """`message` is of a stranger; `form` is the JSON Schema of flat fields that it wants."""

    namespace: str
    tool: str
    message: str
    form: Mapping[str, JSON]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`content` fits the form, if it was accepted."""

    reaction: Reaction
    content: Mapping[str, JSON] = field(default_factory=dict)


class Questions(Protocol):
    """Asks people."""

    async def ask(self, question: Question, caller: Caller, patience: timedelta) -> Answer:
        """Wait so long for the caller's answer; CANCEL when there is none, or nowhere to ask."""


class NobodyToAsk:
    """Where there are no people, as in a trial on the command line."""

    async def ask(self, question: Question, caller: Caller, patience: timedelta) -> Answer:
        """Nobody answers."""
        return Answer(reaction=Reaction.CANCEL)
