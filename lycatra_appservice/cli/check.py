"""`lycatra check`: reads the configuration as `run` would, and says what looks wrong with it."""

import sys
from argparse import Namespace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lycatra_appservice.cli.command import (
    Command,
    add_config_argument,
    read_installation,
    refuse_shared_mount,
)
from lycatra_appservice.cli.concerns import concerns_about
from lycatra_appservice.settings import Approvals, Settings

if TYPE_CHECKING:
    from lycatra_appservice.toolkit.own.found import FoundTools


def _run(arguments: Namespace) -> int:
    installation = read_installation(arguments)
    settings, tools = installation.settings, installation.tools
    refuse_shared_mount(settings.database)
    concerns = (concern.what for concern in concerns_about(settings))
    for concern in (*settings.warnings, *concerns, *tools.problems):
        print(f"warning: {concern}", file=sys.stderr)
    print(_summary(settings, tools))
    return 0


def _summary(settings: Settings, tools: "FoundTools") -> str:
    models = [f"{each.model} at {each.base_url}" for each in settings.backends.values()]
    appservice = settings.appservice
    access = settings.access
    rows = {
        "assistant": f"@{settings.bot.localpart}:{settings.homeserver.server_name}",
        "homeserver": settings.homeserver.url,
        "listens on": f"{appservice.listen.host} port {appservice.listen.port}",
        "Synapse calls": appservice.url,
        "database": urlsplit(settings.database.url.get_secret_value()).scheme,
        "model": ", then ".join(models) or "none",
        "admins": ", ".join(access.admin) or "nobody",
        "operators": ", ".join(access.operator) or "nobody",
        "viewers": ", ".join(access.viewer) or "nobody",
        "approvals": _approvals(settings.approvals),
        "rules": f"{len(settings.permissions)} under permissions",
        "tools": ", ".join(each.name for each in tools.registry.namespaces) or "none",
        "time zone": settings.timezone,
    }
    lines = (f"  {name + ':':<15}{value}" for name, value in rows.items())
    return "\n".join(["The configuration is complete.", *lines])


def _approvals(rules: Approvals) -> str:
    who = f"of {', '.join(rules.people)}" if rules.people else rules.level
    if not rules.people and rules.quorum > 1:
        who += "s"
    minutes, seconds = divmod(round(rules.lifetime.total_seconds()), 60)
    within = f"{minutes} min" if minutes % 60 or seconds else f"{minutes // 60} h"
    others = ", not who asks" if rules.not_requester else ""
    otherwise = f"; otherwise for {', '.join(sorted(rules.tools))}" if rules.tools else ""
    return f"{rules.quorum} {who} within {within}{others}{otherwise}"


CHECK = Command(
    name="check",
    summary="Read the configuration and say what is wrong with it (exit code 0 or 2).",
    add_arguments=add_config_argument,
    run=_run,
)
