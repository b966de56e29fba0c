"""The registration file that makes Synapse know us: its content, and the tokens inside.

Pure except for reading. `lycatra registration` writes the file, Synapse and we read it, so that
there is one place for the two secrets.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path

from pydantic import SecretStr
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import SingleQuotedScalarString

from lycatra_appservice.errors import LycatraError
from lycatra_appservice.model import JSON
from lycatra_appservice.settings import WrittenSettings
from lycatra_appservice.settings_reading.yaml_tree import MAX_TEXT_BYTES, read_yaml

# Synapse ignores keys that it does not know; ours begin with our own domain.
PREVIOUS_KEY = "org.lycatra.hs_token_previous"
_TOKEN_BYTES = 32
_HEADER = """\
# Made by `lycatra registration`. It holds secrets: only Synapse and Lycatra may read it.
# Synapse reads it when it starts, and only then.
"""


class RegistrationError(LycatraError):
    """The registration file is missing or not what it should be; the message says what to do."""

    said = "The registration file cannot be used."


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Both directions' secrets; the previous hs_token is accepted while a rotation lasts."""

    as_token: SecretStr
    hs_token: SecretStr
    hs_token_previous: SecretStr | None = None

    def by_name(self) -> dict[str, SecretStr]:
        """Those that are set, by the names of their settings."""
        named = {"as_token": self.as_token, "hs_token": self.hs_token}
        if self.hs_token_previous is not None:
            named["hs_token_previous"] = self.hs_token_previous
        return named


def new_tokens() -> Tokens:
    """Make a fresh pair. Hexadecimal: safe in headers, YAML and shells."""
    return Tokens(
        as_token=SecretStr(secrets.token_hex(_TOKEN_BYTES)),
        hs_token=SecretStr(secrets.token_hex(_TOKEN_BYTES)),
    )


def rotated(tokens: Tokens) -> Tokens:
    """Make a fresh pair that still lets in a Synapse with the old hs_token.

    Raises RegistrationError while an earlier rotation lasts: its old token would be forgotten,
    and it may be the one that Synapse still uses.
    """
    if tokens.hs_token_previous is not None:
        raise RegistrationError(
            "a rotation is already under way; restart Synapse, "
            "end it with --end-rotation, then rotate again"
        )
    return replace(new_tokens(), hs_token_previous=tokens.hs_token)


def registration_content(settings: WrittenSettings, tokens: Tokens) -> dict[str, JSON]:
    """Return what the file has to say, in the order in which it is written."""
    localpart = re.escape(settings.bot.localpart)
    server = re.escape(settings.homeserver.server_name)
    content: dict[str, JSON] = {
        "id": settings.appservice.id,
        "url": settings.appservice.url,
        "as_token": tokens.as_token.get_secret_value(),
        "hs_token": tokens.hs_token.get_secret_value(),
        "sender_localpart": settings.bot.sender_localpart,
        "rate_limited": False,
        "receive_ephemeral": True,
        "org.matrix.msc3202": True,
        "io.element.msc4190": True,
        # Synapse anchors only the start of a pattern, hence the `$`.
        "namespaces": {
            "users": [_exclusive(rf"^@{localpart}(_[a-z0-9._=/+-]+)?:{server}$")],
            "aliases": [_exclusive(rf"^#{localpart}_[^:]*:{server}$")],
            "rooms": [],
        },
    }
    if tokens.hs_token_previous is not None:
        content[PREVIOUS_KEY] = tokens.hs_token_previous.get_secret_value()
    return content


def _exclusive(regex: str) -> dict[str, JSON]:
    return {"exclusive": True, "regex": regex}


def differing_keys(existing: Mapping[str, JSON], wanted: Mapping[str, JSON]) -> list[str]:
    """Name the keys we decide about that say something else now, the secret ones too."""
    names = [name for name in wanted if existing.get(name) != wanted[name]]
    if PREVIOUS_KEY in existing and PREVIOUS_KEY not in wanted:
        names.append(PREVIOUS_KEY)
    return names


def belongs_to(content: Mapping[str, JSON], settings: WrittenSettings) -> bool:
    """Whether a registration is ours, and not the one of another application service."""
    return (
        content.get("id") == settings.appservice.id
        or content.get("sender_localpart") == settings.bot.sender_localpart
    )


def read_registration(path: Path) -> dict[str, JSON]:
    """Read a registration file. Raises RegistrationError, also for one that does not exist."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_TEXT_BYTES + 1)
        text = content.decode("utf-8-sig")
    except FileNotFoundError:
        raise RegistrationError(
            f"{path} does not exist; make it with `lycatra registration`"
        ) from None
    except OSError as error:
        raise RegistrationError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise RegistrationError(f"{path} is not text") from None
    tree = read_yaml(text)
    if len(content) > MAX_TEXT_BYTES or tree.problems or not tree.values:
        line = f" (line {tree.problems[0].line})" if tree.problems else ""
        raise RegistrationError(f"{path} is not a registration file{line}")
    return tree.values


def tokens_in(content: Mapping[str, JSON], path: Path) -> Tokens:
    """Return a registration's tokens. Raises RegistrationError when one is not there."""
    previous = content.get(PREVIOUS_KEY)
    return Tokens(
        as_token=_token(content.get("as_token"), "as_token", path),
        hs_token=_token(content.get("hs_token"), "hs_token", path),
        hs_token_previous=_token(previous, PREVIOUS_KEY, path) if previous is not None else None,
    )


def _token(value: JSON, key: str, path: Path) -> SecretStr:
    if not isinstance(value, str) or not value:
        raise RegistrationError(f"{path} has no usable {key}")
    return SecretStr(value)


def render(content: Mapping[str, JSON]) -> str:
    """Write a registration as YAML, every text in quotes.

    Synapse reads YAML 1.1, where some unquoted texts are numbers or booleans.
    """
    out = StringIO()
    yaml = YAML()
    yaml.width = 10_000
    yaml.dump(_quoted(content), out)
    return _HEADER + out.getvalue()


def _quoted(value: JSON) -> JSON:
    if isinstance(value, str):
        return SingleQuotedScalarString(value)
    if isinstance(value, Mapping):
        return {key: _quoted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_quoted(inner) for inner in value]
    return value
