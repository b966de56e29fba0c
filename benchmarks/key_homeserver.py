"""A homeserver that costs nothing: rooms of one person each, whose device has keys."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web
from mautrix.crypto import OlmAccount
from mautrix.types import DeviceID, UserID

from lycatra_appservice.demo.homeserver import free_port
from lycatra_appservice.model import JSON
from tests.support.encrypted import ENCRYPTION

_V3: Final = "/_matrix/client/v3"
_DEVICE: Final = DeviceID("PHONE")
# What the answers to some requests must have. None of us is in a room, as far as it says: or each
# would be looked through for what was missed.
_ANYTHING: Final[JSON] = {"room_id": "!new:hs.test", "next_batch": "s1", "joined_rooms": []}


class KeyHomeserver:
    """`people` has who is in each room beside `ours`.

    `sent` counts the events that came, by type and room.
    """

    def __init__(self, people: Mapping[str, str], ours: str, *, encrypted: bool) -> None:
        self.port = free_port()
        self.sent: Counter[tuple[str, str]] = Counter()
        self._people = people
        self._ours = ours
        self._encrypted = encrypted
        self._devices: dict[str, JSON] = {}  # of our users, as they published them
        self._accounts = {UserID(person): OlmAccount() for person in people.values()}

    def app(self) -> web.Application:
        """Its routes."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.add_routes(
            [
                web.get("/_matrix/client/versions", self._versions),
                web.post(f"{_V3}/keys/upload", self._published),
                web.post(f"{_V3}/keys/query", self._queried),
                web.post(f"{_V3}/keys/claim", self._claimed),
                web.get(f"{_V3}/rooms/{{room}}/state", self._state),
                web.put(f"{_V3}/rooms/{{room}}/send/{{type}}/{{txn}}", self._send),
                web.route("*", "/{anything:.*}", self._nothing),
            ]
        )
        return app

    async def _versions(self, request: web.Request) -> web.Response:
        return web.json_response({"versions": ["v1.1", "v1.15"]})

    async def _published(self, request: web.Request) -> web.Response:
        device = (await request.json()).get("device_keys")
        if device is not None:
            self._devices[device["user_id"]] = {device["device_id"]: device}
        return web.json_response({"one_time_key_counts": {"signed_curve25519": 50}})

    async def _queried(self, request: web.Request) -> web.Response:
        asked = (await request.json())["device_keys"]
        return web.json_response({"device_keys": {user: self._devices_of(user) for user in asked}})

    def _devices_of(self, user: UserID) -> JSON:
        account = self._accounts.get(user)
        if account is None:
            return self._devices.get(user, {})
        return {_DEVICE: account.get_device_keys(user, _DEVICE).serialize()}

    async def _claimed(self, request: web.Request) -> web.Response:
        wanted = (await request.json())["one_time_keys"]
        keys = {user: {_DEVICE: self._one_time_key(user)} for user in wanted}
        return web.json_response({"one_time_keys": keys})

    def _one_time_key(self, user: UserID) -> dict[str, JSON]:
        account = self._accounts[user]
        account.generate_one_time_keys(1)
        keys = account.get_one_time_keys(user, _DEVICE, account.max_one_time_keys)
        account.mark_keys_as_published()
        return keys

    async def _state(self, request: web.Request) -> web.Response:
        room = request.match_info["room"]
        by = self._people[room]
        state = [_state("m.room.create", "", by, {"room_version": "11"})]
        state += [
            _state("m.room.member", who, who, {"membership": "join"}) for who in (by, self._ours)
        ]
        if self._encrypted:
            state.append(_state("m.room.encryption", "", by, ENCRYPTION))
        return web.json_response(state)

    async def _send(self, request: web.Request) -> web.Response:
        place = request.match_info["type"], request.match_info["room"]
        self.sent[place] += 1
        return web.json_response({"event_id": f"$sent{self.sent.total()}"})

    async def _nothing(self, request: web.Request) -> web.Response:
        return web.json_response(_ANYTHING)


@asynccontextmanager
async def running_key_homeserver(
    people: Mapping[str, str], ours: str, *, encrypted: bool
) -> AsyncIterator[KeyHomeserver]:
    """One on loopback."""
    homeserver = KeyHomeserver(people, ours, encrypted=encrypted)
    runner = web.AppRunner(homeserver.app(), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", homeserver.port).start()
        yield homeserver
    finally:
        await runner.cleanup()


def _state(event_type: str, key: str, by: str, content: Mapping[str, JSON]) -> dict[str, JSON]:
    return {"type": event_type, "state_key": key, "sender": by, "content": content}
