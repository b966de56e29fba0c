"""A small homeserver on loopback: the routes we call, with Synapse's memory, rules and answers.

It knows registered users and their devices, members, bans and who may speak, transaction ids per
device, and media. What a test wants to go wrong is scripted with `fail`; what was asked stands in
`requests`.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.test_utils import TestServer
from aiohttp.typedefs import Handler

from lycatra_appservice.model import JSON, EventID

SERVER_NAME = "hs.test"
AS_TOKEN = "as-token-of-the-tests"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRequest:
    """One request as it arrived."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def user(self) -> str:
        return self.query.get("user_id", "")

    @property
    def json(self) -> JSON:
        return json.loads(self.body)


@dataclass(slots=True, kw_only=True)
class Failure:
    """An answer instead of the right one, for the next `times` requests that it fits."""

    method: str
    contains: str  # part of the path
    status: int
    errcode: str | None = None
    error: str = "scripted"
    more: Mapping[str, JSON] = field(default_factory=dict)  # further keys of the body
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None  # the body, instead of JSON
    user: str | None = None  # only for this one
    times: int = 1
    after: bool = False  # True: the request is carried out, and only its answer is lost
    hang: asyncio.Event | None = None  # wait for this before answering

    def fits(self, seen: SeenRequest) -> bool:
        return (
            self.times > 0
            and seen.method == self.method
            and self.contains in seen.path
            and self.user in {None, seen.user}
        )

    def response(self) -> web.Response:
        body = self.raw
        if body is None:
            answer = {} if self.errcode is None else {"errcode": self.errcode, "error": self.error}
            body = json.dumps({**answer, **self.more}).encode()
        return web.Response(status=self.status, body=body, headers=self.headers)


@dataclass(slots=True)
class Room:
    """Members, and the timeline in order of arrival."""

    members: dict[str, str] = field(default_factory=dict)  # user id -> membership
    silenced: set[str] = field(default_factory=set)  # joined, but without the power to speak
    invite_only: bool = True
    events: list[dict[str, JSON]] = field(default_factory=list)
    sent_by: dict[str, tuple[str, str | None, str]] = field(default_factory=dict)


class RefusedError(Exception):
    """What the stub itself refuses."""

    def __init__(self, status: int, errcode: str, error: str = "refused") -> None:
        super().__init__(errcode)
        self.status, self.errcode, self.error = status, errcode, error

    def response(self) -> web.Response:
        body = {"errcode": self.errcode, "error": self.error}
        return web.json_response(body, status=self.status)


