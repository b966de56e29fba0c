"""What somebody who sets Lycatra up decides, and what that means for the configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from pydantic import SecretStr, TypeAdapter, ValidationError

from lycatra_appservice.errors import LycatraError

Scalar: TypeAlias = str | int | list[str]
Values: TypeAlias = Mapping[tuple[str, ...], Scalar]

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_IN_DOCKER = frozenset({"lycatra", "host.docker.internal"})
KEY_FILE = "secrets/model-key"  # beside the configuration


class SetupError(LycatraError):
    """An answer that cannot be used, or a step that did not work; the message says what to do."""

    said = "Lycatra could not be set up."


class Place(StrEnum):
    """How Synapse runs, as seen from here."""

    HERE = "here"
    DOCKER = "docker"
    ELSEWHERE = "elsewhere"


def place_of(appservice_url: str) -> Place:
    """Where Synapse runs, by how it reaches us."""
    host = urlsplit(appservice_url).hostname
    if host in _LOCAL:
        return Place.HERE
    return Place.DOCKER if host in _IN_DOCKER else Place.ELSEWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What is known without asking; None is not known."""

    server_name: str | None = None
    homeserver: str | None = None
    ca_file: Path | None = None
    admin: str | None = None
    localpart: str | None = None
    synapse: Place | None = None
    appservice_url: str | None = None
    port: int | None = None
    model_url: str | None = None
    model: str | None = None
    model_key_file: Path | None = None
    no_model: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenModel:
    """A model and its address; a new key is written into `KEY_FILE`."""

    base_url: str
    name: str
    key_file: str | None = None
    new_key: SecretStr | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Everything that a first configuration needs, checked."""

    server_name: str
    homeserver_url: str
    ca_file: Path | None
    admin: str | None
    localpart: str
    appservice_url: str
    listen_host: str
    port: int
    model: ChosenModel | None

    def values(self) -> Values:
        """The settings that differ from the example, by their places in it."""
        found: dict[tuple[str, ...], Scalar] = {
            ("homeserver", "url"): self.homeserver_url,
            ("homeserver", "server_name"): self.server_name,
            ("appservice", "url"): self.appservice_url,
            ("appservice", "listen", "host"): self.listen_host,
            ("appservice", "listen", "port"): self.port,
            ("access", "admin"): [self.admin] if self.admin else [],
            ("bot", "localpart"): self.localpart,
        }
        if self.ca_file is not None:
            found["homeserver", "ca_file"] = str(self.ca_file)
        if self.model is not None:
            found["model", "base_url"] = self.model.base_url
            found["model", "model"] = self.model.name
        if self.model is not None and self.model.key_file is not None:
            found["model", "api_key_file"] = self.model.key_file
        return found


def checked(kind: Any, text: str) -> str:
    """A text as a setting of this kind takes it. Raises SetupError with the setting's sentence."""
    adapter: TypeAdapter[str] = TypeAdapter(kind)
    try:
        return adapter.validate_python(text.strip())
    except ValidationError as mistaken:
        [detail] = mistaken.errors(include_url=False)[:1]
        raise SetupError(f"it {detail['msg'].removeprefix('Value error, ')}") from None
