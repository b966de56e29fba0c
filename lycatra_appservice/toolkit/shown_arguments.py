"""Arguments as they may be shown to everybody in a room: whole, and without what is secret."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, SecretBytes, SecretStr

from lycatra_appservice.errors import ToolFailedError
from lycatra_appservice.model import JSON
from lycatra_appservice.words.text import Text

HIDDEN: Final = "••••"
_SECRET: Final = re.compile(
    r"(?:^|_)(?:password|passwd|passphrase|secret|token|credential|api_?key|private_?key|pin)s?(?:_|$)"
)
_LONGEST: Final = 1000  # characters of all values, so that people still read them


def shown_arguments(args: BaseModel) -> dict[str, str]:
    """Each argument that was given or has a default, in words; a secret's value is hidden.

    Raises ToolFailedError when they are more than people can be shown: what they let through is
    what they have seen, to its end.
    """
    values = {name: getattr(args, name) for name in type(args).model_fields}
    shown = {
        name: HIDDEN if is_secret(name, value) else _in_words(value)
        for name, value in values.items()
        if value is not None
    }
    if sum(len(name) + len(value) for name, value in shown.items()) > _LONGEST:
        raise ToolFailedError(Text("too_long_for_a_card", n=_LONGEST))
    return shown


def is_secret(name: str, value: object) -> bool:
    """Whether a value is not for everybody's eyes, by its type or by what it is called."""
    if isinstance(value, SecretStr | SecretBytes):
        return True
    return not isinstance(value, bool) and _SECRET.search(name.casefold()) is not None


def plain_arguments(args: BaseModel) -> Mapping[str, JSON]:
    """The arguments as JSON, secrets too: for running, never for showing."""
    values = {name: getattr(args, name) for name in type(args).model_fields}
    secrets = {
        name: value.get_secret_value()
        for name, value in values.items()
        if isinstance(value, SecretStr)
    }
    return {**args.model_dump(mode="json"), **secrets}


def _in_words(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(_masked(value), ensure_ascii=False)
    plain = " ".join(text.replace("`", "'").split())
    return "".join(sign if sign.isprintable() else _by_number(sign) for sign in plain)


def _by_number(sign: str) -> str:
    """What is not seen, or changes how the rest is read, as its number."""
    return sign.encode("unicode-escape").decode()


def _masked(value: Any) -> JSON:
    if isinstance(value, BaseModel):
        return shown_arguments(value)
    if isinstance(value, Mapping):
        return {
            str(name): HIDDEN if is_secret(str(name), below) else _masked(below)
            for name, below in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(each) for each in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
