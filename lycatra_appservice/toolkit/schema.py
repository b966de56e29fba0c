"""The JSON Schema of a tool's arguments, as small and plain as every model backend takes it."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

_DEFS = "$defs"
_REF = "$ref"


@lru_cache(maxsize=2048)  # more than all tools: those of remote servers come and go
def parameters_schema(model: type[BaseModel]) -> Mapping[str, Any]:
    """JSON Schema of `model`: references written out, no titles, optional fields just optional.

    Null for an optional field is still accepted when arguments are checked; it is only not
    offered, because `anyOf` with null makes small models write the word "null". A model that
    contains itself keeps its references, and the lint refuses it. Made once a model and shared:
    copy it before changing it.
    """
    schema = model.model_json_schema(schema_generator=_LeanJsonSchema)
    definitions = schema.pop(_DEFS, {})
    lean: dict[str, Any] = _written_out(schema, definitions, ())
    for hidden_from_models in ("title", "description"):
        lean.pop(hidden_from_models, None)
    lean.setdefault("properties", {})
    return lean


class _LeanJsonSchema(GenerateJsonSchema):
    """pydantic's generator without `anyOf` null, null defaults and generated titles."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if schema.get("default", ...) is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def field_title_should_be_set(self, schema: object) -> bool:
        return False


def _written_out(part: Any, definitions: Mapping[str, Any], inside: tuple[str, ...]) -> Any:
    if isinstance(part, list):
        return [_written_out(one, definitions, inside) for one in part]
    if not isinstance(part, dict):
        return part
    name = str(part.get(_REF, "")).removeprefix(f"#/{_DEFS}/")
    if name in definitions and name not in inside:
        # What stands beside the reference (a field's description) is nearer than the definition's.
        target = {**definitions[name], **{k: v for k, v in part.items() if k != _REF}}
        target.pop("title", None)
        return _written_out(target, definitions, (*inside, name))
    return {key: _written_out(value, definitions, inside) for key, value in part.items()}
