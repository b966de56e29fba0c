"""What a pydantic model says about the keys that may stand in a configuration."""

from collections.abc import Iterator, Sequence
from types import NoneType, UnionType
from typing import Annotated, Union, get_args, get_origin

from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic.fields import FieldInfo

from lycatra_appservice.settings_reading.yaml_tree import KeyPath


def submodels(annotation: object) -> list[type[BaseModel]]:
    """Every model inside an annotation, looking through lists, mappings and unions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in submodels(inner)]


def holds_secret(annotation: object) -> bool:
    """Whether a value of this annotation is itself a secret (a list of secrets is not)."""
    if get_origin(annotation) in (Annotated, Union, UnionType):
        return any(holds_secret(inner) for inner in get_args(annotation))
    return annotation in (SecretStr, SecretBytes)


def keeps_secrets(annotation: object) -> bool:
    """Whether it is a section of free names, each with a secret."""
    inner = get_args(annotation)
    return get_origin(annotation) is dict and holds_secret(inner[1])


def may_be_null(annotation: object) -> bool:
    """Whether `key:` without a value means something."""
    return annotation is NoneType or NoneType in get_args(annotation)


def models_below(models: Sequence[type[BaseModel]], key: str | int) -> list[type[BaseModel]]:
    """The models of what stands below a key; a list index or a free key changes none."""
    fields = [model.model_fields[str(key)] for model in models if key in model.model_fields]
    if not fields:
        return list(models)
    return [inner for each in fields for inner in submodels(each.annotation)]


def models_at(models: Sequence[type[BaseModel]], path: KeyPath) -> list[type[BaseModel]]:
    """The models that describe a place."""
    found = list(models)
    for part in path:
        found = models_below(found, part)
    return found


def field_at(models: Sequence[type[BaseModel]], path: KeyPath) -> FieldInfo | None:
    """The field that a place fills, if the models know it."""
    if not path:
        return None
    for model in models_at(models, path[:-1]):
        if path[-1] in model.model_fields:
            return model.model_fields[str(path[-1])]
    return None


def keys_at(models: Sequence[type[BaseModel]], path: KeyPath) -> list[str]:
    """The keys that may stand at a place, with the `_file` form of the secret ones."""
    keys = []
    for model in models_at(models, path):
        for name, field in model.model_fields.items():
            keys.append(name)
            if holds_secret(field.annotation):
                keys.append(f"{name}_file")
    return keys


def choices_at(models: Sequence[type[BaseModel]], path: KeyPath, name: str) -> list[str]:
    """The words by which the models of a place differ, as their field `name` has them."""
    fields = [model.model_fields.get(name) for model in models_at(models, path)]
    return [str(word) for field in fields if field for word in get_args(field.annotation)]


def has_free_keys(annotation: object) -> bool:
    """Whether the keys below are names that the operator chooses."""
    return get_origin(annotation) is dict


def leaves(
    model: type[BaseModel], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    """Every setting that is no section itself, with its path.

    A list of sections counts as one setting, and so do free keys.
    """
    for name, field in model.model_fields.items():
        is_one = get_origin(field.annotation) in (tuple, dict)
        inner = [] if is_one else submodels(field.annotation)
        if not inner:
            yield (*path, name), field
        for each in inner:
            yield from leaves(each, (*path, name))
