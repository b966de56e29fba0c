"""How the stand-in model tells in plain English what a tool has found; pure, knows no tool."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from lycatra_appservice.model import JSON

WHO_I_AM = "I am the demo's small rule-based stand-in, not a language model"
SIGNED = "_(Put together by the demo's rule-based stand-in, not by a language model.)_"
_MOST_RECORDS = 8
_LONGEST_VALUE = 300
_MOST_PARTS = 3  # of a list inside a record
_DEEPEST = 4

# The first of these keys that a record has plays the part.
_NAMES = ("name", "service", "component", "tool")
_TITLES = ("title", "subject")
_VERSIONS = ("version", "tag", "release")
_DATES = ("date", "released", "published", "deployed_at", "time", "at", "timestamp", "when")
_DETAILS = ("summary", "detail", "description", "message", "text", "notes", "body", "changes")
_STATES = ("ok", "up", "healthy", "status", "state")
_GOOD = ("ok", "up", "healthy", "running", "online", "fine", "active", "good", "pass", "passed")
_NOTES = ("note", "notes", "hint", "left_out")

_JSON_BEGIN = re.compile(r"^\s*[\[{]", re.MULTILINE)
Record = Mapping[str, JSON]


def introduce(names: Sequence[str]) -> str:
    """What it is and what it can do, for a question that fits no tool."""
    if not names:
        return f"{WHO_I_AM}. I have no tools to look things up with, so I cannot help with this."
    tools = ", ".join(f"`{name}`" for name in names)
    return (
        f"{WHO_I_AM}, so small talk is beyond me. But I gladly look things up: ask for example "
        f"what changed this week, or whether everything is up. (My tools: {tools}.)"
    )


def tell(tool: str, result: str, arguments: Record) -> str:
    """The answer made of a tool's result, which is JSON or else shown as it is."""
    found = decoded(result)
    if found is None:
        return f"{_cut(result.strip(), 2000) or _nothing(tool, arguments)}\n\n{SIGNED}"
    if problem := failure_in(found):
        return f"I could not find out: {_sentence(problem)}\n\n{SIGNED}"
    return "\n\n".join((_facts(tool, found, arguments), *_notes(found), SIGNED))


def decoded(result: str) -> JSON:
    """The JSON object or list in a tool's result, also inside a wrapping; None without one."""
    begin = _JSON_BEGIN.search(result)
    if begin is None:
        return None
    try:
        return json.JSONDecoder().raw_decode(result, begin.end() - 1)[0]
    except ValueError:
        return None


def failure_in(found: JSON) -> str | None:
    """What went wrong, when a decoded result is an error and nothing else."""
    error = found.get("error") if isinstance(found, dict) else None
    if isinstance(error, dict):
        error = error.get("message")
    return error if isinstance(error, str) and error else None


def _facts(tool: str, found: JSON, arguments: Record) -> str:
    records = _records(found)
    if records is None:
        return _of_one(found)
    if not records:
        return _nothing(tool, arguments)
    if all(_state(record) is not None for record in records):
        return _of_states(records)
    noun = _noun(tool)
    told = [_told(record) for record in records[:_MOST_RECORDS]]
    if len(records) == 1:
        return f"There is one entry for {noun}{_asked(arguments)}: {told[0]}"
    more = len(records) - len(told)
    end = f"\n\nAnd {more} more." if more > 0 else ""
    bullets = "\n".join(f"- {line}" for line in told)
    return f"There are {len(records)} entries for {noun}{_asked(arguments)}:\n\n{bullets}{end}"


def _of_states(records: Sequence[Record]) -> str:
    good = [record for record in records if _state(record)]
    bad = [record for record in records if not _state(record)]
    lines = [f"- {_state_line(record)}" for record in (*bad, *good)]
    if len(records) == 1:
        return _state_line(records[0])
    if not bad:
        head = f"All {len(records)} are fine:"
    else:
        names = ", ".join(f"**{_first(record, _NAMES)}**" for record in bad)
        head = f"{len(good)} of {len(records)} are fine; {names} {_be(len(bad))} not:"
    return "\n".join((head, "", *lines))


