"""Settings out of environment variables: `LYCATRA_<SECTION>__<KEY>`, laid over the file's."""

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from difflib import get_close_matches

from pydantic import BaseModel

from lycatra_appservice.model import JSON
from lycatra_appservice.settings_reading.model_fields import (
    has_free_keys,
    holds_secret,
    leaves,
)
from lycatra_appservice.settings_reading.yaml_tree import KeyPath

_PREFIX = "LYCATRA_"


@dataclass(frozen=True, slots=True)
class Variable:
    """A setting that stands in the environment."""

    name: str
    path: tuple[str, ...]
    value: JSON


def read_environment(
    environ: Mapping[str, str], model: type[BaseModel]
) -> tuple[list[Variable], list[str]]:
    """Return the settings found, and a line for each variable that is none.

    An empty variable counts as not set: compose files pass them on that way. Names without `__`
    that are no setting are left alone: Kubernetes puts `LYCATRA_SERVICE_HOST` and others there.
    """
    known, free = _known(model), _free(model)
    found, problems = [], []
    for name, text in sorted(environ.items()):
        if not name.startswith(_PREFIX) or not text.strip():
            continue
        if name in known:
            found.append(Variable(name, known[name], text))
        elif name.startswith(free):
            found.append(_free_variable(name, text))
        elif hint := _hint(name, known):
            problems.append(f"{name}: is not a setting{hint}")
    return found, problems


def overlay(values: dict[str, JSON], variables: Sequence[Variable]) -> dict[str, JSON]:
    """Lay the environment's values over the file's; a secret and its `_file` replace each other.

    A section that is not one in the file stays as it is, to be reported as the mistake it is.
    """
    result = deepcopy(values)
    for variable in variables:
        section = _section(result, variable.path[:-1])
        section.pop(_other_form(variable.path[-1]), None)
    for variable in variables:
        _section(result, variable.path[:-1])[variable.path[-1]] = variable.value
    return result


def variable_of(path: KeyPath) -> str:
    """The name of the variable that sets this place."""
    return _PREFIX + "__".join(str(part).upper() for part in path)


def _known(model: type[BaseModel]) -> dict[str, tuple[str, ...]]:
    known: dict[str, tuple[str, ...]] = {}
    for path, field in leaves(model):
        if has_free_keys(field.annotation):
            continue
        known[variable_of(path)] = path
        if holds_secret(field.annotation):
            known[f"{variable_of(path)}_FILE"] = (*path[:-1], f"{path[-1]}_file")
    return known


def _free(model: type[BaseModel]) -> tuple[str, ...]:
    """What the variables of sections begin with whose keys are free, such as `tools`."""
    return tuple(
        f"{variable_of(path)}__"
        for path, field in leaves(model)
        if has_free_keys(field.annotation)
    )


def _free_variable(name: str, text: str) -> Variable:
    """Tools have values of any shape; what looks like a JSON list or object is read as one."""
    path = tuple(part.lower() for part in name.removeprefix(_PREFIX).split("__"))
    if text.lstrip().startswith(("[", "{")):
        try:
            return Variable(name, path, json.loads(text))
        except ValueError:
            return Variable(name, path, text)
    return Variable(name, path, text)


def _hint(name: str, known: Mapping[str, KeyPath]) -> str:
    single = name.replace("__", "_")
    for candidate in known:
        if candidate.replace("__", "_") == single:
            return f"; did you mean {candidate}?"
    if "__" not in name:
        return ""
    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else "; see example-config.yaml"


def _section(values: dict[str, JSON], path: Sequence[str]) -> dict[str, JSON]:
    for part in path:
        inner = values.get(part)
        if inner is None:
            inner = values[part] = {}
        if not isinstance(inner, dict):
            return {}
        values = inner
    return values


def _other_form(key: str) -> str:
    return key.removesuffix("_file") if key.endswith("_file") else f"{key}_file"
