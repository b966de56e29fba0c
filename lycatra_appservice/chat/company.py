"""Whom @lycatra brings along when it comes into a room."""

from collections.abc import Sequence
from typing import Final

from lycatra_appservice.chat.room_settings import RoomDefaults, RoomSettings
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import Caller, Face, RoomID, UserID
from lycatra_appservice.toolkit.access import Access
from lycatra_appservice.toolkit.registry import Registry

_AT_MOST: Final = 6  # more would look like an invasion


class Company:
    """The virtual users of the namespaces that the inviter can use, so that all can be named."""

    def __init__(
        self, users: VirtualUsers, registry: Registry, access: Access, defaults: RoomDefaults
    ) -> None:
        self._users = users
        self._registry = registry
        self._access = access
        self._defaults = defaults

    def along(self, room: RoomView, inviter: UserID) -> Sequence[UserID]:
        """Whom to bring, in the order of their names; nobody where nobody more is wanted."""
        if not room.may_bring(self._users.main):
            return ()
        if RoomSettings.of(self._defaults, room.chosen).virtual_users != "all":
            return ()
        visible = [
            self._users.of(namespace.name)
            for namespace in self._registry.namespaces
            if self._is_visible(namespace.name, inviter, room.room_id)
        ]
        return [user for user in visible[:_AT_MOST] if user not in room.ours | room.gone]

    def _is_visible(self, namespace: str, inviter: UserID, room_id: RoomID) -> bool:
        caller = Caller(user_id=inviter, face=Face.COMMAND, room_id=room_id)
        return any(
            self._access.may(caller, tool).allowed for tool in self._registry.tools_of(namespace)
        )
