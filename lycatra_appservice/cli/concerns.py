"""What is allowed in a configuration and still looks like a mistake; pure but for file names."""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel

from lycatra_appservice.actors import ActorKind, read_actor
from lycatra_appservice.app.encryption import E2EE, needs_extra
from lycatra_appservice.app.traces import OTLP
from lycatra_appservice.chat.model_host import is_local
from lycatra_appservice.cli.server_concerns import concerns_about_servers
from lycatra_appservice.settings import Otlp, Settings
from lycatra_appservice.toolkit.extras import missing_extras

_SHORT_TOKEN = 32  # hexadecimal signs: 128 bits


@dataclass(frozen=True, slots=True)
class Concern:
    """A sentence, without secrets, and the line of the configuration that would end it."""

    what: str
    fix: str


def concerns_about(settings: Settings) -> list[Concern]:
    """Return all of them, what people may do first."""
    return [
        *_people(settings),
        *_lists_of_rules(settings),
        *_budgets(settings),
        *_rooms_of_their_own(settings),
        *_addresses(settings),
        *_mcp(settings),
        *_models(settings),
        *_traces(settings.otlp),
        *_encryption(settings),
        *_tokens(settings),
        *_missing_files(settings),
        *_missing_extras(settings),
        *(Concern(*each) for each in concerns_about_servers(settings.mcp_servers)),
    ]


def _people(settings: Settings) -> Iterator[Concern]:
    access = settings.access
    you = f"['@you:{settings.homeserver.server_name}']"
    if not access.admin:
        yield Concern("access.admin is empty: nobody is an admin", f"access.admin: {you}")
    if not access.admin and not access.operator:
        yield Concern(
            "access.operator and access.admin are empty: nobody can approve a change",
            f"access.operator: {you}",
        )
    if not (access.admin or access.operator or access.viewer):
        yield Concern(
            "access.viewer is empty too: nobody can use the assistant at all",
            f"access.viewer: ['*:{settings.homeserver.server_name}']",
        )
    elif not access.viewer:
        yield Concern(
            "access.viewer is empty: only operators and admins can use the assistant",
            f"access.viewer: ['*:{settings.homeserver.server_name}']",
        )
    if "*" in access.none:
        yield Concern(
            "access.none has '*': nobody can use the assistant at all", "access.none: without '*'"
        )
    if not settings.backends:
        yield Concern(
            "there is no model section: commands work, free questions are not answered",
            "model: a section with base_url and model",
        )


def _lists_of_rules(settings: Settings) -> Iterator[Concern]:
    for number, rule in enumerate(settings.permissions):
        if rule.who == ():
            key, names = f"permissions.{number}.who", ", ".join(rule.tools)
            you = f"['@you:{settings.homeserver.server_name}']"
            yield Concern(f"{key} is empty: nobody can use {names}", f"{key}: {you}")


def _budgets(settings: Settings) -> Iterator[Concern]:
    """0 is no word for "without a limit", although elsewhere it often is."""
    for section, share in (("person", settings.budgets.person), ("room", settings.budgets.room)):
        for key, effect in (
            ("turns_per_minute", "nobody is answered at all"),
            ("tokens_per_day", "no question is answered"),
        ):
            if getattr(share, key) == 0:
                place = f"budgets.{section}.{key}"
                yield Concern(f"{place} is 0: {effect}", f"{place}: unlimited, or a number")


def _rooms_of_their_own(settings: Settings) -> Iterator[Concern]:
    """A power level alone proves nothing: people make rooms, and have all power there."""
    lists = {"access.admin": settings.access.admin, "access.operator": settings.access.operator}
    for number, rule in enumerate(settings.permissions):
        lists[f"permissions.{number}.who"] = rule.who or ()
    for key, entries in lists.items():
        for entry in entries:
            if read_actor(entry).kind is ActorKind.POWER:
                yield Concern(
                    f"{key} has {entry!r}: whoever makes a room of his own has that there, so "
                    "whoever may invite the assistant gets it",
                    f"{key}: '{entry} in !id' with the room that you trust",
                )


def _addresses(settings: Settings) -> Iterator[Concern]:
    appservice = settings.appservice
    ours, homeserver = urlsplit(appservice.url), urlsplit(settings.homeserver.url)
    listens_here = _is_local(appservice.listen.host)
    if listens_here and not _is_local(ours.hostname):
        yield Concern(
            f"Synapse is told {appservice.url}, but Lycatra listens on "
            f"{appservice.listen.host} only: set appservice.listen.host to 0.0.0.0",
            "appservice.listen.host: 0.0.0.0",
        )
    if _is_local(ours.hostname) and not _is_local(homeserver.hostname):
        yield Concern(
            f"Synapse runs elsewhere ({settings.homeserver.url}) and is told {appservice.url}, "
            "which is its own computer there: set appservice.url",
            f"appservice.url: how Synapse reaches port {appservice.listen.port} of Lycatra",
        )
    if listens_here and _is_local(ours.hostname) and _port(ours) != appservice.listen.port:
        yield Concern(
            f"Synapse is told port {_port(ours)} (appservice.url), "
            f"but Lycatra listens on port {appservice.listen.port}",
            f"appservice.listen.port: {_port(ours)}",
        )
    if appservice.ops and appservice.ops.port == appservice.listen.port:
        yield Concern(
            f"appservice.ops and appservice.listen have the same port {appservice.listen.port}",
            "appservice.ops.port: another one",
        )


