"""Schemas as OpenAI's strict mode wants them, and arguments turned back into what tools want.

In strict mode every property is required, so that an optional one is written as null when it is
left out; a tool takes no null there.
"""

import json
from collections.abc import Mapping
from typing import Any

from lycatra_appservice.model import JSON

_NULL = {"type": "null"}


def strict_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with every property required, optional ones may be null instead."""
    found = {key: _below(key, value) for key, value in schema.items() if key != "default"}
    if schema.get("type") == "object":
        properties = found.get("properties", {})
        optional = properties.keys() - set(schema.get("required", ()))
        found["properties"] = {
            name: _nullable(each) if name in optional else each
            for name, each in properties.items()
        }
        found["required"] = list(properties)
        found["additionalProperties"] = False
    return found


def without_nulls(arguments: str, schema: Mapping[str, Any]) -> str:
    """The arguments without what was left out by a null; unchanged if they are no object."""
    try:
        given = json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
    required = schema.get("required", ())
    if not isinstance(given, dict) or None not in given.values():
        return arguments
    kept = {name: each for name, each in given.items() if each is not None or name in required}
    return json.dumps(kept, ensure_ascii=False)


def _below(key: str, value: JSON) -> JSON:
    """What stands below a keyword; the names below `properties` are no keywords."""
    if key in {"properties", "$defs"} and isinstance(value, dict):
        return {name: strict_schema(each) for name, each in value.items()}
    if isinstance(value, dict):
        return strict_schema(value)
    if isinstance(value, list):
        return [strict_schema(each) if isinstance(each, dict) else each for each in value]
    return value


def _nullable(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = schema.get("anyOf", [schema])
    return schema if _NULL in inner else {"anyOf": [*inner, _NULL]}
