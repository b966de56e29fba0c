"""A fixed text before it is in any language: its key in the catalogue, and what is filled in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias


@dataclass(frozen=True, slots=True, init=False)
class Text:
    """What is to be said. It passes all stages as it is; the last one puts it into words.

    Values may be texts themselves, or sequences, of which each becomes a line.
    """

    key: str
    values: Mapping[str, "Value"]

    def __init__(self, key: str, /, **values: "Value") -> None:
        object.__setattr__(self, "key", key)
        object.__setattr__(self, "values", MappingProxyType(values))

    def filled_by(self, change: Callable[["Value"], "Value"]) -> "Text":
        """The same text, with each of its values put through `change`."""
        return Text(self.key, **{name: change(value) for name, value in self.values.items()})


Said: TypeAlias = Text | str  # a str was written by a person, a model or a tool
Value: TypeAlias = Said | int | Sequence[Said]


def said_to_json(said: Said) -> object:
    """As json.dumps takes it, for a journal: what is said later, in a language known then."""
    if isinstance(said, str):
        return said
    return {"key": said.key, "values": {name: _kept(value) for name, value in said.values.items()}}


def said_from_json(kept: object) -> Said:
    """What `said_to_json` made this of; anything else is said as it is."""
    match kept:
        case {"key": str(key), "values": dict(values)}:
            return Text(key, **{str(name): _read(value) for name, value in values.items()})
        case _:
            return str(kept)


def _kept(value: Value) -> object:
    if isinstance(value, str | Text):
        return said_to_json(value)
    return value if isinstance(value, int) else [said_to_json(each) for each in value]


def _read(kept: object) -> Value:
    match kept:
        case int():
            return kept
        case list():
            return [said_from_json(each) for each in kept]
        case _:
            return said_from_json(kept)
