"""Secrets: read from the files that `<key>_file` names, and known so that no message shows one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel

from lycatra_appservice.model import JSON
from lycatra_appservice.settings_reading.model_fields import (
    holds_secret,
    keeps_secrets,
    models_below,
)
from lycatra_appservice.settings_reading.yaml_tree import KeyPath

_MAX_SECRET_BYTES = 64 * 1024
_SHORTEST_SECRET = 4  # a shorter one is found inside ordinary words


@dataclass(slots=True)
class Secrets:
    """What was found: the secrets in the clear, where they came from, and what was wrong."""

    inline: dict[KeyPath, str] = field(default_factory=dict)  # written in the open
    from_files: dict[KeyPath, str] = field(default_factory=dict)
    problems: dict[KeyPath, str] = field(default_factory=dict)  # by the secret's own place

    def mask(self, text: str) -> str:
        """Return a text for people without any of them."""
        for secret in (*self.inline.values(), *self.from_files.values()):
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, "***")
        return text


class _UnusableError(Exception):
    """A secret file cannot be used; the message says why."""


class SecretFiles:
    """Walks values beside the models that describe them, and puts file contents in place."""

    def __init__(self, base_folder: Path) -> None:
        self._base_folder = base_folder
        self.secrets = Secrets()

    def fill(self, values: JSON, models: Sequence[type[BaseModel]], path: KeyPath = ()) -> None:
        """Replace each `<key>_file` by the key with the file's content, in place."""
        if isinstance(values, list):
            for index, item in enumerate(values):
                self.fill(item, models, (*path, index))
        if not isinstance(values, dict):
            return
        self._fill_fields(values, models, path)
        for name in list(values):
            self.fill(values[name], models_below(models, name), (*path, name))

    def _fill_fields(
        self, values: dict[str, JSON], models: Sequence[type[BaseModel]], path: KeyPath
    ) -> None:
        known = {name for model in models for name in model.model_fields}
        for model in models:
            for name, info in model.model_fields.items():
                if holds_secret(info.annotation):
                    self._secret(values, name, path, own_file_key=f"{name}_file" in known)
                elif keeps_secrets(info.annotation):
                    self._secrets_by_name(values.get(name), (*path, name))

    def _secrets_by_name(self, values: JSON, path: KeyPath) -> None:
        for name in list(values) if isinstance(values, dict) else ():
            self._secret(values, str(name).removesuffix("_file"), path, own_file_key=False)

    def _secret(
        self, values: dict[str, JSON], name: str, path: KeyPath, *, own_file_key: bool
    ) -> None:
        here = (*path, name)
        file_key = f"{name}_file"
        if file_key not in values or own_file_key:
            if isinstance(values.get(name), str):
                self.secrets.inline[here] = values[name]
            return
        file_name = values.pop(file_key)
        if values.get(name) is not None:
            self.secrets.problems[here] = f"is set beside {name}; keep one of them"
        elif file_name is not None:
            try:
                values[name] = _content(self._base_folder, file_name)
                self.secrets.from_files[here] = values[name]
            except _UnusableError as error:
                self.secrets.problems[here] = str(error)


def _content(base_folder: Path, file_name: JSON) -> str:
    if not isinstance(file_name, str):
        raise _UnusableError("should be the name of a file")
    path = base_folder / Path(file_name).expanduser()
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_SECRET_BYTES + 1)
        text = content.decode("utf-8-sig").strip()
    except OSError as error:
        raise _UnusableError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise _UnusableError(f"{path} is not text") from None
    if not text or len(content) > _MAX_SECRET_BYTES:
        raise _UnusableError(f"{path} is empty or too large to be a secret")
    return text
