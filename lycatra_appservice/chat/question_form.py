"""The form of a question that a server asks: as people read it, and what they write into it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from lycatra_appservice.chat.arguments import UnclearError, read_arguments
from lycatra_appservice.model import JSON
from lycatra_appservice.toolkit.arguments import expected
from lycatra_appservice.toolkit.questions import Reaction
from lycatra_appservice.toolkit.remote.arguments import arguments_for
from lycatra_appservice.words.text import Said, Text

_NO: Final = frozenset({"no", "cancel", "nein", "abbrechen"})
_YES: Final = frozenset({"yes", "ok", "ja", "y", "j"})


class UnfitError(Exception):
    """What was written does not fit; `fields` are the names of those that are wrong."""

    def __init__(self, fields: Sequence[str]) -> None:
        super().__init__(", ".join(fields))
        self.fields = fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What somebody answers."""

    reaction: Reaction
    content: Mapping[str, JSON]

    def to_json(self) -> Mapping[str, JSON]:
        """As the table keeps it."""
        return {"reaction": self.reaction.value, "content": dict(self.content)}


def read_answer(words: str, form: Mapping[str, JSON]) -> Written:
    """What stands behind `!answer`. Raises UnfitError."""
    plain = words.strip().casefold()
    if plain in _NO:
        return Written(reaction=Reaction.DECLINE, content={})
    try:
        given = _yes(form) if plain in _YES else read_arguments(words, form)
        checked = arguments_for(form).model_validate(given)
    except UnclearError as exc:
        raise UnfitError(()) from exc
    except ValidationError as exc:
        names = [str(each["loc"][0]) for each in exc.errors(include_url=False) if each["loc"]]
        raise UnfitError(list(dict.fromkeys(names))) from None  # it would repeat the answer
    return Written(reaction=Reaction.ACCEPT, content=checked.model_dump(mode="json"))


def fields_of(form: Mapping[str, JSON]) -> Said:
    """A line for each field."""
    lines = [_line(name, field) for name, field in form.get("properties", {}).items()]
    return Text("lines", lines=lines) if lines else Text("question_yes")


def example_of(form: Mapping[str, JSON]) -> str:
    """What could be written behind `!answer`."""
    fields: Mapping[str, JSON] = form.get("properties", {})
    if not fields or [each.get("type") for each in fields.values()] == ["boolean"]:
        return "yes"
    needed = [name for name in form.get("required", ()) if name in fields] or list(fields)
    if len(needed) == 1:
        return _value(fields[needed[0]])
    return " ".join(f"{name}={_value(fields[name])}" for name in needed)


def _yes(form: Mapping[str, JSON]) -> Mapping[str, JSON]:
    """A yes to a form of one yes or no, or of nothing at all; else a word like any other."""
    fields: Mapping[str, JSON] = form.get("properties", {})
    if [each.get("type") for each in fields.values()] == ["boolean"]:
        return dict.fromkeys(fields, True)
    return {} if not fields else read_arguments("yes", form)


def _line(name: str, field: Mapping[str, JSON]) -> Text:
    about = str(field.get("description", "")).replace("`", "'")
    plain = name.replace("`", "'")
    if about:
        return Text("question_field_about", name=plain, expected=expected(field), about=about)
    return Text("question_field", name=plain, expected=expected(field))


def _value(field: Mapping[str, JSON]) -> str:
    choices = field.get("enum")
    if choices:
        return _quoted(str(choices[0]))
    match field.get("type"):
        case "integer" | "number":
            return str(field.get("minimum", 1))
        case "boolean":
            return "yes"
        case _:
            return "…"


def _quoted(word: str) -> str:
    plain = word.replace("`", "'")
    return f'"{plain}"' if " " in plain else plain
