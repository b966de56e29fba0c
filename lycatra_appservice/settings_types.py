"""The kinds of values that stand in the configuration, each with the sentence for a wrong one."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    SecretStr,
    ValidationInfo,
)

from lycatra_appservice.actors import ActorKind, is_server_name, read_actor
from lycatra_appservice.freeze_times import FreezeTime, read_freeze_time
from lycatra_appservice.targets import Target, read_target
from lycatra_appservice.words.catalogue import AUTOMATIC, load_catalogue

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d)?")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_AMOUNT = re.compile(r"(\d{1,12}(?:\.\d+)?)\s*([kM]?)")
_TIMES = {"": 1, "k": 1000, "M": 1_000_000}
UNLIMITED: Final = 10**15  # more than anybody ever uses
# Narrower than the specification: these need no URL encoding, which Synapse demands of a
# sender_localpart, and no escaping in the addresses that people type.
_LOCALPART = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}")
_MXC = re.compile(r"mxc://[^/\s]+/[A-Za-z0-9_-]+")
_ROOM_ID = re.compile(r"![^\s/]{1,254}")
_PREFIX = re.compile(r"[^\w\s@#]{1,3}")
_DATABASE_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
_MODEL_NAME = re.compile(r"[a-z][a-z0-9_-]{0,29}")
_NO_MODEL_NAMES = frozenset({"auto", "default", "none", "on", "off"})  # words of `!settings`
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_OWN_HEADERS = frozenset({"host", "content-type", "content-length", "transfer-encoding"})
# What a request says anyway, each by a setting of its own.
_OWN_PARAMETERS = frozenset(
    {
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "model",
        "n",
        "parallel_tool_calls",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
    }
)


def _server_name(text: str) -> str:
    if not is_server_name(text):
        raise ValueError("should be a server name, as behind the colon of a Matrix ID")
    return text


def _localpart(text: str) -> str:
    if not _LOCALPART.fullmatch(text):
        raise ValueError("should have only a-z, 0-9, '.', '_' and '-', and not begin with a sign")
    return text


def _mxc(text: str) -> str:
    if not _MXC.fullmatch(text):
        raise ValueError("should be an address of the homeserver's media: mxc://server/id")
    return text


def _prefix(text: str) -> str:
    if not _PREFIX.fullmatch(text):
        raise ValueError("should be one to three signs such as '!', no letters, '@' or '#'")
    return text


def _database_name(text: str) -> str:
    # One that is called like a key of its own section could not be told from it.
    if not _DATABASE_NAME.fullmatch(text) or text in {"url", "timeout", "max_rows"}:
        raise ValueError("should be a name of a-z, 0-9 and '_', and not 'url'")
    return text


def _model_name(text: str) -> str:
    if not _MODEL_NAME.fullmatch(text) or text in _NO_MODEL_NAMES:
        raise ValueError("should be a name of yours of a-z, 0-9, '_' and '-', such as 'home'")
    return text


def _header(name: str) -> str:
    if not _HEADER.fullmatch(name) or name.lower() in _OWN_HEADERS:
        raise ValueError("should be the name of a header that the request does not have anyway")
    return name


def _header_value(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text.isascii() or not text.isprintable():
        raise ValueError("should have only ASCII signs, and no line breaks")
    return value


def _parameter(name: str) -> str:
    if name in _OWN_PARAMETERS:
        raise ValueError("should not be here: Lycatra writes it itself")
    return name


def _proxy_url(url: SecretStr) -> SecretStr:
    parts = urlsplit(url.get_secret_value())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("should be an address beginning with http:// or https://")
    return url


def _base_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
        parts = urlsplit("")
    if not usable:
        raise ValueError("should be an address beginning with http:// or https://")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("should have no user, password, '?' or '#' in it")
    return text.rstrip("/")


def _actor(text: str) -> str:
    return read_actor(text).written


def _account(text: str) -> str:
    try:
        is_account = not read_actor(text).kind.is_about_a_room
    except ValueError:
        is_account = False
    if not is_account:
        raise ValueError("should be a Matrix ID '@name:server', a whole server '*:server' or '*'")
    return text


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            "is not a time zone known here; names look like 'Europe/Berlin' "
            "(on a system without time zones, install the Python package 'tzdata')"
        ) from None
    return name


def _language(code: str) -> str:
    known = [AUTOMATIC, *(language.code for language in load_catalogue().languages)]
    if code not in known:
        raise ValueError(f"is no language that is known here; known are {', '.join(known)}")
    return code


def _words(value: object) -> object:
    """Let an environment variable, or a careless list of one, be a list."""
    if isinstance(value, str):
        return [word.strip() for word in value.split(",") if word.strip()]
    return value


def _json_list(value: object) -> object:
    """Let an environment variable be a list of sections, written as JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError("should be a list, in an environment variable written as JSON") from None


def _span(value: object) -> object:
    match = _SPAN.fullmatch(value.strip()) if isinstance(value, str) else None
    if match:
        return timedelta(seconds=float(match[1]) * _SECONDS[match[2] or "s"])
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number and not isinstance(value, timedelta):
        raise ValueError("should be a time such as 30, '30s', '5m', '2h' or '7d'")
    return value


