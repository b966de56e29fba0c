"""What a room chose with `!settings`, over what the configuration says for all rooms."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias, TypeVar, get_args

from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.freeze_times import FreezeTime, read_freeze_time
from lycatra_appservice.matrix.events import mapping
from lycatra_appservice.model import JSON, RoomID, UserID

ReplyPlace: TypeAlias = Literal["auto", "thread", "plain"]
Presence: TypeAlias = Literal["all", "on_demand", "label"]
Streaming: TypeAlias = Literal["on", "off", "silent"]
TableLook: TypeAlias = Literal["table", "list"]
LocalOnly: TypeAlias = Literal["off", "on"]
Context: TypeAlias = Literal["thread", "room", "replies"]
QuietKind: TypeAlias = Literal["welcome", "too_old", "edited", "hints", "progress"]

REPLY_PLACES: Final[Sequence[ReplyPlace]] = get_args(ReplyPlace)
PRESENCES: Final[Sequence[Presence]] = get_args(Presence)
STREAMINGS: Final[Sequence[Streaming]] = get_args(Streaming)
TABLE_LOOKS: Final[Sequence[TableLook]] = get_args(TableLook)
LOCAL_ONLY: Final[Sequence[LocalOnly]] = get_args(LocalOnly)
CONTEXTS: Final[Sequence[Context]] = get_args(Context)
QUIET_KINDS: Final[Sequence[QuietKind]] = get_args(QuietKind)

_LANGUAGE: Final = re.compile(r"auto|[a-z]{2}")
_MODEL: Final = re.compile(r"[a-z][a-z0-9_-]{0,29}")
_AUTOMATIC: Final = "auto"
_Chosen = TypeVar("_Chosen", bound=str)


class RoomDefaults(Protocol):
    """The `rooms` section of the configuration."""

    @property
    def reply(self) -> ReplyPlace:
        """Where an answer goes."""

    @property
    def context(self) -> Context:
        """What of earlier talk a question is asked with."""

    @property
    def virtual_users(self) -> Presence:
        """Whether the namespaces' users come into a group."""

    @property
    def stream(self) -> Streaming:
        """Whether an answer is shown while it is written."""

    @property
    def tables(self) -> TableLook:
        """How tables are drawn."""

    @property
    def language(self) -> str:
        """Of fixed texts: `auto`, or a code."""

    @property
    def local_only(self) -> LocalOnly:
        """Whether questions go only to models near by."""

    @property
    def prompt(self) -> str:
        """What is wished of all answers."""

    @property
    def quiet_hours(self) -> str:
        """When news wait."""

    @property
    def quiet(self) -> Iterable[QuietKind]:
        """Kinds of unasked messages that are not wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomSettings:
    """What holds in one room."""

    reply: ReplyPlace = "auto"
    context: Context = "thread"
    virtual_users: Presence = "all"
    stream: Streaming = "on"
    tables: TableLook = "table"
    language: str = "auto"  # or a code of two letters, perhaps one that the catalogue lacks
    model: str = _AUTOMATIC  # or a name, perhaps one that is not offered any more
    local_only: LocalOnly = "off"
    prompt: str = ""  # what the room's admins want of all answers
    quiet_hours: str = ""  # spans as freeze_times.py reads them, with commas between them
    quiet: frozenset[QuietKind] = frozenset()

    @property
    def quiet_times(self) -> Sequence[FreezeTime]:
        """When news wait; what cannot be read is none."""
        try:
            return read_quiet_hours(self.quiet_hours)
        except ValueError:
            return ()

    @classmethod
    def of(cls, defaults: RoomDefaults, chosen: Mapping[str, JSON]) -> "RoomSettings":
        """The room's own choice wins.

        `chosen` is as stored, perhaps by a newer version: what cannot be read is the default.
        """
        return cls(
            reply=_one_of(REPLY_PLACES, chosen.get("reply"), defaults.reply),
            context=_one_of(CONTEXTS, chosen.get("context"), defaults.context),
            virtual_users=_one_of(PRESENCES, chosen.get("virtual_users"), defaults.virtual_users),
            stream=_one_of(STREAMINGS, chosen.get("stream"), defaults.stream),
            tables=_one_of(TABLE_LOOKS, chosen.get("tables"), defaults.tables),
            language=_language(chosen.get("language"), defaults.language),
            model=_model(chosen.get("model")),
            local_only=_one_of(LOCAL_ONLY, chosen.get("local_only"), defaults.local_only),
            prompt=_words(chosen.get("prompt"), defaults.prompt),
            quiet_hours=_words(chosen.get("quiet_hours"), defaults.quiet_hours),
            quiet=_some_of(QUIET_KINDS, chosen.get("quiet"), defaults.quiet),
        )


class RoomSettingsStore:
    """The room_settings table: one row a room, with only what was chosen there.

    What is set here is in `RoomView.chosen` of every replica from its next look on.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "room_settings", database.dialect)

    async def choose(
        self, room_id: RoomID, name: str, value: JSON, *, by: UserID
    ) -> Mapping[str, JSON]:
        """Set one setting, or with None go back to the default; returns all that is chosen now.

        People who change different settings at once all get theirs.
        """
        async with self._database.transaction() as connection:
            row = await connection.fetch_one(self._sql["hold"], room=room_id, set_by=by)
            chosen = {**_stored(row["chosen"] if row else "{}"), name: value}
            kept = {each: chosen[each] for each in sorted(chosen) if chosen[each] is not None}
            await connection.execute(
                self._sql["put"], room=room_id, chosen=json.dumps(kept), set_by=by
            )
        return kept


def read_quiet_hours(written: str) -> Sequence[FreezeTime]:
    """Read `22:00-07:00, sat-sun`. ValueError, with a sentence, for what is none."""
    return [read_freeze_time(each) for each in written.split(",") if each.strip()]


def _stored(text: str) -> Mapping[str, JSON]:
    return mapping(json.loads(text))


def _one_of(values: Sequence[_Chosen], stored: JSON, default: _Chosen) -> _Chosen:
    return next((value for value in values if value == stored), default)


def _some_of(
    values: Sequence[_Chosen], stored: JSON, default: Iterable[_Chosen]
) -> frozenset[_Chosen]:
    if not isinstance(stored, list):
        return frozenset(default)
    return frozenset(value for value in values if value in stored)


def _language(stored: JSON, default: str) -> str:
    is_language = isinstance(stored, str) and _LANGUAGE.fullmatch(stored) is not None
    return stored if is_language else default


def _words(stored: JSON, default: str) -> str:
    return stored if isinstance(stored, str) else default


def _model(stored: JSON) -> str:
    is_name = isinstance(stored, str) and _MODEL.fullmatch(stored) is not None
    return stored if is_name else _AUTOMATIC
