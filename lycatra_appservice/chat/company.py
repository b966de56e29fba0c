"""Whom @lycatra brings along when it comes into a room."""

from collections.abc import Sequence
from typing import Final

from lycatra_appservice.chat.room_settings import RoomDefaults, RoomSettings
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import Caller, Face, UserID
from lycatra_appservice.toolkit.registry import Registry
from lycatra_appservice.toolkit.toolbox import Gate

_AT_MOST: Final = 6  # more would look like an invasion


class Company:
    """The virtual users of the namespaces that the inviter can use, so that all can be named."""

    def __init__(
        self, users: VirtualUsers, registry: Registry, gate: Gate, defaults: RoomDefaults
    ) -> None:
        self._users = users
        self._registry = registry
        self._gate = gate
        self._defaults = defaults

    async def along(self, room: RoomView, inviter: UserID) -> Sequence[UserID]:
        """Whom to bring, in the order of their names; nobody where nobody more is wanted."""
        if not room.may_bring(self._users.main):
            return ()
        if RoomSettings.of(self._defaults, room.chosen).virtual_users != "all":
            return ()
        caller = Caller(user_id=inviter, face=Face.COMMAND, room_id=room.room_id)
        tools = (await self._gate.open(caller)).tools()
        useful = {self._registry.namespace_of(tool.name).name for tool in tools}
        visible = [
            self._users.of(namespace.name)
            for namespace in self._registry.namespaces
            if namespace.name in useful
        ]
        return [user for user in visible[:_AT_MOST] if user not in room.ours | room.gone]
