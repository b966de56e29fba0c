"""The configuration as `Settings`, out of its file, environment and secret files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from lycatra_appservice.errors import SettingsError
from lycatra_appservice.model import JSON
from lycatra_appservice.permission_rules import problems_in
from lycatra_appservice.registration import (
    RegistrationError,
    Tokens,
    differing_keys,
    read_registration,
    registration_content,
    tokens_in,
)
from lycatra_appservice.settings import Settings, WrittenSettings
from lycatra_appservice.settings_reading.gather import Gathered, gather
from lycatra_appservice.settings_reading.mistakes import did_you_mean, mistakes_of

ModelT = TypeVar("ModelT", bound=BaseModel)


def load_settings(
    path: Path | None,
    environ: Mapping[str, str],
    check_tools: Mapping[str, type[BaseModel]],
    tool_names: Mapping[str, Sequence[str]] | None = None,
) -> Settings:
    """Read everything the program runs with; `path` None means the environment alone.

    `check_tools` has the settings model of each namespace, `tool_names` the names of its tools;
    None: the names in `permissions` are not looked at. Raises SettingsError with every
    mistake, one line each; no line repeats a value that may be a secret.
    """
    reading = _Reading(gather(path, environ, check_tools))
    sections = reading.tool_settings(check_tools)
    written = reading.complete(WrittenSettings)
    if tool_names is not None:
        reading.check_permissions(written, tool_names)
    reading.add_tokens(written)
    return reading.complete(Settings).model_copy(
        update={
            "tool_settings": sections,
            "base_folder": reading.base_folder,
            "warnings": tuple(reading.warnings),
        }
    )


def load_written_settings(path: Path | None, environ: Mapping[str, str]) -> WrittenSettings:
    """Read what is written, before there are tokens and without looking into `tools`.

    For the commands that come before the first start. Raises SettingsError.
    """
    return _Reading(gather(path, environ, {})).complete(WrittenSettings)


class _Reading:
    """Gives the gathered values their meaning; keeps mistakes until something must be complete."""

    def __init__(self, gathered: Gathered) -> None:
        self._values = gathered.values
        self._origins = gathered.origins
        self._secrets = gathered.secrets
        self._mistakes = list(gathered.mistakes)
        self.warnings = list(gathered.warnings)
        self.base_folder = gathered.base_folder
        if not gathered.has_structure:
            raise self._error()

    def complete(self, model: type[ModelT]) -> ModelT:
        """Return the whole, or raise SettingsError with all mistakes up to here."""
        try:
            whole = model.model_validate(self._values, context={"base_folder": self.base_folder})
        except ValidationError as error:
            self._mistakes += mistakes_of(error, [model], self._origins)
            raise self._error() from None  # the cause would carry the values
        if self._mistakes:
            raise self._error()
        return whole

    def tool_settings(self, models: Mapping[str, type[BaseModel]]) -> dict[str, BaseModel]:
        """Check each namespace's section, an absent one as if it were empty."""
        sections = self._values.get("tools")
        if not isinstance(sections, dict):
            sections = {}
        for name in sections.keys() - models.keys():
            hint = did_you_mean(name, sorted(models))
            self._mistake(("tools", name), f"is no namespace of tools{hint}")
        return {
            name: checked
            for name, model in models.items()
            if (checked := self._tool_section(name, sections.get(name), model)) is not None
        }

    def _tool_section(self, name: str, section: JSON, model: type[BaseModel]) -> BaseModel | None:
        if section is not None and not isinstance(section, dict):
            return None  # checking the whole says so
        try:
            return model.model_validate(section or {})
        except ValidationError as error:
            self._mistakes += mistakes_of(error, [model], self._origins, below=("tools", name))
            return None

    def check_permissions(
        self, written: WrittenSettings, tool_names: Mapping[str, Sequence[str]]
    ) -> None:
        """Find names that are none: a rule for a misspelt tool would leave the real one open."""
        known = sorted({*tool_names, *(name for names in tool_names.values() for name in names)})
        for problem in problems_in(written.permissions, tool_names):
            hint = did_you_mean(problem.unknown, known) if problem.unknown else ""
            path = ("permissions", problem.rule, "tools")
            self._mistakes.append(self._origins.mistake(path, problem.sentence + hint))

    def add_tokens(self, written: WrittenSettings) -> None:
        """Take the tokens that are not written in the configuration from the registration."""
        appservice = written.appservice
        if appservice.as_token is not None and appservice.hs_token is not None:
            return
        path = appservice.registration_file
        try:
            content = read_registration(path)
            self._put_tokens(tokens_in(content, path))
        except RegistrationError as error:
            self._mistake(("appservice", "registration_file"), str(error))
            raise self._error() from None  # else the tokens would seem missing, too
        differing = differing_keys(
            content, registration_content(written, tokens_in(content, path))
        )
        if differing:
            self.warnings.append(
                f"{path} does not fit the configuration any more ({', '.join(differing)}): "
                "run `lycatra registration`, then restart Synapse"
            )

    def _put_tokens(self, tokens: Tokens) -> None:
        section = self._values.setdefault("appservice", {})
        for name, token in tokens.by_name().items():
            section.setdefault(name, token)

    def _mistake(self, path: tuple[str, ...], sentence: str) -> None:
        self._mistakes.append(self._origins.mistake(path, sentence))

    def _error(self) -> SettingsError:
        return SettingsError([self._secrets.mask(each.text) for each in sorted(self._mistakes)])
