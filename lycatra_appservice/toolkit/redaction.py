"""A call's arguments as they may be shown and kept: without secrets, and not long."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, get_args

from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic.fields import FieldInfo

from lycatra_appservice.errors import ToolFailedError
from lycatra_appservice.model import JSON
from lycatra_appservice.words.text import Text

Mask: TypeAlias = Callable[[str], str]  # takes out of a text the secrets that are known

HIDDEN: Final = "***"

_SECRET_WORDS: Final = frozenset(
    {
        "apikey",
        "auth",
        "authorization",
        "bearer",
        "cookie",
        "credential",
        "credentials",
        "key",
        "passphrase",
        "passwd",
        "password",
        "pin",
        "pwd",
        "secret",
        "secrets",
        "token",
        "tokens",
    }
)
_WORD: Final = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+(?![a-z])")
_MOST_CHARACTERS: Final = 3000  # of the whole, as JSON
# Longest text, most entries of a list or object: first generously, then as it must be.
_LIMITS: Final = ((200, 20), (40, 5))
_DEEPEST: Final = 5
_READABLE: Final = 1000  # characters on a card, so that people still read them


def shown_arguments(
    model: type[BaseModel] | None, raw: Mapping[str, JSON], mask: Mask
) -> dict[str, JSON]:
    """The arguments as somebody wrote them, fit for the audit, a card or a room.

    Hidden are fields that the tool marks (`SecretStr`, or `json_schema_extra={"secret": True}`),
    those that are called like a secret unless it marks them otherwise, and within texts what
    `mask` knows. `model` is the tool's, None for a tool that there is not.
    """
    for longest, most in _LIMITS:
        shown = _View(mask, longest, most).items(raw, model, 0)
        if len(json.dumps(shown, ensure_ascii=False)) <= _MOST_CHARACTERS:
            return shown
    return {"…": f"{len(raw)} arguments, too long to be shown"}


def wholly_shown_arguments(
    model: type[BaseModel], raw: Mapping[str, JSON], mask: Mask
) -> dict[str, JSON]:
    """The same with nothing left out: what people let through is what they have seen.

    Raises ToolFailedError when it is more than they would read.
    """
    if len(json.dumps(raw, ensure_ascii=False, default=str)) > _READABLE:
        raise ToolFailedError(Text("too_long_for_a_card", n=_READABLE))
    return _View(mask, _READABLE, _READABLE, _READABLE).items(raw, model, 0)


def canonical_arguments(tool: str, arguments: BaseModel | Mapping[str, JSON]) -> str:
    """Text that is equal for equal calls, secrets included: for hashing, never to be kept."""
    plain = arguments.model_dump() if isinstance(arguments, BaseModel) else dict(arguments)
    return json.dumps([tool, plain], sort_keys=True, default=_revealed)


def is_secret(name: str, field: FieldInfo | None = None) -> bool:
    """Whether what stands in such a field is nobody's business."""
    if field is not None:
        extra = field.json_schema_extra
        marked = extra.get("secret") if isinstance(extra, dict) else None
        if marked is not None:
            return bool(marked)
        if any(kind in (SecretStr, SecretBytes) for kind in _kinds(field.annotation)):
            return True
    return any(word.lower() in _SECRET_WORDS for word in _WORD.findall(name))


def is_secret_place(model: type[BaseModel], place: Sequence[int | str]) -> bool:
    """Whether something secret stands there, or around it; `place` as pydantic's errors tell."""
    inside: Sequence[type[BaseModel]] = [model]
    for name in (step for step in place if isinstance(step, str)):
        field = _field_of(inside, name)
        if is_secret(name, field):
            return True
        inside = _models_in(field)
    return False


@dataclass(frozen=True, slots=True)
class _View:
    """`longest` are characters of a text, `most` entries of a list or an object."""

    mask: Mask
    longest: int
    most: int
    deepest: int = _DEEPEST

    def items(
        self, raw: Mapping[str, JSON], model: type[BaseModel] | None, depth: int
    ) -> dict[str, JSON]:
        shown: dict[str, JSON] = {}
        for name, value in list(raw.items())[: self.most]:
            field = _field_of([model] if model else [], name)
            is_hidden = value is not None and is_secret(name, field)
            shown[self.text(name)] = HIDDEN if is_hidden else self._value(value, field, depth + 1)
        if len(raw) > self.most:
            shown["…"] = f"{len(raw) - self.most} more"
        return shown

    def text(self, text: str) -> str:
        masked = self.mask(text)  # before it is cut, or half a secret would remain
        return masked if len(masked) <= self.longest else f"{masked[: self.longest]}…"

    def _value(self, value: JSON, field: FieldInfo | None, depth: int) -> JSON:
        if depth > self.deepest:
            return "…"
        match value:
            case dict():
                return self.items(value, next(iter(_models_in(field)), None), depth)
            case list():
                kept = [self._value(one, field, depth + 1) for one in value[: self.most]]
                more = len(value) - self.most
                return [*kept, f"… {more} more"] if more > 0 else kept
            case None | bool():
                return value
            case int() | float() if len(repr(value)) <= self.longest:
                return value
            case _:
                return self.text(str(value))


def _field_of(models: Sequence[type[BaseModel]], name: str) -> FieldInfo | None:
    for model in models:
        for own, field in model.model_fields.items():
            if name in (own, field.alias):
                return field
    return None


def _models_in(field: FieldInfo | None) -> list[type[BaseModel]]:
    kinds = _kinds(field.annotation) if field is not None else ()
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]


def _kinds(annotation: Any) -> Iterator[Any]:
    """The type and every type inside: of `list[Secret] | None` all three."""
    yield annotation
    for inner in get_args(annotation):
        yield from _kinds(inner)


def _revealed(value: object) -> object:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, SecretBytes):
        return value.get_secret_value().hex()
    return str(value)
