"""What of a conversation a person's question may use: nothing above his own rights. Pure."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from lycatra_appservice.agent.attached import stubbed
from lycatra_appservice.agent.messages import AssistantMessage, Message, UserMessage
from lycatra_appservice.model import UserID

SURROUNDINGS: Final = "0:surroundings"  # the step that journals what a question may use

# The model reads it, in the place of an answer.
_LEFT_OUT: Final = (
    "(This answer is left out: it rests on tools that the person who asks now may not use. "
    "If it is needed, say so.)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """One turn of a conversation.

    `rests_on` are the tools that its answer was made of, by itself or by what it had read.
    `only_for` is whose alone it is. `trigger_id` is its name.
    """

    messages: Sequence[Message]
    trigger_id: str = ""
    rests_on: frozenset[str] = frozenset()
    only_for: UserID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recollection:
    """What a question may use, and what its answer rests on from then on."""

    messages: Sequence[Message]
    rests_on: frozenset[str]
    is_private: bool


def recall(
    turns: Sequence[Remembered],
    person: UserID,
    *,
    is_alone: bool,
    may_use_all: Callable[[Collection[str]], bool],
) -> Recollection:
    """Choose from the turns of a conversation, oldest first.

    `is_alone`: nobody but the person will read the answer. Of what rests on tools that the person
    may not use, only the question stays, which stood in the room: without what it quotes, which
    may be a result of those tools.
    """
    messages: list[Message] = []
    rests_on: set[str] = set()
    is_private = False
    for turn in turns:
        if turn.only_for is not None and not (is_alone and turn.only_for == person):
            continue
        if not may_use_all(turn.rests_on):
            messages += _without_answer(turn)
            continue
        messages += turn.messages
        rests_on |= turn.rests_on
        is_private = is_private or turn.only_for is not None
    return Recollection(messages=messages, rests_on=frozenset(rests_on), is_private=is_private)


def called_in(messages: Sequence[Message]) -> frozenset[str]:
    """The names of all tools that the model called, those that do not exist too."""
    return frozenset(
        call.name
        for message in messages
        if isinstance(message, AssistantMessage)
        for call in message.calls
    )


def _without_answer(turn: Remembered) -> Sequence[Message]:
    asked = [message for message in turn.messages if isinstance(message, UserMessage)]
    # What was quoted with it may have been a tool's result.
    return [stubbed(asked[0]), AssistantMessage(text=_LEFT_OUT)] if asked else []
