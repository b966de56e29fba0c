"""A model of arguments made of a JSON Schema: checked by that, shown and hashed like any other."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError as Fault
from pydantic import ConfigDict, GetJsonSchemaHandler, ValidationError, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError

from lycatra_appservice.model import JSON
from lycatra_appservice.toolkit.base import ToolArgs

_MOST_FAULTS: Final = 20
_WORDS: Final = {"true": True, "yes": True, "false": False, "no": False}


def arguments_for(schema: Mapping[str, Any]) -> type[ToolArgs]:
    """The model; `schema` has passed `plain_schema`."""
    validator = Draft202012Validator(dict(schema))

    class RemoteArgs(ToolArgs):
        """What a server wants to be told."""

        model_config = ConfigDict(frozen=True, extra="allow", str_strip_whitespace=False)

        @model_validator(mode="before")
        @classmethod
        def _fits(cls, raw: JSON) -> JSON:
            values = as_meant(raw, schema)
            details = list(_details(validator, values))
            if details:
                raise ValidationError.from_exception_data("arguments", details)
            return values

        @classmethod
        def __get_pydantic_json_schema__(
            cls, core: CoreSchema, handler: GetJsonSchemaHandler
        ) -> JsonSchemaValue:
            return dict(schema)

    return RemoteArgs


def as_meant(raw: JSON, schema: Mapping[str, Any]) -> JSON:
    """What people typed as words, as the numbers, choices and lists that the schema asks for."""
    if not isinstance(raw, Mapping):
        return raw
    fields = schema.get("properties", {})
    given = {str(name): value for name, value in raw.items()}
    needed = schema.get("required", ())
    return {
        name: _meant(value, fields.get(name, {}))
        for name, value in given.items()
        if value is not None or name in needed or name not in fields
    }


def _meant(value: JSON, field: Mapping[str, Any]) -> JSON:
    if not isinstance(value, str) or not isinstance(field, Mapping):
        return value
    match field.get("type"):
        case "integer" | "number" as kind:
            return _number(value, kind)
        case "boolean":
            return _WORDS.get(value.strip().lower(), value)
        case "array":
            items = field.get("items", {})
            return [_meant(each.strip(), items) for each in value.split(",")]
        case _:
            return value


def _number(value: str, kind: str) -> JSON:
    try:
        return int(value) if kind == "integer" else float(value)
    except ValueError:
        return value


def _details(validator: Draft202012Validator, values: JSON) -> Iterator[InitErrorDetails]:
    for count, fault in enumerate(validator.iter_errors(values)):
        if count >= _MOST_FAULTS:
            return
        yield from _of_fault(fault)


def _of_fault(fault: Fault) -> Iterator[InitErrorDetails]:
    place = tuple(fault.absolute_path)
    match fault.validator:
        case "required" if isinstance(fault.instance, Mapping):
            for name in fault.validator_value:
                if name not in fault.instance:
                    yield InitErrorDetails(type="missing", loc=(*place, name), input={})
        case "additionalProperties" if isinstance(fault.instance, Mapping):
            known = fault.schema.get("properties", {})
            for name in fault.instance:
                if name not in known:
                    loc = (*place, name)
                    yield InitErrorDetails(type="extra_forbidden", loc=loc, input=None)
        case _:
            wrong = PydanticCustomError("remote", "does not fit")
            yield InitErrorDetails(type=wrong, loc=place, input=fault.instance)
