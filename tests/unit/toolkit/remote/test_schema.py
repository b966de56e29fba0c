"""Schemas of strangers: small, plain and harmless, or refused."""

from typing import Any

import pytest

from lycatra_appservice.toolkit.remote.schema import UnusableSchemaError, plain_schema


def field_of(schema: dict[str, Any]) -> Any:
    return plain_schema({"type": "object", "properties": {"a": schema}})["properties"]["a"]


def test_references_are_written_out() -> None:
    schema = plain_schema(
        {
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/size", "description": "how large"}},
            "$defs": {"size": {"type": "integer", "minimum": 1}},
        }
    )

    assert schema["properties"]["a"] == {
        "type": "integer",
        "minimum": 1,
        "description": "how large",
    }
    assert "$defs" not in schema


def test_what_contains_itself_ends_in_anything() -> None:
    schema = plain_schema(
        {
            "type": "object",
            "properties": {"next": {"$ref": "#"}, "name": {"type": "string"}},
        }
    )

    assert schema["properties"]["next"]["properties"]["next"] == {}


def test_nothing_is_fetched_from_elsewhere() -> None:
    assert field_of({"$ref": "http://127.0.0.1:1/schema.json"}) == {}


def test_patterns_are_left_to_the_server() -> None:
    assert field_of({"type": "string", "pattern": "(a+)+$"}) == {"type": "string"}


def test_a_field_may_be_called_like_a_keyword() -> None:
    schema = plain_schema({"type": "object", "properties": {"pattern": {"type": "string"}}})

    assert schema["properties"] == {"pattern": {"type": "string"}}


def test_descriptions_are_one_short_line() -> None:
    said = field_of({"description": "do\nthis\x1b[2J" + "x" * 1000})["description"]

    assert len(said) == 300
    assert "\n" not in said
    assert "\x1b" not in said


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array"},
        {"type": "object", "properties": {"a": {"type": "strin"}}},
        {"type": "object", "properties": {f"f{n}": {} for n in range(1000)}},
        {"type": "object", "properties": {"a": {"enum": list(range(1000))}}},
        {"type": "object", "required": "a"},
        {"type": "object", "properties": {"kind": {"enum": ["x" * 20_000]}}},
        {"type": "object", "properties": {"x" * 20_000: {"type": "string"}}},
    ],
)
def test_a_schema_that_is_wrong_or_too_large_makes_no_tool(schema: dict[str, Any]) -> None:
    with pytest.raises(UnusableSchemaError):
        plain_schema(schema)


def test_a_schema_that_grows_without_end_is_refused_at_once() -> None:
    growing = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 9} for n in range(9)}

    with pytest.raises(UnusableSchemaError):
        plain_schema(
            {"type": "object", "properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": growing}
        )


def test_a_schema_that_is_very_deep_is_refused() -> None:
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(5000):
        deep = {"type": "object", "properties": {"a": deep}}

    with pytest.raises(UnusableSchemaError):
        plain_schema(deep)


@pytest.mark.parametrize(
    "schema",
    [
        {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
        {"oneOf": [{"type": "null"}, {"type": "integer"}]},
        {"type": ["integer", "null"]},
    ],
)
def test_what_may_be_null_may_just_be_left_out(schema: dict[str, Any]) -> None:
    assert field_of(schema) == {"type": "integer"}


def test_a_choice_of_kinds_stays_one() -> None:
    kinds = [{"type": "integer"}, {"type": "string"}]

    assert field_of({"anyOf": [*kinds, {"type": "null"}]}) == {"anyOf": kinds}