class HomeserverStub:
    """The state of the stub; a test looks at it and changes it directly."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[SeenRequest] = []
        self.failures: list[Failure] = []
        self.users: set[str] = set()
        self.devices: set[tuple[str, str]] = set()
        self.profiles: dict[str, dict[str, JSON]] = {}
        self.rooms: dict[str, Room] = {}
        self.aliases: dict[str, str] = {}
        self.media: dict[str, tuple[str, bytes | None]] = {}  # mxc -> owner, bytes
        self.state: dict[tuple[str, str, str], JSON] = {}  # room, type, state key -> content
        self.senders: dict[tuple[str, str, str], str] = {}  # of that state, where it matters
        self.syncs: list[JSON] = []  # answers, each used once; then empty ones
        self.transactions: dict[tuple[str, str | None, str, str], str] = {}
        self.creators: dict[str, str] = {}  # of rooms that were made here
        self.encrypts_new_rooms = False
        self.joined_at: dict[str, int] = {}  # of users, as the homeserver dates their membership
        self._count = 0

    def add_user(self, user: str, *, device: str | None = "LYC") -> None:
        """A registered user, with its device unless that is None."""
        self.users.add(user)
        if device is not None:
            self.devices.add((user, device))

    def add_room(self, room_id: str, *joined: str) -> Room:
        self.rooms[room_id] = Room(members=dict.fromkeys(joined, "join"))
        return self.rooms[room_id]

    def add_event(self, room_id: str, event: Mapping[str, JSON]) -> EventID:
        """An event that did not come through our client."""
        event_id = EventID(f"$event{self.new_id()}")
        self.rooms[room_id].events.append({**event, "event_id": event_id, "room_id": room_id})
        return event_id

    def add_media(self, data: bytes) -> str:
        """What somebody has uploaded; returns its mxc."""
        mxc = f"mxc://{SERVER_NAME}/media{self.new_id()}"
        self.media[mxc] = ("", data)
        return mxc

    def fail(self, failure: Failure) -> Failure:
        """Let the next fitting requests fail; returns the failure, to look at its `times`."""
        self.failures.append(failure)
        return failure

    def forget_transactions(self) -> None:
        """What a deleted device leaves: the events, but no memory of their ids."""
        self.transactions.clear()

    def asked(self, method: str, contains: str) -> Sequence[SeenRequest]:
        return [seen for seen in self.requests if seen.method == method and contains in seen.path]

    def new_id(self) -> str:
        self._count += 1
        return f"{self._count:04d}"


class _Routes:
    """The answers; each handler is one route."""

    def __init__(self, stub: HomeserverStub) -> None:
        self._stub = stub

    def app(self) -> web.Application:
        app = web.Application(client_max_size=64 * 1024 * 1024, middlewares=[self._each])
        v3, media = "/_matrix/client/v3", "/_matrix/media"
        room = f"{v3}/rooms/{{room}}"
        app.add_routes(
            [
                web.get("/_matrix/client/versions", self._versions),
                web.post("/_matrix/client/v1/appservice/{id}/ping", self._nothing),
                web.post(f"{v3}/register", self._register),
                web.put(f"{v3}/devices/{{device}}", self._put_device),
                web.get(f"{v3}/account/whoami", self._whoami),
                web.get(f"{v3}/profile/{{user}}", self._get_profile),
                web.put(f"{v3}/profile/{{user}}/{{field}}", self._put_profile),
                web.get(f"{v3}/sync", self._sync),
                web.get(f"{v3}/joined_rooms", self._joined_rooms),
                web.post(f"{v3}/createRoom", self._create_room),
                web.get(f"{v3}/directory/room/{{alias}}", self._resolve),
                web.delete(f"{v3}/directory/room/{{alias}}", self._drop_alias),
                web.post(f"{v3}/join/{{room}}", self._join),
                web.post(f"{room}/leave", self._leave),
                web.post(f"{room}/invite", self._invite),
                web.get(f"{room}/members", self._members),
                web.get(f"{room}/state", self._all_state),
                web.get(f"{room}/state/{{type}}/{{key:.*}}", self._get_state),
                web.put(f"{room}/state/{{type}}/{{key:.*}}", self._put_state),
                web.put(f"{room}/send/{{type}}/{{txn}}", self._send),
                web.put(f"{room}/redact/{{event}}/{{txn}}", self._redact),
                web.put(f"{room}/typing/{{user}}", self._nothing),
                web.get(f"{room}/messages", self._messages),
                web.get(f"{room}/event/{{event}}", self._event),
                web.post(f"{media}/v1/create", self._create_media),
                web.put(f"{media}/v3/upload/{{server}}/{{media}}", self._fill_media),
                web.get(
                    "/_matrix/client/v1/media/download/{server}/{media}", self._download_media
                ),
            ]
        )
        return app

    @web.middleware
    async def _each(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        seen = SeenRequest(
            method=request.method,
            path=request.path,
            query=dict(request.query),
            headers=dict(request.headers),
            body=await request.read(),
        )
        self._stub.requests.append(seen)
        failure = next((each for each in self._stub.failures if each.fits(seen)), None)
        if failure is None:
            return await self._answer(request, handler, seen)
        failure.times -= 1
        if failure.after:
            await self._answer(request, handler, seen)
        if failure.hang is not None:
            await failure.hang.wait()
        return failure.response()

    async def _answer(
        self, request: web.Request, handler: Handler, seen: SeenRequest
    ) -> web.StreamResponse:
        try:
            self._check_identity(seen)
            return await handler(request)
        except RefusedError as exc:
            return exc.response()

    def _check_identity(self, seen: SeenRequest) -> None:
        if seen.headers.get("Authorization") != f"Bearer {AS_TOKEN}":
            raise RefusedError(401, "M_UNKNOWN_TOKEN")
        user, device = seen.user, seen.query.get("device_id")
        if user and user not in self._stub.users:
            text = f"Application service has not registered this user ({user})"
            raise RefusedError(403, "M_FORBIDDEN", text)
        if device is not None and (user, device) not in self._stub.devices:
            raise RefusedError(400, "M_UNKNOWN_DEVICE")

    # The service and its users

    async def _nothing(self, request: web.Request) -> web.Response:
        return web.json_response({})

    async def _versions(self, request: web.Request) -> web.Response:
        return web.json_response({"versions": ["v1.1", "v1.15"]})

    async def _register(self, request: web.Request) -> web.Response:
        body = await request.json()
        user = f"@{body['username']}:{SERVER_NAME}"
        if not body.get("inhibit_login"):
            raise RefusedError(400, "M_INVALID_PARAM")
        if user in self._stub.users:
            raise RefusedError(400, "M_USER_IN_USE")
        self._stub.users.add(user)
        return web.json_response({"user_id": user})

    async def _put_device(self, request: web.Request) -> web.Response:
        self._stub.devices.add((request.query["user_id"], request.match_info["device"]))
        return web.json_response({}, status=201)

    async def _whoami(self, request: web.Request) -> web.Response:
        return web.json_response(dict(request.query))

    async def _get_profile(self, request: web.Request) -> web.Response:
        return web.json_response(_found(self._stub.profiles, request.match_info["user"]))

    async def _put_profile(self, request: web.Request) -> web.Response:
        profile = self._stub.profiles.setdefault(request.match_info["user"], {})
        profile.update(await request.json())
        return web.json_response({})

    async def _sync(self, request: web.Request) -> web.Response:
        syncs = self._stub.syncs
        return web.json_response(syncs.pop(0) if syncs else {"next_batch": "s1"})

    # Rooms

    async def _create_room(self, request: web.Request) -> web.Response:
        body = await request.json()
        alias = f"#{body.get('room_alias_name')}:{SERVER_NAME}"
        if alias in self._stub.aliases:
            raise RefusedError(400, "M_ROOM_IN_USE")
        room_id = f"!room{self._stub.new_id()}"
        room = self._stub.add_room(room_id, request.query["user_id"])
        room.members.update(dict.fromkeys(body.get("invite", ()), "invite"))
        if "room_alias_name" in body:
            self._stub.aliases[alias] = room_id
        self._found_state(room_id, request.query["user_id"], room.members)
        return web.json_response({"room_id": room_id})

    def _found_state(self, room_id: str, creator: str, members: Mapping[str, str]) -> None:
        state = self._stub.state
        self._stub.creators[room_id] = creator
        state[room_id, "m.room.create", ""] = {"room_version": "11"}
        state[room_id, "m.room.power_levels", ""] = {"users": {creator: 100}}
        for user, membership in members.items():
            state[room_id, "m.room.member", user] = {"membership": membership}
        if self._stub.encrypts_new_rooms:
            state[room_id, "m.room.encryption", ""] = {"algorithm": "m.megolm.v1.aes-sha2"}

    async def _drop_alias(self, request: web.Request) -> web.Response:
        _found(self._stub.aliases, request.match_info["alias"])
        del self._stub.aliases[request.match_info["alias"]]
        return web.json_response({})

    async def _resolve(self, request: web.Request) -> web.Response:
        room_id = _found(self._stub.aliases, request.match_info["alias"])
        return web.json_response({"room_id": room_id, "servers": [SERVER_NAME]})

    async def _join(self, request: web.Request) -> web.Response:
        room_id, user = request.match_info["room"], request.query["user_id"]
        room: Room = _found(self._stub.rooms, room_id)
        membership = room.members.get(user)
        if membership == "ban" or (room.invite_only and membership not in {"join", "invite"}):
            raise RefusedError(403, "M_FORBIDDEN", "You are not invited to this room.")
        self._set_member(room_id, user, "join", user)
        return web.json_response({"room_id": room_id})

    async def _joined_rooms(self, request: web.Request) -> web.Response:
        user = request.query["user_id"]
        rooms = self._stub.rooms.items()
        joined = [room_id for room_id, room in rooms if room.members.get(user) == "join"]
        return web.json_response({"joined_rooms": joined})

    async def _leave(self, request: web.Request) -> web.Response:
        self._room(request, "join", "invite")
        user = request.query["user_id"]
        self._set_member(request.match_info["room"], user, "leave", user)
        return web.json_response({})

    async def _invite(self, request: web.Request) -> web.Response:
        room = self._room(request, "join")
        user = (await request.json())["user_id"]
        if request.query["user_id"] in room.silenced or room.members.get(user) in {"join", "ban"}:
            raise RefusedError(403, "M_FORBIDDEN", f"{user} is already in the room.")
        self._set_member(request.match_info["room"], user, "invite", request.query["user_id"])
        return web.json_response({})

    def _set_member(self, room_id: str, user: str, membership: str, sender: str) -> None:
        self._stub.rooms[room_id].members[user] = membership
        place = (room_id, "m.room.member", user)
        self._stub.state[place] = {**self._stub.state.get(place, {}), "membership": membership}
        self._stub.senders[place] = sender

    async def _members(self, request: web.Request) -> web.Response:
        members = self._room(request, "join").members.items()
        chunk = [
            {
                "type": "m.room.member",
                "state_key": user,
                "content": {"membership": membership},
                "origin_server_ts": self._stub.joined_at.get(user, 0),
            }
            for user, membership in members
            if membership != request.query.get("not_membership")
        ]
        return web.json_response({"chunk": chunk})

    async def _all_state(self, request: web.Request) -> web.Response:
        self._room(request, "join")
        events = [
            {"type": place[1], "state_key": place[2], "content": content, **self._sender(place)}
            for place, content in self._stub.state.items()
            if place[0] == request.match_info["room"]
        ]
        return web.json_response(events)

    def _sender(self, place: tuple[str, str, str]) -> dict[str, str]:
        sender = self._stub.senders.get(place)
        if place[1] == "m.room.create":
            sender = self._stub.creators.get(place[0])
        return {} if sender is None else {"sender": sender}

    async def _get_state(self, request: web.Request) -> web.Response:
        self._room(request, "join")
        return web.json_response(_found(self._stub.state, _state_place(request)))

    async def _put_state(self, request: web.Request) -> web.Response:
        room = self._room(request, "join")
        room_id, kind, key = place = _state_place(request)
        content = await request.json()
        self._stub.state[place] = content
        event = {"type": kind, "state_key": key, "content": content}
        if kind == "m.room.member":
            room.members[key] = content["membership"]
        event_id = self._stub.add_event(room_id, {**event, "sender": request.query["user_id"]})
        return web.json_response({"event_id": event_id})

    # Events

    async def _send(self, request: web.Request) -> web.Response:
        return self._once(request, request.match_info["type"], await request.json())

    async def _redact(self, request: web.Request) -> web.Response:
        content = {**await request.json(), "redacts": request.match_info["event"]}
        return self._once(request, "m.room.redaction", content)

    def _once(self, request: web.Request, event_type: str, content: JSON) -> web.Response:
        user, device = request.query["user_id"], request.query.get("device_id")
        room_id, txn_id = request.match_info["room"], request.match_info["txn"]
        event_id = self._stub.transactions.get((user, device, room_id, txn_id))
        if event_id is None:
            room = self._room(request, "join")
            if user in room.silenced:
                raise RefusedError(403, "M_FORBIDDEN", "You don't have permission to post")
            event = {"type": event_type, "sender": user, "content": content}
            event_id = self._stub.add_event(room_id, event)
            room.sent_by[event_id] = (user, device, txn_id)
            self._stub.transactions[user, device, room_id, txn_id] = event_id
        return web.json_response({"event_id": event_id})

    async def _messages(self, request: web.Request) -> web.Response:
        room, query = self._room(request, "join", "leave"), request.query
        wanted = json.loads(query.get("filter", "{}"))
        senders, types = wanted.get("senders"), wanted.get("types")
        events = [
            event
            for event in room.events
            if (senders is None or event["sender"] in senders)
            and (types is None or event["type"] in types)
        ]
        if query["dir"] == "b":
            events.reverse()
        start, limit = int(query.get("from", "0")), int(query["limit"])
        chunk = [_as_seen(room, event, query) for event in events[start : start + limit]]
        more = {"end": str(start + limit)} if start + limit < len(events) else {}
        return web.json_response({"chunk": chunk, **more})

    async def _event(self, request: web.Request) -> web.Response:
        room = self._room(request, "join")
        events = {event["event_id"]: event for event in room.events}
        return web.json_response(_with_edit(_found(events, request.match_info["event"]), room))

    # Media

    async def _create_media(self, request: web.Request) -> web.Response:
        mxc = f"mxc://{SERVER_NAME}/media{self._stub.new_id()}"
        self._stub.media[mxc] = (request.query["user_id"], None)
        return web.json_response({"content_uri": mxc, "unused_expires_at": 0})

    async def _download_media(self, request: web.Request) -> web.Response:
        mxc = f"mxc://{request.match_info['server']}/{request.match_info['media']}"
        _, data = _found(self._stub.media, mxc)
        if data is None:
            raise RefusedError(504, "M_NOT_YET_UPLOADED")
        return web.Response(body=data, content_type="application/octet-stream")

    async def _fill_media(self, request: web.Request) -> web.Response:
        mxc = f"mxc://{request.match_info['server']}/{request.match_info['media']}"
        owner, data = _found(self._stub.media, mxc)
        if owner != request.query["user_id"]:
            raise RefusedError(403, "M_FORBIDDEN")
        if data is not None:
            raise RefusedError(409, "M_CANNOT_OVERWRITE_MEDIA")
        self._stub.media[mxc] = (owner, await request.read())
        return web.json_response({})

    def _room(self, request: web.Request, *memberships: str) -> Room:
        room_id, user = request.match_info["room"], request.query["user_id"]
        room = self._stub.rooms.get(room_id)
        if room is None or room.members.get(user) not in memberships:
            raise RefusedError(403, "M_FORBIDDEN", f"User {user} not in room {room_id}")
        return room


def _found(things: Mapping[JSON, JSON], key: JSON) -> JSON:
    if key not in things:
        raise RefusedError(404, "M_NOT_FOUND")
    return things[key]


def _state_place(request: web.Request) -> tuple[str, str, str]:
    return request.match_info["room"], request.match_info["type"], request.match_info["key"]


def _as_seen(
    room: Room, event: Mapping[str, JSON], query: Mapping[str, str]
) -> Mapping[str, JSON]:
    """Only the device that sent an event is shown its transaction id."""
    user, device, txn_id = room.sent_by.get(event["event_id"], ("", None, ""))
    mine = device is not None and (user, device) == (query["user_id"], query.get("device_id"))
    return {**event, "unsigned": {"transaction_id": txn_id} if mine else {}}


def _with_edit(event: Mapping[str, JSON], room: Room) -> Mapping[str, JSON]:
    """Beside an event stands the last edit of it by its own sender."""
    replaced = {"rel_type": "m.replace", "event_id": event["event_id"]}
    edits = [
        each
        for each in room.events
        if each["sender"] == event["sender"]
        and isinstance(each["content"], dict)  # a test may have put anything there
        and replaced.items() <= (each["content"].get("m.relates_to") or {}).items()
    ]
    if not edits or not event["content"]:
        return event
    unsigned = {"m.relations": {"m.replace": edits[-1]}, **event.get("unsigned", {})}
    return {**event, "unsigned": unsigned}


@asynccontextmanager
async def running_homeserver_stub() -> AsyncIterator[HomeserverStub]:
    """A stub that listens on 127.0.0.1; `url` says where."""
    stub = HomeserverStub()
    server = TestServer(_Routes(stub).app(), host="127.0.0.1")
    await server.start_server()
    stub.url = str(server.make_url("/"))
    try:
        yield stub
    finally:
        await server.close()
