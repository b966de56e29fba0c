"""Log records as JSON lines for machines or as plain lines for people, without secrets."""

import json
import logging
import math
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, TextIO, TypeAlias

from lycatra_appservice import __version__
from lycatra_appservice.log_fields import bind, bound_fields
from lycatra_appservice.ops.masking import Masker

__all__ = ["LogFormat", "bind", "configure_logging"]

_Render: TypeAlias = Callable[[Mapping[str, object]], str]

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# Container runtimes cut lines at 16 KiB, and half a JSON line is no JSON.
_LONGEST_TEXT: Final = 8000
_DEEPEST: Final = 5
# They tell about each request at INFO, which our own canonical lines already do.
_TALKATIVE: Final = ("openai", "httpx2", "httpcore2", "mcp", "mau")
# They write every statement with its values at DEBUG: what people said, what tools were given.
_INDISCREET: Final = ("aiosqlite", "asyncpg")


class LogFormat(StrEnum):
    """For whom the log is written."""

    JSON = "json"
    TEXT = "text"


def configure_logging(
    *,
    level: str,
    log_format: LogFormat,
    replica: str,
    secrets: Iterable[str],
    stream: TextIO | None = None,
) -> None:
    """Write everything from `level` on to `stream`, by default stdout.

    `secrets` are the values themselves; none of them is ever written, whatever they are part of.
    Called again, it replaces what it set up before and leaves other handlers alone.
    """
    render = _json_line if log_format is LogFormat.JSON else _text_line
    handler = _Output(stream or sys.stdout)
    handler.setFormatter(_Lines(Masker(secrets), replica, render))
    root = logging.getLogger()
    for old in [known for known in root.handlers if isinstance(known, _Output)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(
            root.level if root.level <= logging.DEBUG else max(logging.WARNING, root.level)
        )
    for name in _INDISCREET:
        logging.getLogger(name).setLevel(max(logging.INFO, root.level))


class _Output(logging.StreamHandler[TextIO]):
    """Says nothing of a record that it cannot write: the standard report shows raw arguments."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's own name)
        """Tell where it came from, on the other stream."""
        sys.stderr.write(f"a log record of {record.name} could not be written\n")


class _Lines(logging.Formatter):
    """One record, one line."""

    def __init__(self, masker: Masker, replica: str, render: _Render) -> None:
        super().__init__()
        self._masker = masker
        self._always = {"replica": replica, "version": __version__}
        self._render = render

    def format(self, record: logging.LogRecord) -> str:
        """Mask every field before it is encoded, so that no escape can hide a secret."""
        fields: dict[str, object] = {
            "ts": _timestamp(record.created),
            "level": record.levelname.lower(),
            "event": _event(record),
            "logger": record.name,
            **self._always,
        }
        extras = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        for key, value in {**bound_fields(), **extras}.items():
            fields[f"{key}_" if key in fields else key] = value
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            fields["stack"] = record.stack_info
        return self._render({key: self._plain(value) for key, value in fields.items()})

    def _plain(self, value: object, depth: int = 0) -> object:
        """Turn a value into masked JSON; what JSON does not know becomes text."""
        match value:
            case None | bool() | int():
                return value
            case float():
                return value if math.isfinite(value) else str(value)  # JSON has no NaN
            case Mapping() if depth < _DEEPEST:
                return {
                    self._text(str(key)): self._plain(item, depth + 1)
                    for key, item in value.items()
                }
            case list() | tuple() | set() | frozenset() if depth < _DEEPEST:
                return [self._plain(item, depth + 1) for item in value]
            case _:
                return self._text(str(value))

    def _text(self, text: str) -> str:
        masked = self._masker.mask(text)  # before it is cut, or half a secret would remain
        if len(masked) <= _LONGEST_TEXT:
            return masked
        half = _LONGEST_TEXT // 2  # a traceback's end says most
        return f"{masked[:half]} … {masked[-half:]}"


def _timestamp(created: float) -> str:
    when = datetime.fromtimestamp(created, UTC)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _event(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return str(record.msg)  # a library's arguments do not fit its own format


def _json_line(fields: Mapping[str, object]) -> str:
    return json.dumps(fields)


def _text_line(fields: Mapping[str, object]) -> str:
    """Render for a terminal: the event first, then what belongs to it, tracebacks at the end."""
    left_out = {"ts", "level", "event", "logger", "replica", "version", "exception", "stack"}
    pairs = [f"{key}={_shown(value)}" for key, value in fields.items() if key not in left_out]
    head = f"{fields['ts']} {str(fields['level']).upper():<8} {_shown(fields['event'])}"
    below = [str(fields[key]) for key in ("exception", "stack") if key in fields]
    return "\n".join([" ".join([head, *pairs]), *below])


def _shown(value: object) -> str:
    """Quote what could be taken for another line, another field or a terminal's command."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text if text.isprintable() else json.dumps(text)
