"""What a stage knows about its work, bound once and then part of every log record inside.

At the bottom of the tree, because every stage binds; `ops.logs` writes it out.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Final

_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})
_fields: Final[ContextVar[Mapping[str, object]]] = ContextVar("log_fields", default=_NOTHING)


@contextmanager
def bind(**fields: object) -> Iterator[None]:
    """Add fields to every record logged inside, also in tasks started there.

    An inner binding wins over an outer one. Fields are names of things (`room_id`, `tool`),
    never what somebody wrote.
    """
    token = _fields.set({**_fields.get(), **fields})
    try:
        yield
    finally:
        _fields.reset(token)


def bound_fields() -> Mapping[str, object]:
    """Return what is bound here and now."""
    return _fields.get()
