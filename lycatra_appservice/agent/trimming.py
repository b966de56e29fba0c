"""Makes a conversation fit into the model's window: old tool results go first, then old turns."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from lycatra_appservice.agent.attached import attached_chars, clipped, stubbed
from lycatra_appservice.agent.lengths import beginning, size_of
from lycatra_appservice.agent.messages import (
    AssistantMessage,
    Message,
    SystemMessage,
    ToolMessage,
    UserMessage,
)

_MESSAGE_CHARS = 16  # what a server's template adds to each message, about
_STUB = "(an earlier result, left out to save space; call the tool again if it is needed)"
_SHORTENED = "\n… the rest was left out, because it does not fit; ask for less at a time …"
_SHORTEST = 400  # characters of a result below which it says nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """Messages that fit, as far as they can; `forgot` says whether whole turns are missing."""

    messages: Sequence[Message]
    forgot: bool


def chars_of(messages: Sequence[Message]) -> int:
    """The length of messages in characters, with what is written around them."""
    return sum(map(_chars, messages))


def fitted(messages: Sequence[Message], budget_chars: int) -> Fitted:
    """Shorten until the budget is met, or nothing more can go.

    Never touched: the system message, the last question, the pairing of calls and results. The
    results that the model has not seen yet are shortened last.
    """
    system = [message for message in messages if isinstance(message, SystemMessage)]
    *old, current = turns_of(messages[len(system) :])
    room = budget_chars - chars_of(system)
    old, forgot = _shortened_history(old, room - chars_of(current))
    if chars_of(current) > room:
        current = _shortened_turn(_with_less_attached(current, room // 2), room)
    return Fitted(messages=[*system, *_flat(old), *current], forgot=forgot)


def turns_of(messages: Sequence[Message]) -> list[list[Message]]:
    """The messages by turns, each beginning with what a person said."""
    turns: list[list[Message]] = []
    for message in messages:
        if isinstance(message, UserMessage) or not turns:
            turns.append([])
        turns[-1].append(message)
    return turns


def intact(messages: Sequence[Message]) -> list[Message]:
    """The messages without broken turns: servers refuse a call without its result for ever after.

    A turn is broken if it does not begin with a person, or if a call and its result are not there
    exactly once, in order.
    """
    return _flat([turn for turn in turns_of(messages) if _is_intact(turn)])


def _is_intact(turn: Sequence[Message]) -> bool:
    awaited: list[str] = []
    for message in turn:
        if isinstance(message, ToolMessage):
            if awaited[:1] != [message.call_id]:
                return False
            awaited.pop(0)
        elif awaited:
            return False
        elif isinstance(message, AssistantMessage):
            awaited = [call.id for call in message.calls]
    return isinstance(turn[0], UserMessage) and not awaited


def _shortened_history(
    turns: Sequence[list[Message]], room: int
) -> tuple[list[list[Message]], bool]:
    kept = list(turns)
    excess = chars_of(_flat(kept)) - room
    for number, turn in enumerate(kept):
        if excess <= 0:
            break
        kept[number] = [_stub_of_old(message) for message in turn]
        excess -= chars_of(turn) - chars_of(kept[number])
    while kept and excess > 0:
        excess -= chars_of(kept.pop(0))
    return kept, len(kept) < len(turns)


def _shortened_turn(turn: Sequence[Message], room: int) -> list[Message]:
    """The turn with stubs for what the model has seen, and fair shares for what it has not."""
    groups = [list(group) for _, group in groupby(turn, lambda message: type(message))]
    unseen = groups.pop() if isinstance(turn[-1], ToolMessage) else []
    seen = [_stub(message) for message in _flat(groups)]
    if not unseen:
        return seen
    share = (room - chars_of(seen)) // len(unseen) - _MESSAGE_CHARS
    return [*seen, *(_clipped(message, max(share, _SHORTEST)) for message in unseen)]


def _with_less_attached(turn: Sequence[Message], room: int) -> list[Message]:
    return [clipped(each, room) if isinstance(each, UserMessage) else each for each in turn]


def _stub(message: Message) -> Message:
    if isinstance(message, ToolMessage) and len(message.text) > len(_STUB):
        return replace(message, text=_STUB)
    return message


def _stub_of_old(message: Message) -> Message:
    return stubbed(message) if isinstance(message, UserMessage) else _stub(message)


def _clipped(message: Message, max_chars: int) -> Message:
    if size_of(message.text) <= max_chars:
        return message
    end = "\n" + message.text.rpartition("\n")[2][:40]  # the mark that ends the data
    kept = max_chars - size_of(_SHORTENED) - size_of(end)
    return replace(message, text=beginning(message.text, kept) + _SHORTENED + end)


def _chars(message: Message) -> int:
    size = _MESSAGE_CHARS + size_of(message.text)
    if isinstance(message, AssistantMessage):
        size += sum(size_of(call.name) + size_of(call.arguments) for call in message.calls)
    if isinstance(message, UserMessage):
        size += attached_chars(message)
    return size


def _flat(turns: Sequence[Sequence[Message]]) -> list[Message]:
    return [message for turn in turns for message in turn]