def _amount(value: object) -> object:
    if value == "unlimited":
        return UNLIMITED
    match = _AMOUNT.fullmatch(value.strip()) if isinstance(value, str) else None
    number = float(match[1]) * _TIMES[match[2]] if match else value
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= UNLIMITED:
        raise ValueError(
            "should be a number such as 20, '500k' or '2M', 0 for nothing, or unlimited"
        )
    return number


def _person(text: str) -> str:
    try:
        is_person = read_actor(text).kind is ActorKind.PERSON
    except ValueError:
        is_person = False
    if not is_person:
        raise ValueError("should be the Matrix ID of a person, '@name:server'")
    return text


def _positive(span: timedelta) -> timedelta:
    if span <= timedelta(0):
        raise ValueError("should be longer than nothing")
    return span


def _from_base_folder(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("base_folder")
    return Path(folder) / path.expanduser() if folder else path


def _database_url(url: SecretStr, info: ValidationInfo) -> SecretStr:
    text = url.get_secret_value()
    scheme, _, rest = text.partition("://")
    if scheme in ("postgresql", "postgres"):
        return url
    if scheme != "sqlite" or len(rest) < 2 or not rest.startswith("/"):
        raise ValueError("should begin with postgresql:// or sqlite:///")
    if rest[1:] == ":memory:":
        raise ValueError("should name a file, or everything is forgotten at each start")
    path = _from_base_folder(Path(rest[1:]), info)
    return SecretStr(f"sqlite:///{path.as_posix()}")


def _secret(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text or not text.isascii() or any(sign.isspace() for sign in text):
        raise ValueError("should not be empty, and have only ASCII signs and no spaces")
    return value


def _freeze_time(value: object) -> FreezeTime:
    return value if isinstance(value, FreezeTime) else read_freeze_time(str(value))


def _room_id(text: str) -> str:
    if not _ROOM_ID.fullmatch(text):
        raise ValueError("should be a room's internal ID, beginning with '!'; not an alias")
    return text


def _target(value: object) -> Target:
    return value if isinstance(value, Target) else read_target(str(value))


ServerName: TypeAlias = Annotated[str, AfterValidator(_server_name)]
JsonList: Final = BeforeValidator(_json_list)
Localpart: TypeAlias = Annotated[str, AfterValidator(_localpart)]
Mxc: TypeAlias = Annotated[str, AfterValidator(_mxc)]
BaseUrl: TypeAlias = Annotated[str, AfterValidator(_base_url)]  # kept without a slash at the end
Zone: TypeAlias = Annotated[str, AfterValidator(_zone)]
LanguageCode: TypeAlias = Annotated[str, AfterValidator(_language)]
Port: TypeAlias = Annotated[int, Field(ge=1, le=65535)]
Span: TypeAlias = Annotated[timedelta, BeforeValidator(_span), AfterValidator(_positive)]
# How much of something may be used; UNLIMITED where no limit is set.
Amount: TypeAlias = Annotated[int, BeforeValidator(_amount)]
Person: TypeAlias = Annotated[str, AfterValidator(_person)]
# Made absolute by the folder in the validation context, if there is one.
OwnPath: TypeAlias = Annotated[Path, AfterValidator(_from_base_folder)]
OwnPaths: TypeAlias = Annotated[tuple[OwnPath, ...], BeforeValidator(_words)]
ModelName: TypeAlias = Annotated[str, AfterValidator(_model_name)]
HeaderName: TypeAlias = Annotated[str, AfterValidator(_header)]
HeaderValue: TypeAlias = Annotated[SecretStr, AfterValidator(_header_value)]
Parameter: TypeAlias = Annotated[str, AfterValidator(_parameter)]
ProxyUrl: TypeAlias = Annotated[SecretStr, AfterValidator(_proxy_url)]
DatabaseName: TypeAlias = Annotated[str, AfterValidator(_database_name)]
DatabaseUrl: TypeAlias = Annotated[SecretStr, AfterValidator(_database_url)]
Token: TypeAlias = Annotated[SecretStr, AfterValidator(_secret)]
Actors: TypeAlias = Annotated[
    tuple[Annotated[str, AfterValidator(_actor)], ...], BeforeValidator(_words)
]
Accounts: TypeAlias = Annotated[
    tuple[Annotated[str, AfterValidator(_account)], ...], BeforeValidator(_words)
]
Words: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_words)]
Names: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_words), Field(min_length=1)]
Faces: TypeAlias = Annotated[
    tuple[Literal["command", "agent", "mcp"], ...], BeforeValidator(_words), Field(min_length=1)
]
QuietKinds: TypeAlias = Annotated[
    tuple[Literal["welcome", "too_old", "edited", "hints", "progress"], ...],
    BeforeValidator(_words),
]
Targets: TypeAlias = Annotated[
    tuple[Annotated[Target, PlainValidator(_target)], ...], BeforeValidator(_words)
]
FreezeTimes: TypeAlias = Annotated[
    tuple[Annotated[FreezeTime, PlainValidator(_freeze_time)], ...], BeforeValidator(_words)
]
RoomAddress: TypeAlias = Annotated[str, AfterValidator(_room_id)]
Prefixes: TypeAlias = Annotated[
    tuple[Annotated[str, AfterValidator(_prefix)], ...],
    BeforeValidator(_words),
    Field(min_length=1),
]
