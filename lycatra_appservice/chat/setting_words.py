"""The settings of a room by name, and what somebody wants who writes `!settings …`. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from lycatra_appservice.agent.prompt import MAX_WISHES_CHARS
from lycatra_appservice.chat.room_settings import (
    CONTEXTS,
    LOCAL_ONLY,
    PRESENCES,
    QUIET_KINDS,
    REPLY_PLACES,
    STREAMINGS,
    TABLE_LOOKS,
    RoomSettings,
    read_quiet_hours,
)
from lycatra_appservice.model import JSON
from lycatra_appservice.toolkit.arguments import likely, shortened
from lycatra_appservice.words.catalogue import Language

DEFAULT: Final = "default"  # takes a choice back
NONE: Final = "none"  # of a setting that may have several values
_AUTOMATIC: Final = "auto"
_MOST_HOURS: Final = 100  # characters
_MARKS: Final = "`'\"“”.<> "


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One thing that a room may choose: a field of RoomSettings, and `about_<name>` in words.

    With `several`, any of the values or none may hold at once. `also` has other words for a value.
    `max_chars` is set for a text of the room's own, which has no values to choose from.
    """

    name: str
    values: Sequence[str] = ()
    max_chars: int | None = None
    several: bool = False
    also: Mapping[str, str] = field(default_factory=dict)
    # Of a text: raises ValueError for one that cannot be read. And how one looks that can be.
    read: Callable[[str], object] | None = None
    example: str | None = None

    def shown(self, settings: RoomSettings) -> str:
        """The value that holds, as it is written; one that is gone counts as the first."""
        value = getattr(settings, self.name)
        if self.max_chars is not None:
            return shortened(value) or NONE
        if self.several:
            return ", ".join(sorted(value)) or NONE
        return value if value in self.values else self.values[0]

    def is_chosen(self, chosen: Mapping[str, JSON], settings: RoomSettings) -> bool:
        """Whether what holds was chosen in the room; what nobody can read was not."""
        stored = chosen.get(self.name)
        if self.max_chars is not None:
            return isinstance(stored, str)
        return isinstance(stored, list) if self.several else stored == self.shown(settings)

    @property
    def answers(self) -> Sequence[str]:
        """All that can be written behind its name."""
        if self.max_chars is not None:
            return [*([self.example] if self.example else []), NONE, DEFAULT]
        return [*self.values, *([NONE] if self.several else []), DEFAULT]


def make_settings(languages: Sequence[Language], models: Sequence[str] = ()) -> Sequence[Setting]:
    """All settings, in the order in which they are shown; `models` are the names offered.

    Where there is nothing to choose from there is no setting.
    """
    nearness = [Setting(name="local_only", values=LOCAL_ONLY)] if models else []
    choice = [Setting(name="model", values=[_AUTOMATIC, *models])] if len(models) > 1 else []
    return (
        Setting(name="reply", values=REPLY_PLACES),
        *([Setting(name="context", values=CONTEXTS)] if models else []),
        Setting(name="virtual_users", values=PRESENCES),
        Setting(name="stream", values=STREAMINGS),
        Setting(name="tables", values=TABLE_LOOKS),
        Setting(
            name="language",
            values=[_AUTOMATIC, *(language.code for language in languages)],
            also={language.name.casefold(): language.code for language in languages},
        ),
        *choice,
        *nearness,
        *([Setting(name="prompt", max_chars=MAX_WISHES_CHARS)] if models else []),
        Setting(
            name="quiet_hours",
            max_chars=_MOST_HOURS,
            read=read_quiet_hours,
            example="22:00-07:00",
        ),
        Setting(name="quiet", values=QUIET_KINDS, several=True),
    )


@dataclass(frozen=True, slots=True)
class ShowAll:
    """To see what holds."""


@dataclass(frozen=True, slots=True)
class ShowOne:
    """To know what a setting does."""

    setting: Setting


@dataclass(frozen=True, slots=True)
class Choose:
    """To have something else; `value` is as stored, None for the default."""

    setting: Setting
    value: JSON


@dataclass(frozen=True, slots=True)
class UnknownSetting:
    """A name that is none."""

    word: str
    likely: str | None


@dataclass(frozen=True, slots=True)
class UnknownValue:
    """A value that the setting cannot have."""

    setting: Setting
    word: str
    likely: str | None


@dataclass(frozen=True, slots=True)
class TooLong:
    """A text of more characters than the setting takes."""

    setting: Setting
    chars: int


Wish: TypeAlias = ShowAll | ShowOne | Choose | UnknownSetting | UnknownValue | TooLong


def read_wish(rest: str, settings: Sequence[Setting]) -> Wish:
    """Read `reply plain`, `reply=plain`, `reply: plain`, `reply` or nothing."""
    written, rest = rest.strip(), rest.strip(_MARKS)
    if not rest:
        return ShowAll()
    for setting in settings:
        # A text of one's own may end with any mark.
        named = _way_to_write(setting).match(written if setting.max_chars is not None else rest)
        if named is not None:
            return _value(setting, named["value"].strip(_MARKS), named["value"].strip())
    word = re.split(r"[\s=:]", rest, maxsplit=1)[0] or rest
    names = [setting.name for setting in settings]
    return UnknownSetting(shortened(word), likely(_spelled(word), names))


def _way_to_write(setting: Setting) -> re.Pattern[str]:
    name = re.escape(setting.name).replace("_", r"[\s_-]?")
    return re.compile(rf"{name}(?:\s*[=:]|\s|$)(?P<value>.*)", re.IGNORECASE | re.DOTALL)


def _value(setting: Setting, written: str, whole: str) -> Wish:
    if not written:
        return ShowOne(setting)
    if _spelled(written) == DEFAULT:
        return Choose(setting, None)
    if setting.max_chars is not None:
        return _own_text(setting, whole, setting.max_chars)
    return _several(setting, written) if setting.several else _one(setting, written)


def _own_text(setting: Setting, written: str, max_chars: int) -> Choose | TooLong | UnknownValue:
    if _spelled(written) == NONE:
        return Choose(setting, "")
    if len(written) > max_chars:
        return TooLong(setting, len(written))
    try:
        if setting.read is not None:
            setting.read(written)
    except ValueError:
        return UnknownValue(setting, shortened(written), None)
    return Choose(setting, written)


def _one(setting: Setting, written: str) -> Choose | UnknownValue:
    value = _meant(setting, written)
    return Choose(setting, value) if value else _unknown(setting, written)


def _several(setting: Setting, written: str) -> Choose | UnknownValue:
    if _spelled(written) == NONE:
        return Choose(setting, [])
    whole = "," in written or _meant(setting, written) is not None
    parts = written.split(",") if whole else written.split()
    found = {part: _meant(setting, part) for part in parts if part.strip(_MARKS)}
    unknown = next((part for part, value in found.items() if value is None), None)
    if unknown is not None:
        return _unknown(setting, unknown)
    return Choose(setting, [value for value in setting.values if value in found.values()])


def _meant(setting: Setting, written: str) -> str | None:
    spelled = _spelled(written)
    spelled = setting.also.get(spelled, spelled)
    return spelled if spelled in setting.values else None


def _unknown(setting: Setting, written: str) -> UnknownValue:
    word = written.strip(_MARKS)
    return UnknownValue(setting, shortened(word), likely(_spelled(word), setting.answers))


def _spelled(written: str) -> str:
    return re.sub(r"[\s_-]+", "_", written.strip(_MARKS).casefold())
