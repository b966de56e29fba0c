"""What the commands have in common: how one is declared, and where its configuration is."""

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lycatra_appservice.errors import LycatraError
from lycatra_appservice.settings import DatabaseSettings, Settings, WrittenSettings

if TYPE_CHECKING:  # commands that need no tools start without the libraries of theirs
    from lycatra_appservice.toolkit.own.found import FoundTools
    from lycatra_appservice.toolkit.rule_mistakes import RuleMistake

CONFIG_VARIABLE = "LYCATRA_CONFIG"
DEFAULT_CONFIG = Path("config.yaml")


class CommandError(LycatraError):
    """A command could not do what it was asked; the message is the sentence to print."""

    said = "The command could not do what it was asked."


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One word after `lycatra`; `run` returns the exit code."""

    name: str
    summary: str
    add_arguments: Callable[[ArgumentParser], None]
    run: Callable[[Namespace], int]


def add_config_argument(parser: ArgumentParser) -> None:
    """Let a command take `-c FILE`."""
    parser.add_argument(
        "-c",
        "--config",
        type=Path,
        metavar="FILE",
        help=f"the configuration; else {CONFIG_VARIABLE}, else {DEFAULT_CONFIG}",
    )


def config_path(arguments: Namespace) -> Path | None:
    """Return the configuration file to read; None when there is only the environment."""
    named: Path | None = arguments.config
    if named is not None:
        return named
    if variable := os.environ.get(CONFIG_VARIABLE):
        return Path(variable)
    return DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """The complete settings, and the tools that they were checked with."""

    settings: Settings
    tools: "FoundTools"


def read_installation(arguments: Namespace, *, needs_tokens: bool = True) -> Installation:
    """Find the tools and read the settings. What is wrong with one's own tools disables them.

    Without `needs_tokens` there need be no registration yet: nothing is said to Synapse.
    """
    from lycatra_appservice.settings_file import (
        OwnNamespaces,
        load_mcp_servers,
        load_own_tools,
        load_settings,
    )
    from lycatra_appservice.toolkit.own.search import find_tools

    path = config_path(arguments)
    found = find_tools(load_own_tools(path, os.environ), load_mcp_servers(path, os.environ))
    own = OwnNamespaces(
        usable=found.own,
        broken=found.disabled,
        all_known=found.all_known,
        growing=found.growing,
    )
    models = {each.name: each.settings for each in found.registry.namespaces}
    settings = load_settings(
        path,
        os.environ,
        models,
        found.names(),
        own,
        lambda written, sections: _mistakes_of_rules(written, sections, found),
        needs_tokens=needs_tokens,
    )
    working = found.with_wrong_settings(settings.tool_mistakes)
    return Installation(settings=settings, tools=working.at_work(settings.tool_settings))


def _mistakes_of_rules(
    written: WrittenSettings, sections: Mapping[str, object], found: "FoundTools"
) -> Iterator["RuleMistake"]:
    """What is wrong with rules of approvals, and can be told by who knows the tools."""
    from lycatra_appservice.toolkit.access import Access
    from lycatra_appservice.toolkit.permissions import Permissions
    from lycatra_appservice.toolkit.rule_mistakes import hopeless_rules, unknown_tools

    changing = [tool for tool in found.registry.tools if tool.changes]
    access = Access(written.access, Permissions(written.permissions, found.registry))
    yield from unknown_tools(written.approvals, changing, found.may_have)
    working = found.at_work(sections).registry
    at_work = [tool for tool in changing if working.tool(tool.name) is not None]
    yield from hopeless_rules(written.approvals, at_work, access)


def read_settings(arguments: Namespace) -> Settings:
    """Read the complete settings, with the sections of the tools that are installed."""
    return read_installation(arguments).settings


def read_written_settings(arguments: Namespace) -> WrittenSettings:
    """Read the settings as far as they are needed before there are tokens."""
    from lycatra_appservice.settings_file import load_written_settings

    return load_written_settings(config_path(arguments), os.environ)


def refuse_shared_mount(database: DatabaseSettings) -> None:
    """Raise SettingsError if the database file is where SQLite would be damaged."""
    from lycatra_appservice.db.mounts import refuse_shared_mount as refuse

    if database.sqlite_file is not None and not database.allow_shared_mount:
        refuse(database.sqlite_file)