def _mcp(settings: Settings) -> Iterator[Concern]:
    mcp = settings.mcp
    if not mcp.enabled or mcp.auth != "none":
        return
    who = ", ".join(map(str, mcp.networks)) or "this machine"
    yield Concern(
        f"mcp.auth is none: everybody of {who} may use what viewers may, without any account",
        "mcp.auth: token",
    )


def _models(settings: Settings) -> Iterator[Concern]:
    for name, model in settings.backends.items():
        key = "model" if name == "model" else f"models.{name}"
        if not urlsplit(model.base_url).path:
            yield Concern(
                f"{key}.base_url has no path, and most servers want one: {model.base_url}/v1",
                f"{key}.base_url: {model.base_url}/v1, if that is what its manual says",
            )
        if (model.max_output_tokens or 0) >= model.context_window:
            yield Concern(
                f"{key}.max_output_tokens leaves no room in {key}.context_window for a question",
                f"{key}.context_window: what the model really reads",
            )
        if model.ca_file is not None and not model.ca_file.exists():
            yield Concern(
                f"{key}.ca_file: {model.ca_file} does not exist",
                f"{key}.ca_file: a file with certificates in PEM format",
            )
    for name, named in settings.models.items():
        for unknown in sorted(set(named.namespaces) - settings.tool_settings.keys()):
            yield Concern(
                f"models.{name}.namespaces has {unknown}, and there are no tools of that name",
                "`lycatra tool list` shows the names",
            )
    if settings.rooms.local_only == "on" and not any(map(is_local, settings.backends.values())):
        yield Concern(
            "rooms.local_only is on, and no model is local: no question is answered",
            "local: true for the model that you mean, or rooms.local_only: off",
        )


def _traces(otlp: Otlp | None) -> Iterator[Concern]:
    if otlp is None:
        return
    if otlp.content:
        yield Concern(
            "otlp.content is on: what people ask, models answer and tools find is sent to "
            f"{otlp.endpoint} and kept there",
            "otlp.content: false",
        )
    if not OTLP.is_installed:
        yield Concern(
            f"otlp needs the extra {OTLP.name!r}, which is not installed, so there are no traces: "
            f"run {OTLP.install}",
            f"`{OTLP.install}`, then start Lycatra again",
        )
    if otlp.ca_file is not None and not otlp.ca_file.exists():
        yield Concern(
            f"otlp.ca_file: {otlp.ca_file} does not exist",
            "otlp.ca_file: a file with certificates in PEM format",
        )


def _encryption(settings: Settings) -> Iterator[Concern]:
    if settings.encryption.decrypts and not E2EE.is_installed:
        yield Concern(f"Lycatra does not start: {needs_extra()}", f"`{E2EE.install}`")


def _tokens(settings: Settings) -> Iterator[Concern]:
    appservice = settings.appservice
    for name, token in (("as_token", appservice.as_token), ("hs_token", appservice.hs_token)):
        if len(token.get_secret_value()) < _SHORT_TOKEN:
            yield Concern(
                f"{name} is short enough to be guessed: run `lycatra registration --rotate`",
                "`lycatra registration --rotate`, then restart Synapse",
            )
    if appservice.hs_token_previous is not None:
        yield Concern(
            "a token rotation is under way: end it with `lycatra registration --end-rotation`",
            "`lycatra registration --end-rotation` when Synapse has been restarted",
        )


def _missing_files(settings: Settings) -> Iterator[Concern]:
    for name, section in sorted(settings.tool_settings.items()):
        for key, path in _paths(section, f"tools.{name}"):
            if not (settings.base_folder / path.expanduser()).exists():
                yield Concern(f"{key}: {path} does not exist", f"{key}: a file that exists")
    for name, database in sorted(settings.databases.items()):
        file = database.sqlite_file
        if file is not None and not file.exists():
            yield Concern(
                f"databases.{name}: {file} does not exist",
                f"databases.{name}.url: a database that exists",
            )
    ca_file = settings.homeserver.ca_file
    if ca_file is not None and not ca_file.exists():
        yield Concern(
            f"homeserver.ca_file: {ca_file} does not exist",
            "homeserver.ca_file: a file with certificates in PEM format",
        )


def _missing_extras(settings: Settings) -> Iterator[Concern]:
    for what, extra in missing_extras(settings.tool_settings).items():
        yield Concern(what, f"`{extra.install}`, then start Lycatra again")


def _paths(value: object, key: str) -> Iterator[tuple[str, Path]]:
    """Every file name inside a section, with its key."""
    if isinstance(value, Path):
        yield key, value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _paths(getattr(value, name), f"{key}.{name}")
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _paths(inner, f"{key}.{name}")
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for index, inner in enumerate(value):
            yield from _paths(inner, f"{key}.{index}")


def _port(url: SplitResult) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def _is_local(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
