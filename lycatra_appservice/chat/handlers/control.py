"""The words that people say to us about ourselves: `!help`, `!whoami`, `!audit` and others."""

from collections.abc import Sequence
from dataclasses import replace

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.audit_page import AuditPage
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.control import ControlWord
from lycatra_appservice.chat.help_page import HelpPage
from lycatra_appservice.chat.routes import Control
from lycatra_appservice.chat.secrecy_page import SecrecyPage
from lycatra_appservice.chat.settings_page import SettingsPage
from lycatra_appservice.chat.sources import SourcesPage
from lycatra_appservice.chat.whoami import WhoAmI
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.model import Inbound, Level, Outgoing, Reply
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
        audit: AuditPage,
        sources: SourcesPage,
        secrecy: SecrecyPage,
        composer: Composer,
    ) -> None:
        self._rights = rights
        self._who_am_i = who_am_i
        self._help = help_page
        self._settings = settings
        self._audit = audit
        self._sources = sources
        self._secrecy = secrecy
        self._composer = composer

    async def handle(
        self, route: Control, turn: Turn, inbound: Inbound, room: RoomView
    ) -> Sequence[Outgoing]:
        """Do it, and say what it is now."""
        said, room = await self._answer(route, inbound, room)
        subject = route.word.value
        reply = Reply(markdown=said, sender=route.speaker, notice=True, subject=subject)
        return self._composer.answer(reply, inbound, room)

    async def _answer(
        self, route: Control, inbound: Inbound, room: RoomView
    ) -> tuple[Said, RoomView]:
        asker = inbound.sender
        if route.word is ControlWord.WHOAMI:
            return await self._who_am_i.tell(asker, room), room
        if await self._rights.level(asker, room.room_id) is Level.NONE:
            return messages.may_not_ask(), room
        if route.word is ControlWord.AUDIT:
            return await self._audit.answer(inbound, room, route.rest), room
        if route.word is ControlWord.SOURCES:
            return await self._sources.asked_by(inbound), room
        if route.word is ControlWord.E2EE:
            return await self._secrecy.tell(route.speaker, room), room
        if route.word is ControlWord.SETTINGS:
            said, chosen = await self._settings.answer(asker, room, route.rest)
            return said, replace(room, chosen=chosen)  # the answer itself follows it already
        return await self._help.show(asker, route.speaker, room, route.rest), room
