"""What clients of this process wait for: questions to them, calls under way, open streams."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeAlias, TypeVar

from lycatra_appservice.mcp.outbox import Outbox
from lycatra_appservice.model import JSON

_EntryT = TypeVar("_EntryT")
_Key: TypeAlias = tuple[str, str]  # nonce of the session, id of the request


class Cuttable(Protocol):
    """Something under way that can be ended from outside."""

    def cut(self, code: int, message: str) -> None:
        """End it, with an error for its client."""


class Here:
    """Registers; every entry lives as long as its `with` block."""

    def __init__(self) -> None:
        self._questions: dict[_Key, asyncio.Future[JSON]] = {}
        self._calls: dict[_Key, Cuttable] = {}
        self._of_token: dict[str, set[Cuttable]] = {}
        self._streams: dict[str, set[Outbox]] = {}
        self._under_way = 0
        self.idle = asyncio.Event()  # set while no call is under way
        self.idle.set()

    @contextmanager
    def question(self, nonce: str, request_id: str) -> Iterator[asyncio.Future[JSON]]:
        """Wait for a client's answer: the whole message of it."""
        key = _key(nonce, request_id)
        future = self._questions[key] = asyncio.get_running_loop().create_future()
        try:
            yield future
        finally:
            del self._questions[key]

    def is_asked(self, nonce: str, request_id: JSON) -> bool:
        """Whether somebody here waits for this answer."""
        return _key(nonce, request_id) in self._questions

    def open_questions(self) -> Sequence[tuple[str, str]]:
        """Nonce and id of all that is waited for here."""
        return [(nonce, json.loads(request_id)) for nonce, request_id in self._questions]

    def answer(self, nonce: str, request_id: JSON, message: JSON) -> bool:
        """Bring a client's answer; False when nobody here waits for it."""
        future = self._questions.get(_key(nonce, request_id))
        if future is None:
            return False
        if not future.done():
            future.set_result(message)
        return True

    @contextmanager
    def call(
        self, exchange: Cuttable, token_id: str, nonce: str | None, request_id: JSON
    ) -> Iterator[None]:
        """A call under way, which its client may cancel, or the end of its token."""
        key = None if nonce is None else _key(nonce, request_id)
        if key is not None:
            self._calls[key] = exchange
        self._under_way += 1
        self.idle.clear()
        try:
            with self.held_by(token_id, exchange):
                yield
        finally:
            if key is not None and self._calls.get(key) is exchange:
                del self._calls[key]
            self._under_way -= 1
            if not self._under_way:
                self.idle.set()

    @contextmanager
    def held_by(self, token_id: str, held: Cuttable) -> Iterator[None]:
        """Something that ends with a token."""
        self._of_token.setdefault(token_id, set()).add(held)
        try:
            yield
        finally:
            _drop(self._of_token, token_id, held)

    def cancel(self, nonce: str, request_id: JSON, code: int, message: str) -> bool:
        """End a call for its client; False when it is not under way here."""
        exchange = self._calls.get(_key(nonce, request_id))
        if exchange is None:
            return False
        exchange.cut(code, message)
        return True

    def cut_token(self, token_id: str, code: int, message: str) -> None:
        """End all calls and streams of a token."""
        for exchange in tuple(self._of_token.get(token_id, ())):
            exchange.cut(code, message)

    @contextmanager
    def stream(self, nonce: str, outbox: Outbox) -> Iterator[None]:
        """A stream that a session listens to."""
        self._streams.setdefault(nonce, set()).add(outbox)
        try:
            yield
        finally:
            _drop(self._streams, nonce, outbox)

    def push(self, nonce: str, message: dict[str, JSON]) -> None:
        """Tell a session something by whatever streams it has open here."""
        for outbox in self._streams.get(nonce, ()):
            outbox.put(message)

    def close_streams(self, nonce: str | None = None) -> None:
        """End the streams of a session, or all."""
        of_one = [self._streams.get(nonce, set())] if nonce else self._streams.values()
        for outboxes in tuple(of_one):
            for outbox in outboxes:
                outbox.close()


def _key(nonce: str, request_id: JSON) -> _Key:
    return nonce, json.dumps(request_id)  # 7 and "7" are two ids


def _drop(register: dict[str, set[_EntryT]], key: str, entry: _EntryT) -> None:
    entries = register[key]
    entries.discard(entry)
    if not entries:
        del register[key]
