"""Makes sure that one of our users exists with its device, when a homeserver says it does not."""

import logging
from typing import Final

from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import UserID

logger: Final = logging.getLogger(__name__)
_NOT_REGISTERED: Final = "not registered this user"  # Synapse gives no errcode of its own


class Accounts:
    """The accounts of our users on the homeserver. Any replica may use it at any time."""

    def __init__(self, client: MatrixClient, users: VirtualUsers) -> None:
        self._client = client
        self._users = users

    async def ensure(self, user_id: UserID) -> bool:
        """Register a configured user and make its device; True when the user is new.

        A new one gets its display name at once, so that nobody reads a bare localpart. Raises
        KeyError for a user that is not configured: those must never come to be.
        """
        display_name = self._users.display_name(user_id)
        created = await self._client.register(self._users.localpart_of(user_id))
        await self._client.put_device(display_name, as_user=user_id)
        if created:
            await self._client.put_displayname(display_name, as_user=user_id)
        logger.info("virtual_user_ensured", extra={"user_id": user_id, "is_new": created})
        return created


def was_never_registered(error: MatrixError) -> bool:
    """Whether there is no such user, who then is in no room either."""
    return error.status == 403 and _NOT_REGISTERED in error.reason


def is_account_missing(error: MatrixError) -> bool:
    """Whether `Accounts.ensure` may help: no such user yet, or its device was deleted."""
    if error.errcode == "M_UNKNOWN_DEVICE":
        return True
    is_exclusive = error.status == 403 and error.errcode == "M_EXCLUSIVE"
    return is_exclusive or was_never_registered(error)
