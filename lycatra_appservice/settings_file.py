"""The configuration as `Settings`, out of its file, environment and secret files."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TypeAlias, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from lycatra_appservice.errors import SettingsError
from lycatra_appservice.foreign_code import ForeignCodeError, foreign_code
from lycatra_appservice.model import JSON
from lycatra_appservice.permission_rules import problems_in
from lycatra_appservice.registration import (
    RegistrationError,
    Tokens,
    differing_keys,
    new_tokens,
    read_registration,
    registration_content,
    tokens_in,
)
from lycatra_appservice.settings import OwnTools, Settings, WrittenSettings
from lycatra_appservice.settings_mcp_servers import McpServer
from lycatra_appservice.settings_reading.gather import Gathered, gather
from lycatra_appservice.settings_reading.mistakes import (
    Mistake,
    Origins,
    did_you_mean,
    mistakes_of,
)

ModelT = TypeVar("ModelT", bound=BaseModel)
_SERVERS: Final = TypeAdapter(dict[str, McpServer])


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnNamespaces:
    """What is known of namespaces that do not ship with us, so that none keeps us from starting.

    A wrong section of one of `usable` disables it. The section of one of `broken` is not looked
    at. When not all of them are `known`, a section of any name may be one's. Those that are
    `growing` get their tools only when the program runs.
    """

    usable: frozenset[str] = frozenset()
    broken: frozenset[str] = frozenset()
    all_known: bool = True
    growing: frozenset[str] = frozenset()

    def may_come(self, tool: str | None) -> bool:
        """Whether a tool of this name may be told of by a server that nobody has asked yet."""
        return tool is not None and any(tool.startswith(f"{each}_") for each in self.growing)


class FurtherMistake(Protocol):
    """A sentence about the value at `path`."""

    @property
    def path(self) -> tuple[str, ...]:
        """Where it stands."""

    @property
    def sentence(self) -> str:
        """What is wrong."""

    @property
    def unknown(self) -> str | None:
        """A name, for a hint at a likely one of `known`."""

    @property
    def known(self) -> Sequence[str]:
        """What there is."""

    @property
    def is_written(self) -> bool:
        """Whether the configuration says so itself; else it is a warning."""


# Given what is written and the checked sections of the tools.
FindMistakes: TypeAlias = Callable[
    [WrittenSettings, Mapping[str, BaseModel]], Iterable[FurtherMistake]
]


def load_settings(
    path: Path | None,
    environ: Mapping[str, str],
    check_tools: Mapping[str, type[BaseModel]],
    tool_names: Mapping[str, Sequence[str]] | None = None,
    own: OwnNamespaces | None = None,
    more_mistakes: FindMistakes | None = None,
    *,
    needs_tokens: bool = True,
) -> Settings:
    """Read everything the program runs with; `path` None means the environment alone.

    `check_tools` has the settings model of each namespace, `tool_names` the names of its tools;
    None: the names in `permissions` are not looked at. `more_mistakes` finds what only those can
    see who know the tools. Without `needs_tokens` made-up ones stand in for a registration that
    there is not yet. Raises SettingsError with every mistake, one line each; no line
    repeats a value that may be a secret.
    """
    reading = _Reading(gather(path, environ, check_tools))
    own = own or OwnNamespaces()
    sections, wrong = reading.tool_settings(check_tools, own)
    written = reading.complete(WrittenSettings)
    if tool_names is not None:
        reading.check_permissions(written, tool_names, own)
    if more_mistakes is not None:
        reading.check_further(more_mistakes(written, sections))
    reading.add_tokens(written, needs_tokens=needs_tokens)
    return reading.complete(Settings).model_copy(
        update={
            "tool_settings": sections,
            "tool_mistakes": wrong,
            "base_folder": reading.base_folder,
            "warnings": tuple(reading.warnings),
        }
    )


def load_own_tools(path: Path | None, environ: Mapping[str, str]) -> OwnTools:
    """Where tools come from, which has to be known before their settings can be checked.

    The defaults where that section is wrong: whoever reads everything is told so.
    """
    gathered = gather(path, environ, {})
    try:
        return OwnTools.model_validate(
            gathered.values.get("own_tools", {}), context={"base_folder": gathered.base_folder}
        )
    except ValidationError:
        return OwnTools()


def load_mcp_servers(path: Path | None, environ: Mapping[str, str]) -> Mapping[str, McpServer]:
    """The servers whose tools join ours, for their names; none where that section is wrong."""
    gathered = gather(path, environ, {})
    try:
        return _SERVERS.validate_python(
            gathered.values.get("mcp_servers", {}), context={"base_folder": gathered.base_folder}
        )
    except ValidationError:
        return {}


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

    def tool_settings(
        self, models: Mapping[str, type[BaseModel]], own: OwnNamespaces
    ) -> tuple[Mapping[str, BaseModel], Mapping[str, Sequence[str]]]:
        """Check each namespace's section, an absent one as if it were empty.

        Returns those that are right, and what is wrong with the others that may be.
        """
        sections = self._values.get("tools")
        if not isinstance(sections, dict):
            sections = {}
        for name in sorted(sections.keys() - models.keys() - own.broken):
            self._unknown_section(name, models, own)
        checked: dict[str, BaseModel] = {}
        wrong: dict[str, Sequence[str]] = {}
        for name, model in models.items():
            section = sections.get(name)
            if section is not None and not isinstance(section, dict):
                continue  # checking the whole says so
            found = _tool_section(name, section or {}, model, self._origins)
            if isinstance(found, BaseModel):
                checked[name] = found
            elif name in own.usable:
                wrong[name] = [self._secrets.mask(each.text) for each in found]
            else:
                self._mistakes += found
        return checked, wrong

    def _unknown_section(
        self, name: str, models: Mapping[str, type[BaseModel]], own: OwnNamespaces
    ) -> None:
        hint = did_you_mean(name, sorted(models))
        if name == "paths":
            hint = "; folders of your own tools stand under own_tools.paths"
        mistake = self._origins.mistake(("tools", name), f"is no namespace of tools{hint}")
        self._add(mistake, is_certain=own.all_known)

    def _add(self, mistake: Mistake, *, is_certain: bool) -> None:
        """A mistake, or what may be right for a tool that does not work now."""
        if is_certain:
            self._mistakes.append(mistake)
        else:
            self.warnings.append(mistake.text)

    def check_permissions(
        self,
        written: WrittenSettings,
        tool_names: Mapping[str, Sequence[str]],
        own: OwnNamespaces,
    ) -> None:
        """Find names that are none: a rule for a misspelt tool would leave the real one open."""
        known = sorted({*tool_names, *(name for names in tool_names.values() for name in names)})
        for problem in problems_in(written.permissions, tool_names):
            hint = did_you_mean(problem.unknown, known) if problem.unknown else ""
            path = ("permissions", problem.rule, "tools")
            mistake = self._origins.mistake(path, problem.sentence + hint)
            all_seen = own.all_known and not own.broken
            is_certain = all_seen or problem.unknown is None
            if not own.may_come(problem.unknown):
                self._add(mistake, is_certain=is_certain)

    def check_further(self, mistakes: Iterable[FurtherMistake]) -> None:
        """Find what is wrong between sections that are right in themselves."""
        if self._mistakes:
            return
        for found in mistakes:
            hint = did_you_mean(found.unknown, found.known) if found.unknown else ""
            mistake = self._origins.mistake(found.path, found.sentence + hint)
            self._add(mistake, is_certain=found.is_written)

    def add_tokens(self, written: WrittenSettings, *, needs_tokens: bool) -> None:
        """Take the tokens that are not written in the configuration from the registration."""
        appservice = written.appservice
        if appservice.as_token is not None and appservice.hs_token is not None:
            return
        path = appservice.registration_file
        if not (needs_tokens or path.exists()):
            self._put_tokens(new_tokens())
            return
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


def _tool_section(
    name: str, section: JSON, model: type[BaseModel], origins: Origins
) -> BaseModel | list[Mistake]:
    """The checked section, or what is wrong with it."""
    here = Path(getattr(sys.modules.get(model.__module__), "__file__", None) or "")
    try:
        with foreign_code(here, here.parent):
            try:
                return model.model_validate(section)
            except ValidationError as error:
                return mistakes_of(error, [model], origins, below=("tools", name))
    except ForeignCodeError as error:
        return [origins.mistake(("tools", name), f"could not be checked: {error}")]
