"""Stands in for the Matrix Authentication Service: whose token is whose, and accounts."""

from dataclasses import dataclass
from typing import Final, Self

import aiohttp
from aiohttp import web

from lycatra_appservice.model import JSON, UserID

SECRET: Final = "shared-by-synapse-and-its-authentication-service"
_SCOPE: Final = "urn:matrix:client:api:* urn:matrix:client:device:{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MadePerson:
    """Somebody whose account is there, as a client knows him."""

    user_id: UserID
    device_id: str
    access_token: str


class AuthenticationService:
    """Answers introspection on loopback. `async with` owns it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._people: dict[str, MadePerson] = {}
        self._runner: web.AppRunner | None = None

    @property
    def config(self) -> JSON:
        """What stands in homeserver.yaml."""
        return {"enabled": True, "endpoint": f"http://127.0.0.1:{self._port}/", "secret": SECRET}

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/oauth2/introspect", self._introspect)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def person(self, homeserver_url: str, server: str, name: str) -> MadePerson:
        """Make an account with one device, as the real one does."""
        device_id = "PHONE"
        headers = {"Authorization": f"Bearer {SECRET}"}
        made = {"localpart": name, "set_displayname": name}
        device = {"localpart": name, "device_id": device_id}
        async with aiohttp.ClientSession(homeserver_url, headers=headers) as http:
            for path, body in (("provision_user", made), ("upsert_device", device)):
                async with http.post(f"/_synapse/mas/{path}", json=body) as answer:
                    assert answer.status < 300, await answer.text()
        person = MadePerson(
            user_id=UserID(f"@{name}:{server}"), device_id=device_id, access_token=f"mat_{name}"
        )
        self._people[person.access_token] = person
        return person

    async def _introspect(self, request: web.Request) -> web.Response:
        person = self._people.get(str((await request.post())["token"]))
        if person is None:
            return web.json_response({"active": False})
        name = person.user_id[1:].split(":")[0]
        return web.json_response(
            {
                "active": True,
                "scope": _SCOPE.format(person.device_id),
                "username": name,
                "sub": name,
                "expires_in": 3600,
            }
        )
