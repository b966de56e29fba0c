"""What was said to and by a model, in our own words: no library's types, fit for the database."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import TypeAlias, assert_never

from lycatra_appservice.model import JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemMessage:
    """The rules. Stands first and only once."""

    text: str


class AttachedKind(StrEnum):
    """What can go with a person's words."""

    FILE = "file"  # a text file
    IMAGE = "image"
    QUOTE = "quote"  # somebody's message that the words reply to


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """Something that goes with a person's words: data, which commands nothing.

    `name` is a file's, or who wrote a quoted message. `text` is what stands in it, bounded, and
    empty where it was left out. `image` is a data URL and stays in memory: no row ever holds it.
    `mxc`, `event_id` and `at_ms`, when it was attached, say where it can be had again, and `key`
    how it is decrypted.
    """

    kind: AttachedKind
    name: str
    text: str = ""
    image: str | None = field(default=None, repr=False)
    mxc: str | None = None
    key: Mapping[str, JSON] | None = field(default=None, repr=False)
    event_id: str | None = None
    at_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class UserMessage:
    """A person's words; begins a turn. `name` is their Matrix user id, which nobody can fake."""

    text: str
    name: str | None = None
    attached: Sequence[Attached] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call the model asks for. `arguments` is what it wrote: JSON, or what it took for JSON."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistantMessage:
    """What the model said. Text beside calls is a preamble, not an answer."""

    text: str
    calls: Sequence[ToolCall] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolMessage:
    """What came of one call; each call id has exactly one, in the order of the calls."""

    call_id: str
    text: str


Message: TypeAlias = SystemMessage | UserMessage | AssistantMessage | ToolMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens as the server counted them, or `estimated` by us where it did not."""

    prompt: int
    completion: int
    estimated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallerWindow:
    """A model reads less than configured; in tokens. `key` is its place in the configuration."""

    key: str
    configured: int
    real: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAnswer:
    """One whole answer of a model.

    `finish` is the server's own word and often wrong: look at `calls` instead. In a `truncated`
    answer the arguments of the last call may be incomplete JSON, or empty. `backend` is the
    operator's name for the model that gave it, `model` the server's; no journal keeps that.
    `forgot`: earlier turns were left out of its prompt; `smaller` is the window that was found
    out on the way; `blind`: it was not shown the images it was asked about.
    """

    text: str
    calls: Sequence[ToolCall] = ()
    finish: str | None = None
    usage: Usage | None = None
    truncated: bool = False
    backend: str = ""
    model: str = ""
    forgot: bool = False
    smaller: SmallerWindow | None = None
    blind: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """A piece of an answer on its way: visible text, and with the last piece the whole answer.

    The pieces are a preview; what counts is `answer.text`. `anew`: those before this one turned
    out to be no part of the answer.
    """

    text: str = ""
    anew: bool = False
    answer: ModelAnswer | None = None


def message_to_json(message: Message) -> dict[str, JSON]:
    """The message as a database row keeps it; `message_from_json` reads it back."""
    match message:
        case SystemMessage():
            return {"role": "system", "text": message.text}
        case UserMessage():
            attached = [attached_to_json(each) for each in message.attached]
            told = {"role": "user", "text": message.text, "name": message.name}
            return {**told, "attached": attached} if attached else told
        case AssistantMessage():
            calls = [_call_to_json(call) for call in message.calls]
            return {"role": "assistant", "text": message.text, "calls": calls}
        case ToolMessage():
            return {"role": "tool", "text": message.text, "call_id": message.call_id}
        case _:
            assert_never(message)


def message_from_json(row: Mapping[str, JSON]) -> Message:
    """Read a stored message. Raises ValueError for a role this version does not know."""
    role, text = row["role"], row["text"]
    if role == "system":
        return SystemMessage(text=text)
    if role == "user":
        attached = tuple(attached_from_json(each) for each in row.get("attached", ()))
        return UserMessage(text=text, name=row["name"], attached=attached)
    if role == "assistant":
        return AssistantMessage(text=text, calls=_calls_from_json(row["calls"]))
    if role == "tool":
        return ToolMessage(text=text, call_id=row["call_id"])
    raise ValueError(f"unknown message role {role!r}")


def attached_to_json(attached: Attached) -> dict[str, JSON]:
    """Something attached as a row keeps it: never the bytes of an image."""
    return {
        "kind": attached.kind.value,
        "name": attached.name,
        "text": attached.text,
        "mxc": attached.mxc,
        "key": attached.key,
        "event_id": attached.event_id,
        "at_ms": attached.at_ms,
    }


def attached_from_json(row: Mapping[str, JSON]) -> Attached:
    """What `attached_to_json` made. Raises ValueError for a kind this version does not know."""
    return Attached(
        kind=AttachedKind(row["kind"]),
        name=row["name"],
        text=row["text"],
        mxc=row["mxc"],
        key=row.get("key"),
        event_id=row["event_id"],
        at_ms=row["at_ms"],
    )


def answer_to_json(answer: ModelAnswer) -> dict[str, JSON]:
    """The answer as the turn's journal keeps it; `answer_from_json` reads it back."""
    usage = answer.usage
    return {
        "text": answer.text,
        "calls": [_call_to_json(call) for call in answer.calls],
        "finish": answer.finish,
        "usage": usage and asdict(usage),
        "truncated": answer.truncated,
        "backend": answer.backend,
        "forgot": answer.forgot,
        "smaller": answer.smaller and asdict(answer.smaller),
        "blind": answer.blind,
    }


def answer_from_json(row: Mapping[str, JSON]) -> ModelAnswer:
    """Read a journaled answer."""
    usage = row["usage"]
    return ModelAnswer(
        text=row["text"],
        calls=_calls_from_json(row["calls"]),
        finish=row["finish"],
        usage=usage and Usage(**usage),
        truncated=row["truncated"],
        # What follows is not in the journals of earlier versions.
        backend=row.get("backend", ""),
        forgot=row.get("forgot", False),
        smaller=SmallerWindow(**row["smaller"]) if row.get("smaller") else None,
        blind=row.get("blind", False),
    )


def concealed(answer: ModelAnswer, conceal: Callable[[str], str]) -> ModelAnswer:
    """The answer with every text of it passed through `conceal`."""
    calls = [
        ToolCall(id=conceal(call.id), name=conceal(call.name), arguments=conceal(call.arguments))
        for call in answer.calls
    ]
    return replace(answer, text=conceal(answer.text), calls=tuple(calls))


def with_note(messages: Sequence[Message], note: str) -> Sequence[Message]:
    """The messages with a remark of ours at the end of the last one.

    Not a message of its own, because the templates of several local models refuse a system or
    user message in that place.
    """
    *earlier, last = messages
    return [*earlier, replace(last, text=f"{last.text}\n\n[{note}]")]


def _call_to_json(call: ToolCall) -> dict[str, JSON]:
    return {"id": call.id, "name": call.name, "arguments": call.arguments}


def _calls_from_json(rows: Sequence[Mapping[str, JSON]]) -> tuple[ToolCall, ...]:
    return tuple(
        ToolCall(id=row["id"], name=row["name"], arguments=row["arguments"]) for row in rows
    )
