"""Puts an answer of the chat-completions format together, whatever the server does to it.

Servers lie about indexes, ids, argument types and ends. Nothing here trusts a field because the
format demands it; the rules are in the tests, one each.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from lycatra_appservice.agent.messages import ModelAnswer, ToolCall, Usage
from lycatra_appservice.agent.thinking import ThinkingFilter
from lycatra_appservice.model import JSON


@dataclass(slots=True)
class _Slot:
    """A call that is still being written. `index` is the server's, if it gave one."""

    index: int | None
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)

    def is_followed_by(self, call_id: str, name: str) -> bool:
        """Whether a piece with this id and name begins another call, not a part of this one."""
        if call_id and self.id:
            return call_id != self.id
        if not name or not self.name:
            return False
        return name != self.name or is_json_object("".join(self.arguments))


class AnswerAccumulator:
    """One answer. `id_prefix` (8 letters or digits) makes ids for calls that come without one."""

    def __init__(self, id_prefix: str, *, begins_in_thought: bool = False) -> None:
        """`begins_in_thought`: answers of this model have begun so, without a sign of it."""
        self._id_prefix = id_prefix
        self._spoken = ThinkingFilter(waits_for_end=begins_in_thought)
        self._half = ""  # the first half of a character that a server cut in two
        self._slots: list[_Slot] = []
        self._finish: str | None = None
        self._usage: Usage | None = None
        self._model = ""

    @property
    def text(self) -> str:
        """What may be shown so far."""
        return self._spoken.text

    @property
    def began_in_thought(self) -> bool:
        """Whether what was passed on at first turned out to be thinking."""
        return self._spoken.took_back

    @property
    def has_calls(self) -> bool:
        """Whether the model has begun to write a tool call."""
        return bool(self._slots)

    def add(self, chunk: Mapping[str, JSON]) -> str | None:
        """Take a chunk, streamed or whole; returns its visible text, None if it said nothing.

        Thinking and pieces of calls are something said, with no visible text.
        """
        self._note_usage(chunk.get("usage"))
        self._model = self._model or _plain(chunk.get("model"))
        choice = _first_choice(chunk.get("choices"))
        if choice is None:
            return None
        if isinstance(reason := choice.get("finish_reason"), str):
            self._finish = storable(reason)[:40]
        said = choice.get("delta") or choice.get("message")
        return self._hear(said) if isinstance(said, dict) else None

    def finish(self, *, ended_well: bool) -> ModelAnswer:
        """The answer as it stands. `ended_well`: the server said that this is all."""
        self._spoken.feed("\ufffd" if self._half else "")
        self._spoken.finish()
        cut = self._finish == "length" or not (ended_well or self._finish)
        calls = tuple(
            self._call(number, slot, cut=cut and slot is self._slots[-1])
            for number, slot in enumerate(self._slots)
        )
        return ModelAnswer(
            text=self._spoken.text.strip(),
            calls=calls,
            finish=self._finish,
            usage=self._usage,
            truncated=cut,
            model=storable(self._model)[:100],
        )

    def _hear(self, said: Mapping[str, JSON]) -> str | None:
        pieces = said.get("tool_calls")
        calls = [piece for piece in pieces if isinstance(piece, dict)] if pieces else []
        for piece in calls:
            self._add_call(piece)
        text = _plain(said.get("content")) or _plain(said.get("refusal"))
        thinking = said.get("reasoning_content") or said.get("reasoning")
        if not (text or calls or thinking):
            return None
        return self._spoken.feed(self._whole_characters(text))

    def _whole_characters(self, text: str) -> str:
        text = self._half + text
        self._half = ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return storable(text)

    def _add_call(self, piece: Mapping[str, JSON]) -> None:
        function = piece.get("function")
        function = function if isinstance(function, dict) else {}
        call_id, name = _plain(piece.get("id")), _plain(function.get("name"))
        index = piece.get("index")
        slot = self._slot(index if isinstance(index, int) else None, call_id, name)
        slot.id = slot.id or call_id
        slot.name = slot.name or name
        slot.arguments.append(_arguments(function.get("arguments")))

    def _slot(self, index: int | None, call_id: str, name: str) -> _Slot:
        at_index = [slot for slot in self._slots if index is None or slot.index == index]
        known = [slot for slot in at_index if call_id and slot.id == call_id]
        if known:
            return known[-1]
        if at_index and not at_index[-1].is_followed_by(call_id, name):
            return at_index[-1]
        self._slots.append(_Slot(index))
        return self._slots[-1]

    def _call(self, number: int, slot: _Slot, *, cut: bool) -> ToolCall:
        arguments = _unwrapped(storable("".join(slot.arguments)).strip())
        earlier = [other.id for other in self._slots[:number]]
        missing = not slot.id or slot.id in earlier
        return ToolCall(
            # Nine letters and digits, because Mistral's templates refuse anything else.
            id=f"{self._id_prefix}{number}" if missing else storable(slot.id),
            name=storable(slot.name).strip(),
            # Without arguments a call is complete, unless the cut came before them.
            arguments=arguments if arguments or cut else "{}",
        )

    def _note_usage(self, usage: JSON) -> None:
        if not isinstance(usage, dict):
            return
        prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
        if isinstance(prompt, int):
            known = completion if isinstance(completion, int) else 0
            self._usage = Usage(prompt=prompt, completion=known)


def is_json_object(text: str) -> bool:
    """Whether the text is one whole JSON object, which is what arguments must be."""
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def storable(text: str) -> str:
    """The text without what no database and no Matrix event takes: NUL and half characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.replace("\0", "")


def _first_choice(choices: JSON) -> Mapping[str, JSON] | None:
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and not choice.get("index"):
            return choice
    return None


def _plain(value: JSON) -> str:
    """A string, or the text parts of a list of content parts; else nothing."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(_plain(part.get("text")) for part in value if isinstance(part, dict))
    return ""


def _arguments(value: JSON) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _unwrapped(arguments: str) -> str:
    """Arguments that were encoded twice, or written as null, as they were meant."""
    if arguments == "null":
        return ""
    if arguments.startswith('"') and arguments.endswith('"'):
        try:
            return _plain(json.loads(arguments)) or arguments
        except ValueError:
            return arguments
    return arguments
