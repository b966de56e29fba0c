"""People on a homeserver of our own: made or logged in again without anybody's browser."""

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Protocol

from lycatra_appservice.demo.client_api import ClientApi, ClientApiError
from lycatra_appservice.demo.person_client import PersonClient
from lycatra_appservice.model import JSON, UserID

__all__ = ["ClientApiError", "HomeserverWithSecret", "Person", "PersonClient", "register_person"]

_REGISTER = "/_synapse/admin/v1/register"
_LOGIN = "/_matrix/client/v3/login"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who can log in with any Matrix client, and a session that we already have."""

    user_id: UserID
    device_id: str
    access_token: str = field(repr=False)
    password: str = field(repr=False)

    @property
    def localpart(self) -> str:
        """The name that the person types to log in."""
        return self.user_id[1:].split(":", 1)[0]


class HomeserverWithSecret(Protocol):
    """What registering needs of a homeserver: its address and its shared secret."""

    @property
    def url(self) -> str:
        """Where its client API is."""

    @property
    def registration_shared_secret(self) -> str:
        """Synapse's `registration_shared_secret`."""


async def register_person(
    homeserver: HomeserverWithSecret,
    username: str,
    password: str,
    admin: bool = False,
    device_id: str | None = None,
) -> Person:
    """Make this person, or log them in if they exist already.

    With `device_id` a later log-in takes over that device, and the token of the earlier one ends;
    without, every log-in leaves one more device behind. Raises ClientApiError, M_FORBIDDEN when
    the person exists with another password.
    """
    async with ClientApi(homeserver.url) as api:
        try:
            answer = await _register(
                api, homeserver.registration_shared_secret, username, password, admin
            )
        except ClientApiError as error:
            if error.errcode != "M_USER_IN_USE":
                raise
        else:
            if device_id is None:
                return _person(answer, password)
        return _person(await _log_in(api, username, password, device_id), password)


async def _register(
    api: ClientApi, shared_secret: str, username: str, password: str, admin: bool
) -> JSON:
    nonce = (await api.call("GET", _REGISTER))["nonce"]
    role = "admin" if admin else "notadmin"
    signed = "\0".join((nonce, username, password, role)).encode()
    body = {
        "nonce": nonce,
        "username": username,
        "password": password,
        "admin": admin,
        # SHA-1 is what Synapse defines here.
        "mac": hmac.new(shared_secret.encode(), signed, hashlib.sha1).hexdigest(),
    }
    return await api.call("POST", _REGISTER, body)


async def _log_in(api: ClientApi, username: str, password: str, device_id: str | None) -> JSON:
    body = {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": username},
        "password": password,
        "initial_device_display_name": "Lycatra demo",
    }
    if device_id is not None:
        body["device_id"] = device_id
    return await api.call("POST", _LOGIN, body)


def _person(answer: JSON, password: str) -> Person:
    return Person(
        user_id=UserID(answer["user_id"]),
        device_id=answer["device_id"],
        access_token=answer["access_token"],
        password=password,
    )
