"""From the words behind a command's name to a tool's arguments, as written. Pure.

`7 disk`, `limit=5 query="disk full"`, `{"limit": 5}`; the gate checks and converts the values.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lycatra_appservice.model import JSON
from lycatra_appservice.toolkit.arguments import shortened
from lycatra_appservice.toolkit.base import ONLY_BY_NAME
from lycatra_appservice.words.text import Text

# A quotation mark counts only where a word begins, and its partner only where one ends: an
# apostrophe inside of a word, and an inch, are what they are.
_PART: Final = re.compile(
    r"""(?:(?P<key>[A-Za-z][A-Za-z0-9_]*)=)?
        (?:"(?P<double>(?:[^"\\]|\\.)*+)"|'(?P<single>[^']*+)'|“(?P<curly>[^“”]*+)”)(?!\S)
      | (?P<bare>\S+)""",
    re.VERBOSE | re.DOTALL,
)
_KEYED: Final = re.compile(r"([A-Za-z][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_ESCAPED: Final = re.compile(r'\\(["\\])')
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,18}(?:\.[0-9]{1,18})?")


class UnclearError(Exception):
    """The words cannot be read as arguments; `said` is a sentence for the person."""

    def __init__(self, said: Text) -> None:
        super().__init__(said.key)
        self.said = said


@dataclass(frozen=True, slots=True)
class _Part:
    key: str | None
    value: str
    written: str


def read_arguments(text: str, schema: Mapping[str, JSON]) -> Mapping[str, JSON]:
    """Read what stands behind a command's name; `schema` is the JSON Schema of its arguments.

    Raises UnclearError.
    """
    text = text.strip()
    if text.startswith("{"):
        return _from_json(text)
    fields: Mapping[str, JSON] = schema.get("properties", {})
    keyed: dict[str, JSON] = {}
    positional: list[str] = []
    for part in map(_part, _PART.finditer(text)):
        name = (part.key or "").lower()
        # An unknown key in front is a typing error; further back it may be part of a text.
        if part.key is not None and (name in fields or not positional):
            keyed[name] = part.value
        else:
            positional.append(part.written if part.key else part.value)
    required = frozenset(schema.get("required", ()))
    free = {
        name: field
        for name, field in fields.items()
        if name not in keyed and not ONLY_BY_NAME.items() <= field.items()
    }
    return {**_placed(positional, free, required), **keyed}


def _part(found: re.Match[str]) -> _Part:
    bare = found["bare"]
    if bare is not None:
        keyed = _KEYED.fullmatch(bare)
        return _Part(keyed[1], keyed[2], bare) if keyed else _Part(None, bare, bare)
    double = found["double"]
    value = found["single"] or found["curly"] or ""
    if double is not None:
        value = _ESCAPED.sub(r"\1", double)
    return _Part(found["key"], value, found[0])


def _placed(
    words: Sequence[str], free: dict[str, JSON], required: frozenset[str]
) -> Mapping[str, JSON]:
    """Give each word to a field, in order; what is left over belongs to the last text.

    A name or a search of several words needs no quotation marks that way.
    """
    placed: dict[str, str] = {}
    last_text: str | None = None
    for word in words:
        name = _field_for(word, free, required)
        if name is not None:
            if _is_text(free.pop(name)):
                last_text = name
            placed[name] = word
        elif last_text is not None:
            placed[last_text] += f" {word}"
        else:
            raise UnclearError(Text("unplaced_word", word=shortened(word)))
    return placed


def _field_for(word: str, free: Mapping[str, JSON], required: frozenset[str]) -> str | None:
    """The next required field; else an optional one made for such a word; else the next text."""
    for name in free:
        if name in required:
            return name
    for name, field in free.items():
        if _is_made_for(field, word):
            return name
    return next((name for name, field in free.items() if _is_text(field)), None)


def _is_text(field: Mapping[str, JSON]) -> bool:
    return field.get("type") == "string" and not {"enum", "pattern"} & field.keys()


def _is_made_for(field: Mapping[str, JSON], word: str) -> bool:
    """Whether a field takes few words, and this one among them."""
    if "enum" in field:
        return word in field["enum"]
    match field.get("type"):
        case "string" if "pattern" in field:
            return re.search(field["pattern"], word) is not None
        case "integer":
            return _WHOLE.fullmatch(word) is not None and _is_in_range(field, int(word))
        case "number":
            return _NUMBER.fullmatch(word) is not None and _is_in_range(field, float(word))
        case "boolean":
            return word.lower() in {"true", "false", "yes", "no"}
        case _:
            return False


def _is_in_range(field: Mapping[str, JSON], number: float) -> bool:
    lowest, highest = field.get("minimum", number), field.get("maximum", number)
    return bool(lowest <= number <= highest)


def _from_json(text: str) -> Mapping[str, JSON]:
    try:
        arguments: Mapping[str, JSON] = json.loads(text)
    except (ValueError, RecursionError):
        raise UnclearError(Text("unreadable_json")) from None
    return arguments
