"""What a model reads about a call: marked as data, bounded, and saying what to do next."""

import json
import re
from collections.abc import Mapping
from enum import StrEnum

from lycatra_appservice.agent.accumulator import storable
from lycatra_appservice.agent.ports import ToolFinding
from lycatra_appservice.errors import (
    InvalidArgumentsError,
    NotAllowedError,
    ToolError,
    ToolTimeoutError,
    UnknownToolError,
)
from lycatra_appservice.model import JSON
from lycatra_appservice.words.catalogue import in_english

MAX_RESULT_BYTES = 16 * 1024  # about 4,500 tokens, half of a small model's window

_END = "</tool_result>"
# Also in capitals and with spaces: a model reads those as an end, too.
_LIKE_AN_END = re.compile(
    r"<([\s\u200b-\u200f\u2060\ufeff]*)/(?=[\s\u200b-\u200f\u2060\ufeff]*tool_result)", re.I
)
_END_MARK = "</tool_result"
_NO_END = "<\\/tool_result"
_SHOWN_BY_ITSELF = "The person sees these files below your answer. Write no link to them."
_TELL = "Tell the person this in plain words; the same call will not do better."


class Mistake(StrEnum):
    """What the model itself did wrong with a call, and may repair."""

    ARGUMENTS = "arguments"
    UNKNOWN_TOOL = "unknown_tool"


def found(tool_name: str, finding: ToolFinding) -> str:
    """A tool's result."""
    facts = {"data": finding.data}
    if finding.note:
        facts["note"] = in_english(finding.note)
    if finding.files:
        facts["files"] = {file.name: file.description for file in finding.files}
        facts["about_files"] = _SHOWN_BY_ITSELF
    return _wrapped(tool_name, facts)


def failed(tool_name: str, error: ToolError, *, offered: str) -> str:
    """A tool's refusal; `offered` are the names of the tools there are."""
    return problem(tool_name, error.user_message, _hint(error, offered))


def problem(tool_name: str, error: str, hint: str) -> str:
    """Something that is in the way of a call, and what the model should do about it."""
    return _wrapped(tool_name, {"error": error, "hint": hint})


def unwrapped(text: str) -> str:
    """What a text of `found` or `failed` says of a call: the JSON, cut where it was cut."""
    inside = text.removesuffix(_END).removesuffix("\n").partition(">\n")[2]
    return inside.replace(_NO_END, _END_MARK)


def mistake_in(error: ToolError) -> Mistake | None:
    """Whether the model could do better by calling differently."""
    if isinstance(error, InvalidArgumentsError):
        return Mistake.ARGUMENTS
    return Mistake.UNKNOWN_TOOL if isinstance(error, UnknownToolError) else None


def _hint(error: ToolError, offered: str) -> str:
    match error:
        case InvalidArgumentsError():
            return "; ".join(error.problems) or "Correct the arguments by the tool's schema."
        case UnknownToolError():
            return f"The tools are: {offered}."
        case ToolTimeoutError():
            return "Ask for less at once, or tell the person that it took too long."
        case NotAllowedError():
            return f"{_TELL} Do not look for another way."
        case _:
            return _TELL


def _wrapped(tool_name: str, facts: Mapping[str, JSON]) -> str:
    begin = f'<tool_result tool="{tool_name}">\n'
    text = storable(json.dumps(facts, ensure_ascii=False, separators=(",", ":"), default=str))
    # The same to a reader of JSON, and no end of the data.
    text = _LIKE_AN_END.sub(r"<\1\\/", text)
    room = MAX_RESULT_BYTES - len(begin.encode()) - len(_END) - 1
    return f"{begin}{_bounded(text, room)}\n{_END}"


def _bounded(text: str, max_bytes: int) -> str:
    encoded = text.encode()
    if len(encoded) <= max_bytes:
        return text
    mark = "\n… truncated, {} more characters; use limit, offset or a filter to ask for less"
    kept = encoded[: max_bytes - len(mark.encode()) - len(str(len(text)))].decode(errors="ignore")
    return kept + mark.format(len(text) - len(kept))
