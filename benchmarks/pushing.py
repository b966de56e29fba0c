"""Synapse's side of the way in: transactions on one connection, one after another."""

import json
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Self

from benchmarks.measuring import WrongWorkError, require
from benchmarks.servers.serving import HS_TOKEN
from lycatra_appservice.model import JSON

CROWDS: Final = tuple(f"!crowd{n:02}:hs.test" for n in range(20))
_ROOMS: Final = tuple(f"!room{n:02}:hs.test" for n in range(20))
_ID_MARK: Final = b"$the-id-of-the-event"
_HEAD_END: Final = b"\r\n\r\n"
_SECONDS: Final = 20


@dataclass(frozen=True, slots=True)
class Push:
    """A ready request, and how many of its events are ours."""

    request: bytes
    events: int
    ours: int


class PushMaker:
    """Makes pushes whose transactions and events are all different."""

    def __init__(self) -> None:
        self._made = 0
        self._ours = [_event(room, "!list updates") for room in _ROOMS]
        self._others = [_event(room, "did anybody see the news today?") for room in CROWDS]

    def make(self, count: int, events: int, ours: int) -> list[Push]:
        """Make `count` pushes of `events` events, of which `ours` are commands to us."""
        return [self._push(events, ours) for _ in range(count)]

    def _push(self, events: int, ours: int) -> Push:
        # Ours lie spread over the push, as they would.
        places = {n * events // ours for n in range(ours)}
        texts = [self._text(self._ours if n in places else self._others) for n in range(events)]
        body = b'{"events":[' + b",".join(texts) + b"]}"
        head = (
            f"PUT /_matrix/app/v1/transactions/{self._made} HTTP/1.1\r\nHost: bench\r\n"
            f"Authorization: Bearer {HS_TOKEN}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return Push(head.encode() + body, events, ours)

    def _text(self, templates: Sequence[bytes]) -> bytes:
        self._made += 1
        name = b"$%d:%d" % (self._made, time.time_ns())
        return templates[self._made % len(templates)].replace(_ID_MARK, name)


class PushConnection:
    """One kept connection. It blocks: nothing else runs in this process meanwhile.

    A plain socket, so that what is measured is the server and not a client library.
    """

    def __init__(self, port: int) -> None:
        self._port = port

    def __enter__(self) -> Self:
        self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()

    def push_all(self, pushes: Sequence[Push]) -> float:
        """Push them and return pushes a second; raises WrongWorkError for any answer but 200."""
        began = time.perf_counter()
        for push in pushes:
            self.request(push.request)
        return len(pushes) / (time.perf_counter() - began)

    def ask(self, method: str, path: str, body: JSON = None) -> JSON:
        """Any other request; its answer's JSON."""
        raw = json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(raw)}\r\n\r\n"
        return json.loads(self.request(head.encode() + raw))

    def request(self, request: bytes) -> bytes:
        """Send a ready request and return the answer's body."""
        self._socket.sendall(request)
        answer = self._read(lambda got: _HEAD_END in got, b"")
        head, _, body = answer.partition(_HEAD_END)
        length = _content_length(head)
        body = self._read(lambda got: len(got) >= length, body)
        require(head.startswith(b"HTTP/1.1 200"), f"answered {head[:60]!r} {body[:200]!r}")
        return body

    def _read(self, is_enough: Callable[[bytes], bool], got: bytes) -> bytes:
        while not is_enough(got):
            piece = self._socket.recv(65536)
            if not piece:
                raise WrongWorkError(f"the connection was closed after {got[:200]!r}")
            got += piece
        return got


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return int(value)
    raise WrongWorkError(f"an answer without a length: {head[:200]!r}")


def _event(room: str, body: str) -> bytes:
    """A message as Synapse pushes it, with a mark where its id goes."""
    event = {
        "type": "m.room.message",
        "room_id": room,
        "sender": "@person0:hs.test",
        "content": {
            "body": body,
            "format": "org.matrix.custom.html",
            "formatted_body": f"<p>{body}</p>",
            "m.mentions": {},
            "msgtype": "m.text",
        },
        "origin_server_ts": 1_795_000_000_000,
        "unsigned": {"age": 12, "membership": "join"},
        "event_id": _ID_MARK.decode(),
        "user_id": "@person0:hs.test",
        "age": 12,
    }
    return json.dumps(event, separators=(",", ":")).encode()
