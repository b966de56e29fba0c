"""Mistakes in words: where it stands, which key, what is wrong, what would be right."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from lycatra_appservice.settings_reading.environment import variable_of
from lycatra_appservice.settings_reading.model_fields import choices_at, field_at, keys_at
from lycatra_appservice.settings_reading.yaml_tree import KeyPath, YamlProblem

_LONGEST_KEY = 40

# pydantic's own words are for programmers; these types need others.
_SENTENCES = {
    "missing": "is missing",
    "model_type": "should be a section: its keys below it, indented",
    "dict_type": "should be a section: its keys below it, indented",
    "string_type": "should be text; put it into quotes",
    "tuple_type": "should be a list",
    "list_type": "should be a list",
    "int_parsing": "should be a whole number",
    "int_type": "should be a whole number",
    "int_from_float": "should be a whole number",
    "string_pattern_mismatch": "does not have the form that it should have",
}


ENVIRONMENT_LINE = 2**31  # after every line of the file


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One line for the person; sorts by where it stands, the environment last."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Origins:
    """Where each value came from: a line of the file, or a variable."""

    file: str | None
    lines: Mapping[KeyPath, int]
    variables: Mapping[KeyPath, str]
    broken: Collection[KeyPath] = ()  # places whose text could not be read

    def is_broken(self, path: KeyPath) -> bool:
        """Whether the text at this place, or around it, could not be read."""
        return any(path[: len(place)] == place for place in self.broken)

    def unreadable(self, problem: YamlProblem) -> Mistake:
        """Say what is wrong with the text itself."""
        return self._in_file(problem.path, problem.line, problem.sentence)

    def mistake(self, path: KeyPath, sentence: str) -> Mistake:
        """Say a sentence about the value at a path."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.variables:
                return Mistake(ENVIRONMENT_LINE, f"{self.variables[path[:end]]}: {sentence}")
            if path[:end] in self.lines:
                return self._in_file(path, self.lines[path[:end]], sentence)
        return self._in_file(path, 0, sentence)

    def _in_file(self, path: KeyPath, line: int, sentence: str) -> Mistake:
        key = self._shown(path)
        if self.file is None and not path:
            return Mistake(line, sentence)  # about all of it: no variable would hold that
        if self.file is None:
            return Mistake(line, f"{key}: {sentence} (as a variable: {variable_of(path)})")
        place = f"{self.file}:{line}" if line else self.file
        return Mistake(line, f"{place}: {key}: {sentence}" if key else f"{place}: {sentence}")

    def _shown(self, path: KeyPath) -> str:
        """Leave out what pydantic adds to a path, such as which member of a union it tried."""
        shown = [
            part
            for end, part in enumerate(path, start=1)
            if end in (1, len(path))
            or (end == 2 and path[0] == "tools")  # a namespace, whose section may be missing
            or path[:end] in self.lines
            or path[:end] in self.variables
        ]
        return ".".join(str(part)[:_LONGEST_KEY] for part in shown)


def mistakes_of(
    error: ValidationError,
    models: Sequence[type[BaseModel]],
    origins: Origins,
    below: KeyPath = (),
) -> list[Mistake]:
    """Say in words what pydantic found; `below` is where the checked section stands.

    Nothing is said about places whose text is broken: that has been said already.
    """
    found = []
    for detail in error.errors(include_url=False, include_input=False):
        path = (*below, *detail["loc"])
        if not origins.is_broken(path):
            found.append(origins.mistake(path, _sentence(detail, models)))
    return found


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """A hint at the nearest known word, or at all of them when they are few."""
    close = get_close_matches(word, known, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known here: {', '.join(known)}" if known else ""


def _sentence(detail: ErrorDetails, models: Sequence[type[BaseModel]]) -> str:
    path = detail["loc"]
    if detail["type"] == "extra_forbidden":
        return "is not a setting" + did_you_mean(str(path[-1]), keys_at(models, path[:-1]))
    if detail["type"] == "union_tag_invalid":  # pydantic's sentence repeats the value
        return f"should have {detail['ctx']['discriminator']}: {detail['ctx']['expected_tags']}"
    if detail["type"] == "union_tag_not_found":
        name = detail["ctx"]["discriminator"].strip("'")
        return f"has no {name}; there are {', '.join(choices_at(models, path, name))}"
    sentence = _SENTENCES.get(detail["type"]) or detail["msg"].removeprefix("Value error, ")
    sentence = sentence.replace("Input should", "should")
    field = field_at(models, path)
    hint = field.description if field is not None else None
    return f"{sentence} ({hint})" if hint else sentence
