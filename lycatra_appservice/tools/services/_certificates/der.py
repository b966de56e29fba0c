"""Takes DER apart, the encoding of certificates; whatever bytes come, it ends in ValueError."""

from collections.abc import Iterator
from dataclasses import dataclass

_LONG_FORM = 0x80
_MOST_LENGTH_BYTES = 4
_LONG_TAG = 0x1F


@dataclass(frozen=True, slots=True)
class Element:
    """A value with its tag byte; `content` is without tag and length."""

    tag: int
    content: bytes

    def inner(self) -> Iterator["Element"]:
        """What it is made of, if it is a sequence, a set or a wrapping."""
        return elements(self.content)


def elements(data: bytes) -> Iterator[Element]:
    """One after the other, to the end of the bytes."""
    at = 0
    while at < len(data):
        if data[at] & _LONG_TAG == _LONG_TAG:
            raise ValueError("a tag that certificates do not have")
        length, begin = _length(data, at + 1)
        if begin + length > len(data):
            raise ValueError("an element is longer than what it is in")
        yield Element(data[at], data[begin : begin + length])
        at = begin + length


def only(data: bytes) -> Element:
    """The one element that the bytes are; ValueError where they are none, or more."""
    found = list(elements(data))
    if len(found) != 1:
        raise ValueError("not exactly one element")
    return found[0]


def _length(data: bytes, at: int) -> tuple[int, int]:
    """The length that is written there, and where the content begins."""
    if at >= len(data):
        raise ValueError("an element without a length")
    first = data[at]
    if first < _LONG_FORM:
        return first, at + 1
    count = first - _LONG_FORM
    written = data[at + 1 : at + 1 + count]
    if not 0 < count <= _MOST_LENGTH_BYTES or len(written) < count:
        raise ValueError("a length that cannot be read")
    return int.from_bytes(written, "big"), at + 1 + count
