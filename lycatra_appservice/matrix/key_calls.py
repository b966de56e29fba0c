"""Calls about the keys of end-to-end encryption: devices, their keys, messages between them."""

from collections.abc import Mapping, Sequence

from lycatra_appservice.matrix.calls import V3, Calls, identity
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.http import Request
from lycatra_appservice.model import JSON, UserID


class KeyCalls(Calls):
    """All JSON in and out is that of the client-server API, section "end-to-end encryption"."""

    async def create_device(self, device_id: str, display_name: str, *, as_user: UserID) -> None:
        """Make a device of a user, or rename it; no log-in is needed (MSC4190)."""
        query = (("user_id", as_user),)  # naming the device would ask for it before it is made
        body = {"display_name": display_name}
        path = (*V3, "devices", device_id)
        await self._homeserver.ask(Request(method="PUT", path=path, query=query, body=body))

    async def devices(self, *, as_user: UserID) -> Sequence[str]:
        """The ids of a user's devices."""
        answer = await self._get(as_user, (*V3, "devices"))
        return [str(device["device_id"]) for device in answer.get("devices", ())]

    async def delete_device(self, device_id: str, *, as_user: UserID) -> None:
        """Take a device away, with all that waits for it (MSC4190: nobody is asked)."""
        path = (*V3, "devices", device_id)
        request = Request(method="DELETE", path=path, query=identity(as_user), body={})
        try:
            await self._homeserver.ask(request)
        except MatrixError as error:
            if error.status != 404:
                raise

    async def upload_keys(
        self, body: Mapping[str, JSON], *, as_user: UserID, device_id: str
    ) -> Mapping[str, int]:
        """Publish keys of a device; how many one-time keys are left, by algorithm."""
        answer = await self._tell(("keys", "upload"), body, as_user, device_id)
        counts: Mapping[str, int] = answer.get("one_time_key_counts", {})
        return counts

    async def query_keys(
        self, users: Sequence[UserID], *, as_user: UserID, device_id: str
    ) -> Mapping[str, JSON]:
        """The devices of users, and their cross-signing keys."""
        body = {"device_keys": {user: [] for user in users}, "timeout": 10_000}
        return await self._tell(("keys", "query"), body, as_user, device_id)

    async def claim_keys(
        self, wanted: Mapping[str, Mapping[str, str]], *, as_user: UserID, device_id: str
    ) -> Mapping[str, JSON]:
        """One key of each of these devices, by user, device and algorithm; each is given once."""
        body = {"one_time_keys": wanted, "timeout": 10_000}
        return await self._tell(("keys", "claim"), body, as_user, device_id)

    async def send_to_device(
        self,
        event_type: str,
        txn_id: str,
        messages: Mapping[str, Mapping[str, JSON]],
        *,
        as_user: UserID,
        device_id: str,
    ) -> None:
        """Send contents to devices, by user and device (`*`: all of that user)."""
        path = (*V3, "sendToDevice", event_type, txn_id)
        query = identity(as_user, device_id)
        await self._homeserver.ask(
            Request(method="PUT", path=path, query=query, body={"messages": messages})
        )

    async def upload_signing_keys(
        self, body: Mapping[str, JSON], *, as_user: UserID, device_id: str
    ) -> None:
        """Publish the keys by which a user signs his own devices and other people."""
        await self._tell(("keys", "device_signing", "upload"), body, as_user, device_id)

    async def upload_signatures(
        self, body: Mapping[str, JSON], *, as_user: UserID, device_id: str
    ) -> Mapping[str, JSON]:
        """Publish signatures; `failures` of the answer are those that were refused."""
        return await self._tell(("keys", "signatures", "upload"), body, as_user, device_id)

    async def _tell(
        self, path: Sequence[str], body: Mapping[str, JSON], as_user: UserID, device_id: str
    ) -> Mapping[str, JSON]:
        answer: Mapping[str, JSON] = await self._homeserver.ask(
            Request(
                method="POST", path=(*V3, *path), query=identity(as_user, device_id), body=body
            )
        )
        return answer
