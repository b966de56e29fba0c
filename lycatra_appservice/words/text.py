"""A fixed text before it is in any language: its key in the catalogue, and what is filled in."""

from collections.abc import Mapping, Sequence
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


Said: TypeAlias = Text | str  # a str was written by a person, a model or a tool
Value: TypeAlias = Said | int | Sequence[Said]