def _state_line(record: Record) -> str:
    name = _first(record, _NAMES) or _first(record, _TITLES) or "It"
    words = "is fine" if _state(record) else "is **not fine**"
    detail = _first(record, _DETAILS) or _rest(record, (*_NAMES, *_TITLES, *_STATES))
    return _sentence(f"**{name}** {words}" + (f": {detail}" if detail else ""))


def _told(record: Record) -> str:
    """One record as a sentence: which, when, and what about it."""
    parts = dict.fromkeys(_first(record, keys) for keys in (_NAMES, _VERSIONS, _TITLES))
    heading = " ".join(part for part in parts if part)
    when, detail = _date(_first(record, _DATES)), _first(record, _DETAILS)
    heading = f"**{heading}**" if heading else when
    if when and heading != when:
        heading += f" ({when})"
    detail = detail or _rest(record, (*_NAMES, *_VERSIONS, *_TITLES, *_DATES))
    return _sentence(": ".join(part for part in (heading, detail) if part))


def _of_one(found: JSON) -> str:
    record = found if isinstance(found, dict) else {"result": found}
    inner = record.get("data")
    if isinstance(inner, dict):
        record = inner
    if _state(record) is not None and _first(record, _NAMES):
        return _state_line(record)
    return _sentence(_rest(record, _NOTES) or "The tool found nothing to tell")


def _records(found: JSON) -> list[Record] | None:
    """The objects that a result lists; None when it lists nothing and is itself the fact."""
    lists = list(_lists(found, _DEEPEST))
    of_objects = [entries for entries in lists if all(isinstance(e, dict) for e in entries)]
    if of_objects:
        return [entry for entries in of_objects for entry in entries]
    return [{"text": entry} for entry in lists[0]] if lists else None


def _lists(found: JSON, depth: int) -> Iterator[list[JSON]]:
    """Every list that does not lie inside another one, in the order of the result."""
    if isinstance(found, list):
        yield found
    elif isinstance(found, dict) and depth:
        for value in found.values():
            yield from _lists(value, depth - 1)


def _state(record: Record) -> bool | None:
    """True for fine, False for not; None when the record tells no state."""
    for key in _STATES:
        value = record.get(key)
        if isinstance(value, bool):
            return value
        if isinstance(value, str):
            return value.lower() in _GOOD
    return None


def _first(record: Record, keys: Sequence[str]) -> str:
    for key in keys:
        if text := _value(record.get(key)):
            return text
    return ""


def _rest(record: Record, told: Sequence[str]) -> str:
    pairs = ((key, _value(value)) for key, value in record.items() if key not in told)
    return ", ".join(f"{key.replace('_', ' ')} {text}" for key, text in pairs if text)


def _value(value: JSON) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        parts = [text.rstrip(".") for text in map(_value, value) if text]
        more = [f"and {len(parts) - _MOST_PARTS} more"] if len(parts) > _MOST_PARTS else []
        return "; ".join((*parts[:_MOST_PARTS], *more))
    if isinstance(value, dict):
        return _told(value)
    return "" if value is None else _cut(" ".join(str(value).split()), _LONGEST_VALUE)


def _date(text: str) -> str:
    """`2026-11-20…` as `20 November 2026`; any other text as it is."""
    try:
        day = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{day.day} {day:%B %Y}"


def _notes(found: JSON) -> list[str]:
    """What the tool wants said beside the facts."""
    if not isinstance(found, dict):
        return []
    told = (
        _value(level.get(key))
        for level in (found.get("data"), found)
        for key in _NOTES
        if isinstance(level, dict)
    )
    return [_sentence(note[0].upper() + note[1:]) for note in told if note]


def _asked(arguments: Record) -> str:
    asked = ", ".join(
        f"{key.replace('_', ' ')} {_value(value)}" for key, value in arguments.items()
    )
    return f" ({asked})" if asked else ""


def _nothing(tool: str, arguments: Record) -> str:
    return f"I looked, and there is nothing for {_noun(tool)}{_asked(arguments)}."


def _noun(tool: str) -> str:
    """`list_updates` is about updates."""
    return " ".join(re.split(r"[_\W]+", tool)[1:]) or tool


def _be(count: int) -> str:
    return "is" if count == 1 else "are"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…", ":")) else text + "."


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"
