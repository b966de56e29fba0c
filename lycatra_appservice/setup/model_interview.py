"""The questions about the language model: one that was found, OpenAI's, another one, or none."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from lycatra_appservice.settings_types import BaseUrl, Token
from lycatra_appservice.setup.answers import KEY_FILE, ChosenModel, Given, SetupError, checked
from lycatra_appservice.setup.console import Console
from lycatra_appservice.setup.surroundings import Surroundings

_OPENAI: Final = "https://api.openai.com/v1"
_OPENAI_MODEL: Final = "gpt-4.1-mini"
_OPENAI_KEY: Final = "OPENAI_API_KEY"


class ModelInterview:
    """Asks nothing that was given or can be seen."""

    def __init__(self, console: Console, given: Given, surroundings: Surroundings) -> None:
        self._console = console
        self._given = given
        self._surroundings = surroundings

    def run(self) -> ChosenModel | None:
        """Return the model; None when there shall be none yet. Raises SetupError."""
        given = self._given
        if given.no_model:
            return None
        if given.model_url is not None:
            return self._at(given.model_url)
        found = self._surroundings.ollamas()
        if self._console.is_interactive:
            return self._choose(found)
        if not found:
            return None
        url, names = found[0]
        name = given.model or names[0]
        self._console.say(f"  The model is {name}, by Ollama at {url}.")
        return ChosenModel(base_url=url, name=name)

    def _choose(self, found: Sequence[tuple[str, Sequence[str]]]) -> ChosenModel | None:
        options = [f"Ollama at {url}, with {_some(names)}" for url, names in found]
        options += ["OpenAI", "another server", "none for now: commands work without"]
        default = 0 if found or os.environ.get(_OPENAI_KEY) else len(options) - 1
        chosen = self._console.choose("Which language model answers questions?", options, default)
        if chosen < len(found):
            url, names = found[chosen]
            return ChosenModel(base_url=url, name=self._one_of(names))
        if chosen == len(options) - 1:
            return None
        if chosen == len(options) - 2:
            url = self._console.ask(
                "Its address (http://…/v1)", None, lambda text: checked(BaseUrl, text)
            )
            return self._at(url)
        return self._at(_OPENAI)

    def _at(self, address: str) -> ChosenModel:
        try:
            url = checked(BaseUrl, address)
        except SetupError as mistaken:
            raise SetupError(f"--model-url: {mistaken}") from mistaken
        new_key = self._new_key(url)
        key = new_key if self._given.model_key_file is None else self._key_in_file()
        base, names = self._surroundings.models(url, key)
        return ChosenModel(
            base_url=base,
            name=self._name(base, names),
            key_file=self._key_file(new_key),
            new_key=new_key,
        )

    def _name(self, url: str, names: Sequence[str]) -> str:
        if self._given.model is not None:
            return self._given.model
        if url == _OPENAI:
            return self._asked_name(_OPENAI_MODEL)
        if self._console.is_interactive:
            return self._one_of(names) if names else self._asked_name(None)
        if len(names) == 1:
            return names[0]
        seen = f"it has {_some(names)}" if names else "it does not list any"
        raise SetupError(f"--model is missing: the model's name at {url}; {seen}")

    def _asked_name(self, default: str | None) -> str:
        if not self._console.is_interactive and default is not None:
            return default
        return self._console.ask("The model's name there", default, str)

    def _one_of(self, names: Sequence[str]) -> str:
        if self._given.model is not None or len(names) == 1:
            return self._given.model or names[0]
        return names[self._console.choose("Which of its models?", names, 0)]

    def _new_key(self, url: str) -> SecretStr | None:
        """A key that has to be written into a file; from the environment, or typed."""
        if self._given.model_key_file is not None:
            return None
        typed = os.environ.get(_OPENAI_KEY, "").strip() if url == _OPENAI else ""
        if not typed and self._console.is_interactive:
            typed = self._console.ask_secret("Its API key (not shown; Enter if it needs none)")
        if not typed:
            return None
        checked(Token, typed)
        return SecretStr(typed)

    def _key_in_file(self) -> SecretStr | None:
        path = self._given.model_key_file
        try:
            return SecretStr(path.read_text("utf-8").strip()) if path is not None else None
        except (OSError, UnicodeDecodeError) as refused:
            raise SetupError(f"--model-key-file: {path} cannot be read") from refused

    def _key_file(self, new_key: SecretStr | None) -> str | None:
        path: Path | None = self._given.model_key_file
        if path is not None:
            return str(path.absolute())
        return KEY_FILE if new_key is not None else None


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
