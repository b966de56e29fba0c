"""Cutting JSON by its brackets without reading it, for what no parser takes as a whole. Pure."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final

# Possessive: text without its end costs one look, not one for each of its characters.
_STRING: Final = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_TOKEN: Final = re.compile(_STRING + rb"|[\[\]{},]", re.DOTALL)
_MEMBER: Final = re.compile(rb"\s*(" + _STRING + rb")\s*:(.*)", re.DOTALL)


def members_of(raw: bytes) -> Mapping[str, bytes]:
    """The members of a JSON object as they stand, the last of those with the same name.

    Raises ValueError when it is no object or does not end.
    """
    if raw.lstrip()[:1] != b"{":
        raise ValueError("not a JSON object")
    found = [_MEMBER.fullmatch(piece) for piece in _cut(raw)]
    return {json.loads(member[1]): member[2] for member in found if member}


def items_of(raw: bytes) -> Sequence[bytes]:
    """The items of a JSON array as they stand. Raises ValueError when it is none."""
    if raw.lstrip()[:1] != b"[":
        raise ValueError("not a JSON array")
    return _cut(raw)


def _cut(raw: bytes) -> Sequence[bytes]:
    pieces: list[bytes] = []
    depth, start = 0, 0
    for token in _TOKEN.finditer(raw):
        match token.group():
            case b"[" | b"{":
                depth += 1
                if depth == 1:
                    start = token.end()
            case b"]" | b"}":
                depth -= 1
                if depth == 0:
                    last = raw[start : token.start()].strip()
                    return [*pieces, last] if last else pieces
            case b"," if depth == 1:
                pieces.append(raw[start : token.start()].strip())
                start = token.end()
            case _:
                pass  # text, or a comma further in
    raise ValueError("the JSON does not end")
