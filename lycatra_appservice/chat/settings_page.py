"""What `!settings` does: shows how we behave in a room, and lets its admins choose otherwise."""

import logging
from collections.abc import Mapping, Sequence
from typing import Final, assert_never

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.room_settings import RoomDefaults, RoomSettings, RoomSettingsStore
from lycatra_appservice.chat.setting_words import (
    DEFAULT,
    Choose,
    Setting,
    ShowAll,
    ShowOne,
    TooLong,
    UnknownSetting,
    UnknownValue,
    read_wish,
)
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.model import JSON, Level, UserID
from lycatra_appservice.toolkit.arguments import shortened
from lycatra_appservice.toolkit.rights import Rights
from lycatra_appservice.words.text import Said

logger = logging.getLogger(__name__)

# No event of this type is ever sent. It lets a room say in its power levels who may choose, and
# is otherwise what its state_default says.
_STATE_EVENT: Final = "org.lycatra.settings"
_NAMED_PEOPLE: Final = 3
_BUILT_IN: Final = RoomSettings()


def may_choose(user_id: UserID, level: Level, room: RoomView) -> bool:
    """Whether somebody may change our settings here: who may change the room, or runs us."""
    if level is Level.NONE or user_id not in room.people:
        return False
    alone = room.is_direct
    return alone or level is Level.ADMIN or room.power.may_set(user_id, _STATE_EVENT)


class SettingsPage:
    """Reads what is wanted, judges who wants it, and keeps it."""

    def __init__(
        self,
        settings: Sequence[Setting],
        defaults: RoomDefaults,
        store: RoomSettingsStore,
        rights: Rights,
    ) -> None:
        self._settings = settings
        self._defaults = defaults
        self._store = store
        self._rights = rights

    async def answer(
        self, asker: UserID, room: RoomView, words: str
    ) -> tuple[Said, Mapping[str, JSON]]:
        """What is said, and what the room has chosen from now on.

        Choosing the same again changes nothing, so a turn may be run again.
        """
        wish = read_wish(words, self._settings)
        match wish:
            case ShowAll():
                return self._all(room), room.chosen
            case ShowOne(setting):
                return self._one(setting, room), room.chosen
            case UnknownSetting():
                names = [setting.name for setting in self._settings]
                return messages.setting_unknown(wish.word, wish.likely, names), room.chosen
            case UnknownValue(setting):
                said = messages.setting_value_unknown(
                    setting.name, wish.word, wish.likely, setting.answers
                )
                return said, room.chosen
            case TooLong(setting, chars):
                limit = setting.max_chars or 0
                return messages.setting_too_long(setting.name, chars, limit), room.chosen
            case Choose():
                return await self._choose(wish, asker, room)
            case _:
                assert_never(wish)

    async def _choose(
        self, wish: Choose, asker: UserID, room: RoomView
    ) -> tuple[Said, Mapping[str, JSON]]:
        level = await self._rights.level(asker, room.room_id)
        if not may_choose(asker, level, room):
            return messages.settings_refused(self.who_may(room)), room.chosen
        name = wish.setting.name
        chosen = await self._store.choose(room.room_id, name, wish.value, by=asker)
        logger.info(
            "room_setting_chosen",
            extra={"room_id": room.room_id, "user_id": asker, "setting": name},
        )
        value = wish.setting.shown(RoomSettings.of(self._defaults, chosen))
        return messages.setting_changed(name, value, taken_back=wish.value is None), chosen

    def who_may(self, room: RoomView) -> Sequence[str]:
        """Some of the room who may choose, by name."""
        people = sorted(
            (-room.power.of(user), shortened(name or user), user)
            for user, name in room.people.items()
            if may_choose(user, self._rights.seen_level(user, room), room)
        )
        return [name for _, name, _ in people[:_NAMED_PEOPLE]]

    def _all(self, room: RoomView) -> Said:
        lines = [
            messages.setting_line(
                setting.name,
                self._value(setting, room),
                self._whence(setting, room),
                setting.values or messages.setting_own_text(setting.max_chars or 0),
            )
            for setting in self._settings
        ]
        first = self._settings[0]
        return messages.settings_shown(lines, self._example(first, room), first.name)

    def _one(self, setting: Setting, room: RoomView) -> Said:
        if setting.max_chars is not None:
            holds = RoomSettings.of(self._defaults, room.chosen)
            return messages.setting_text_explained(
                setting.name,
                getattr(holds, setting.name),
                self._whence(setting, room),
                setting.max_chars,
            )
        return messages.setting_explained(
            setting.name,
            self._value(setting, room),
            self._whence(setting, room),
            setting.answers,
            self._example(setting, room),
        )

    def _value(self, setting: Setting, room: RoomView) -> str:
        return setting.shown(RoomSettings.of(self._defaults, room.chosen))

    def _whence(self, setting: Setting, room: RoomView) -> Said:
        holds = RoomSettings.of(self._defaults, room.chosen)
        configured = RoomSettings.of(self._defaults, {})
        return messages.setting_whence(
            chosen=setting.is_chosen(room.chosen, holds),
            configured=setting.shown(configured) != setting.shown(_BUILT_IN),
        )

    def _example(self, setting: Setting, room: RoomView) -> str:
        """A change that is one: something else than what holds."""
        now = self._value(setting, room)
        other = next((value for value in reversed(setting.values) if value != now), DEFAULT)
        return f"{setting.name} {other}"
