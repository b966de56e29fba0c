"""What nobody should have kept where a whole room can read it: passwords and the like; pure."""

import re
from typing import Final

from lycatra_appservice.toolkit.base import ToolFailedError, without_secrets

_BETWEEN: Final = r"[^.!?\n]{0,60}?"
# As in: the password of the router is …, das Passwort lautet …
_SAID: Final = re.compile(
    r"(?:password|passwort|passphrase|passcode|kennwort|\btoken|api[ _-]?key|secret[ _-]?key)s?\b"
    rf"{_BETWEEN}(?:\b(?:is|ist|lautet|are|sind)\b|[:=])\s*(?P<value>\S+)(?P<rest>[^.!?\n]*)",
    re.I,
)
_DIGITS: Final = re.compile(
    rf"\b(?:pin|puk|tan|(?:door|access|entry|safe) ?code|(?:tür|zugangs|tresor)code)s?\b"
    rf"{_BETWEEN}\d{{4,}}",
    re.I,
)


def check_discreet(text: str) -> None:
    """Raise ToolFailedError for what looks like a secret; rather too often than not at all."""
    if without_secrets(text) != text or _says_secret(text):
        raise ToolFailedError(
            "That looks like a password or a key, and everybody in this room could read it from "
            "me later. Keep it in a password manager, and tell me where it is instead."
        )


def _says_secret(text: str) -> bool:
    found = _SAID.finditer(text)
    return any(_is_value(each) for each in found) or _DIGITS.search(text) is not None


def _is_value(said: re.Match[str]) -> bool:
    """Whether it is the secret itself, and not where it is or how old."""
    ends_there = not said["rest"].strip()
    return ends_there or re.search(r"[\d\W_]", said["value"].strip("\"'“”„,;")) is not None
