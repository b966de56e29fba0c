"""Calls about the service itself and the accounts of its users."""

from collections.abc import Mapping, Sequence

from lycatra_appservice.matrix.calls import V3, Calls
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.http import Request
from lycatra_appservice.matrix.users import DEVICE_ID
from lycatra_appservice.model import JSON, UserID


class AccountCalls(Calls):
    """Ping, registration, devices, profiles."""

    async def ping(self, appservice_id: str, txn_id: str) -> None:
        """Have the homeserver call us back; on success it sends at once what it kept for us."""
        path = ("_matrix", "client", "v1", "appservice", appservice_id, "ping")
        body = {"transaction_id": txn_id}
        await self._homeserver.ask(Request(method="POST", path=path, body=body))

    async def versions(self) -> Sequence[str]:
        """Which versions of the specification the homeserver speaks."""
        path = ("_matrix", "client", "versions")
        answer = await self._homeserver.ask(Request(method="GET", path=path))
        return [str(version) for version in answer.get("versions", ())]

    async def register(self, localpart: str) -> bool:
        """Make a user of our namespace; False when it was there already."""
        body = {
            "type": "m.login.application_service",
            "username": localpart,
            "inhibit_login": True,
        }
        try:
            await self._homeserver.ask(Request(method="POST", path=(*V3, "register"), body=body))
        except MatrixError as exc:
            if exc.errcode != "M_USER_IN_USE":
                raise
            return False
        return True

    async def put_device(self, display_name: str, *, as_user: UserID) -> None:
        """Make the user's one device, or rename it; any replica may do it at any time."""
        path = (*V3, "devices", DEVICE_ID)
        query = (("user_id", as_user),)  # naming the device would ask for it before it is made
        body = {"display_name": display_name}
        await self._homeserver.ask(Request(method="PUT", path=path, query=query, body=body))

    async def whoami(self, *, as_user: UserID) -> Mapping[str, JSON]:
        """Whom and which device the homeserver takes us for."""
        answer: Mapping[str, JSON] = await self._get(as_user, (*V3, "account", "whoami"))
        return answer

    async def get_profile(self, user_id: UserID, *, as_user: UserID) -> Mapping[str, JSON] | None:
        """Display name and avatar of anybody; None for a user without a profile."""
        path = (*V3, "profile", user_id)
        profile: Mapping[str, JSON] | None = await self._get_if_there(as_user, path)
        return profile

    async def put_displayname(self, displayname: str, *, as_user: UserID) -> None:
        """Name the user. Writes a member event into each of its rooms."""
        path = (*V3, "profile", as_user, "displayname")
        await self._put(as_user, path, {"displayname": displayname})

    async def put_avatar_url(self, mxc: str, *, as_user: UserID) -> None:
        """Give the user a picture. Writes a member event into each of its rooms."""
        path = (*V3, "profile", as_user, "avatar_url")
        await self._put(as_user, path, {"avatar_url": mxc})
