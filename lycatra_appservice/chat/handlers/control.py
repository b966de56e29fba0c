"""The words that people say to us about ourselves: `!help`, `!settings`, `!whoami`."""

from collections.abc import Sequence
from dataclasses import replace

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.control import ControlWord
from lycatra_appservice.chat.help_page import HelpPage
from lycatra_appservice.chat.routes import Control
from lycatra_appservice.chat.settings_page import SettingsPage
from lycatra_appservice.chat.whoami import WhoAmI
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.model import Inbound, Level, Outgoing, Reply, UserID
from lycatra_appservice.toolkit.rights import Rights
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.text import Said


class ControlHandler:
    """Answers everybody about himself, and whoever may ask at all about the rest."""

    def __init__(
        self,
        rights: Rights,
        who_am_i: WhoAmI,
        help_page: HelpPage,
        settings: SettingsPage,
        composer: Composer,
    ) -> None:
        self._rights = rights
        self._who_am_i = who_am_i
        self._help = help_page
        self._settings = settings
        self._composer = composer

    async def handle(
        self, route: Control, turn: Turn, inbound: Inbound, room: RoomView
    ) -> Sequence[Outgoing]:
        """Do it, and say what it is now."""
        said, room = await self._answer(route, inbound.sender, room)
        reply = Reply(markdown=said, sender=route.speaker, notice=True)
        return self._composer.answer(reply, inbound, room)

    async def _answer(
        self, route: Control, asker: UserID, room: RoomView
    ) -> tuple[Said, RoomView]:
        if route.word is ControlWord.WHOAMI:
            return await self._who_am_i.tell(asker, room), room
        if await self._rights.level(asker, room.room_id) is Level.NONE:
            return messages.may_not_ask(), room
        if route.word is ControlWord.SETTINGS:
            said, chosen = await self._settings.answer(asker, room, route.rest)
            return said, replace(room, chosen=chosen)  # the answer itself follows it already
        return await self._help.show(asker, route.speaker, room, route.rest), room
