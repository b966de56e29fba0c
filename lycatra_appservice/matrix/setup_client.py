"""The calls that only setting up, examining and removing an installation make."""

from collections.abc import Mapping, Sequence

from lycatra_appservice.matrix.calls import ROOMS, V3
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.http import Request
from lycatra_appservice.model import JSON, RoomID, UserID


class SetupClient(MatrixClient):
    """The calls below name a user but no device: there may be none yet, or none any more."""

    async def sender(self) -> str:
        """The user that the homeserver takes us for when we name none: its registration's."""
        answer = await self._call("GET", (*V3, "account", "whoami"))
        return str(answer.get("user_id", ""))

    async def check_user(self, user_id: UserID) -> None:
        """Raise MatrixError (403) when we may not act as this user, or it was not made yet."""
        await self._call("GET", (*V3, "account", "whoami"), user_id)

    async def device_ids(self, user_id: UserID) -> Sequence[str]:
        """Every session of a user; one that we did not make belongs to somebody who logged in."""
        answer = await self._call("GET", (*V3, "devices"), user_id)
        return [str(device.get("device_id")) for device in answer.get("devices", ())]

    async def found_users(self, term: str, *, as_user: UserID) -> Sequence[str]:
        """Who is found in the user directory; it shows only whom it may."""
        body = {"search_term": term, "limit": 50}
        answer = await self._call("POST", (*V3, "user_directory", "search"), as_user, body)
        return [str(result.get("user_id")) for result in answer.get("results", ())]

    async def joined_rooms(self, user_id: UserID) -> Sequence[RoomID]:
        """Every room that a user is in, not those it is only invited to."""
        answer = await self._call("GET", (*V3, "joined_rooms"), user_id)
        return [RoomID(room_id) for room_id in answer.get("joined_rooms", ())]

    async def leave_for_good(self, room_id: RoomID, reason: str, user_id: UserID) -> None:
        """Leave a room; its members read the reason."""
        await self._call("POST", (*ROOMS, room_id, "leave"), user_id, {"reason": reason})

    async def remove_alias(self, alias: str, user_id: UserID) -> bool:
        """Take the name off a room; False when there is no such name."""
        try:
            await self._call("DELETE", (*V3, "directory", "room", alias), user_id)
        except MatrixError as error:
            if error.status != 404:
                raise
            return False
        return True

    async def deactivate(self, user_id: UserID) -> None:
        """End an account: its devices go, its invitations are refused, nobody can log in.

        Synapse (1.163) lets us go on using it all the same, so a later installation may.
        """
        await self._call("POST", (*V3, "account", "deactivate"), user_id, {"erase": False})

    async def _call(
        self,
        method: str,
        path: Sequence[str],
        user_id: UserID | None = None,
        body: Mapping[str, JSON] | None = None,
    ) -> JSON:
        query = (("user_id", user_id),) if user_id else ()
        return await self._homeserver.ask(
            Request(method=method, path=path, query=query, body=body)
        )
