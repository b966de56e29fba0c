"""A JSON Schema of a stranger, made small, plain and harmless; or refused.

What is left has no references, so nothing is fetched and nothing runs in circles, and no patterns,
which could take for ever: those the server checks itself.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from jsonschema import Draft202012Validator, SchemaError

from lycatra_appservice.errors import LycatraError

_MOST_PARTS: Final = 400  # of a schema written out; each costs every prompt
_DEEPEST: Final = 12
_LONGEST: Final = 300  # characters of a description
_MOST_CHOICES: Final = 100
_MOST_BYTES: Final = 16 * 1024  # written out; names, choices and defaults have no limit else
_KEPT: Final = frozenset(
    {
        *("type", "enum", "const", "description", "default", "required"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
        *("minLength", "maxLength", "minItems", "maxItems", "uniqueItems"),
    }
)
_NAMED: Final = frozenset({"properties"})
_SINGLE: Final = frozenset({"items", "additionalProperties"})
_CHOICES: Final = frozenset({"anyOf", "oneOf"})
_BRANCHES: Final = _CHOICES | {"allOf"}


class UnusableSchemaError(LycatraError):
    """A schema that no tool can be made of; the message says why, for the log."""


def plain_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of an object's fields, written out. Raises UnusableSchemaError."""
    if not isinstance(schema, Mapping) or schema.get("type", "object") != "object":
        raise UnusableSchemaError("its arguments are no object")
    try:
        written = _Writing(schema).out(schema, ())
        Draft202012Validator.check_schema(written)
    except SchemaError as exc:
        raise UnusableSchemaError(f"its schema is wrong: {exc.message[:100]}") from exc
    except RecursionError as exc:
        raise UnusableSchemaError("its schema is too deep") from exc
    if not isinstance(written, dict):
        raise UnusableSchemaError("its schema is no object")
    if len(json.dumps(written)) > _MOST_BYTES:
        raise UnusableSchemaError("its schema is too large")
    return {**written, "type": "object", "properties": written.get("properties", {})}


class _Writing:
    def __init__(self, whole: Mapping[str, Any]) -> None:
        self._whole = whole
        self._parts = 0

    def out(self, part: Any, inside: tuple[str, ...]) -> Any:
        """The same without references; one that leads into itself becomes anything."""
        self._parts += 1
        if self._parts > _MOST_PARTS or len(inside) > _DEEPEST:
            raise UnusableSchemaError("its schema is too large")
        if not isinstance(part, Mapping):
            return part
        place = part.get("$ref")
        if not isinstance(place, str):
            return _without_null(dict(self._fields(part, inside)))
        found = None if f"#{place}" in inside else self._found(place)
        if found is None:
            return {}
        return self.out({**found, **_told(part)}, (*inside, f"#{place}"))

    def _fields(self, part: Mapping[str, Any], inside: tuple[str, ...]) -> list[tuple[str, Any]]:
        below = (*inside, "")
        fields: list[tuple[str, Any]] = []
        for key, value in part.items():
            if key in _KEPT:
                fields.append((key, _bounded(key, value)))
            elif key in _NAMED and isinstance(value, Mapping):
                fields.append((key, {str(n): self.out(v, below) for n, v in value.items()}))
            elif key in _SINGLE:
                fields.append((key, self.out(value, below)))
            elif key in _BRANCHES and isinstance(value, list):
                fields.append((key, [self.out(each, below) for each in value]))
        return fields

    def _found(self, place: str) -> Mapping[str, Any] | None:
        """What a reference within the document leads to; others are not followed."""
        if not place.startswith("#"):
            return None
        at: Any = self._whole
        for step in place[1:].strip("/").split("/") if place != "#" else ():
            name = step.replace("~1", "/").replace("~0", "~")
            at = at.get(name) if isinstance(at, Mapping) else None
        return at if isinstance(at, Mapping) else None


def _without_null(part: dict[str, Any]) -> dict[str, Any]:
    """What may be null may as well not be said; small models would write the word "null"."""
    kind = part.get("type")
    if isinstance(kind, list) and len(kinds := [each for each in kind if each != "null"]) == 1:
        part = {**part, "type": kinds[0]}
    for key in _CHOICES & part.keys():
        others = [each for each in part[key] if not _is_null(each)]
        rest = {name: value for name, value in part.items() if name != key}
        if len(others) == 1 and isinstance(others[0], dict):
            part = {**others[0], **rest}
        elif others:
            part = {**rest, key: others}
    return {name: value for name, value in part.items() if (name, value) != ("default", None)}


def _is_null(branch: Any) -> bool:
    return isinstance(branch, dict) and branch.get("type") == "null"


def _told(part: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: part[key] for key in ("description", "default") if key in part}


def _bounded(key: str, value: Any) -> Any:
    if key == "description":
        return plain_line(str(value), _LONGEST)
    if key == "enum" and isinstance(value, list) and len(value) > _MOST_CHOICES:
        raise UnusableSchemaError("its schema has too many choices")
    return value


def plain_line(text: str, longest: int) -> str:
    """Words of a stranger in one line, without what cannot be seen."""
    seen = "".join(letter if letter.isprintable() else " " for letter in text[: longest * 4])
    line = " ".join(seen.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
