"""What every other part is built on: settings, database, homeserver, our users and tools."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from pydantic import SecretStr

from lycatra_appservice.app.encryption import open_seals, secrecy_of
from lycatra_appservice.app.models import measured_models
from lycatra_appservice.app.tool_secrets import secrets_in
from lycatra_appservice.chat.commands import CommandWords
from lycatra_appservice.chat.ignored import Ignored
from lycatra_appservice.chat.reading import Reader, make_reader
from lycatra_appservice.db.migrate import UpgradableDatabase
from lycatra_appservice.db.open import OpenedDatabase
from lycatra_appservice.hooks.open_hooks import open_hooks
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.direct_rooms import DirectRooms
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.matrix.seals import Seals
from lycatra_appservice.matrix.session import homeserver_session
from lycatra_appservice.matrix.shared_rooms import SharedRooms
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import Face
from lycatra_appservice.ops.masking import Masker
from lycatra_appservice.ops.metrics import Metrics
from lycatra_appservice.settings import Settings
from lycatra_appservice.toolkit.access import Access
from lycatra_appservice.toolkit.base import PromptTemplate
from lycatra_appservice.toolkit.databases import Databases
from lycatra_appservice.toolkit.own.found import FoundTools
from lycatra_appservice.toolkit.permissions import Permissions
from lycatra_appservice.toolkit.redaction import Mask
from lycatra_appservice.toolkit.registry import AnyTool, Registry
from lycatra_appservice.turns.inbox import Inbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Built first, owned by the service, closed by its exit stack."""

    settings: Settings
    owner: str
    opened: OpenedDatabase
    client: MatrixClient
    users: VirtualUsers
    tools: FoundTools
    access: Access
    commands: CommandWords
    reader: Reader
    ignored: Ignored
    inbox: Inbox
    metrics: Metrics
    mask: Mask  # for what is kept and logged: also what only looks like a secret
    conceal: Mask  # for what people read, who may well speak of tokens
    preview: Mask  # the same for a text of which there may be more
    tool_databases: Databases
    seals: Seals | None  # what encrypts; None where encrypted rooms are not read

    @property
    def registry(self) -> Registry:
        """The tools that work."""
        return self.tools.registry

    @property
    def decrypts(self) -> bool:
        """Whether encrypted rooms are read."""
        return self.seals is not None

    def direct_rooms(self, rooms: RoomStore) -> DirectRooms:
        """What opens direct rooms."""
        shared = SharedRooms(self.database, rooms, self.users, decrypts=self.decrypts)
        return DirectRooms(self.client, self.users, shared.direct_with, secrecy_of(self.settings))

    @property
    def database(self) -> UpgradableDatabase:
        """The opened database."""
        return self.opened.database


async def build_parts(
    settings: Settings,
    tools: FoundTools,
    owner: str,
    opened: OpenedDatabase,
    stack: AsyncExitStack,
) -> Parts:
    """Build what depends on nothing but the configuration and the database."""
    registry = tools.registry
    users = VirtualUsers(
        server_name=settings.homeserver.server_name,
        localpart=settings.bot.localpart,
        display_name=settings.bot.display_name,
        namespaces=registry.namespaces,
    )
    session = await stack.enter_async_context(homeserver_session(settings.homeserver.ca_file))
    databases = Databases(settings.databases)
    stack.push_async_callback(databases.close)
    access = Access(settings.access, Permissions(settings.permissions, registry))
    commands = CommandWords(
        _members(registry),
        settings.commands.prefixes,
        _prompts(registry) if settings.backends else {},
    ).without(access.off(Face.COMMAND))
    registry.follow(
        lambda: commands.exchange(_members(registry), access.off(Face.COMMAND)),
    )
    masker = Masker(secrets_of(settings))
    metrics = Metrics(
        [tool.name for tool in registry.tools],
        measured_models(settings.backends),
        list(open_hooks(registry.namespaces, settings.tool_settings)),
    )
    registry.follow(lambda: metrics.learn_tools([tool.name for tool in registry.tools]))
    return Parts(
        settings=settings,
        owner=owner,
        opened=opened,
        client=MatrixClient(session, settings.homeserver.url, settings.appservice.as_token),
        users=users,
        tools=tools,
        access=access,
        commands=commands,
        reader=make_reader(users, commands),
        ignored=Ignored(settings.access.ignored),
        inbox=Inbox(opened.database),
        metrics=metrics,
        mask=masker.mask,
        conceal=masker.conceal,
        preview=masker.preview,
        tool_databases=databases,
        seals=open_seals(settings, opened),
    )


def _members(registry: Registry) -> Mapping[str, Sequence[AnyTool]]:
    return {each.name: registry.tools_of(each.name) for each in registry.namespaces}


def _prompts(registry: Registry) -> Mapping[str, Sequence[PromptTemplate]]:
    return {each.name: registry.prompts_of(each.name) for each in registry.namespaces}


def utc_now() -> datetime:
    """The time, aware."""
    return datetime.now(UTC)


def secrets_of(settings: Settings) -> list[str]:
    """Every secret value of the configuration, for the log's mask; those of tools, too."""
    appservice, models = settings.appservice, settings.backends.values()
    traces = settings.otlp.headers.values() if settings.otlp else ()
    secrets: list[SecretStr | None] = [
        appservice.as_token,
        appservice.hs_token,
        appservice.hs_token_previous,
        *(model.api_key for model in models),
        *(value for model in models for value in model.headers.values()),
        *traces,
        *settings.mcp.keys,
        settings.encryption.secret,
    ]
    proxies = [model.proxy for model in models if model.proxy]
    databases = [each.url for each in settings.databases.values()]
    urls = [settings.database.url, *databases, *proxies]
    passwords = [urlsplit(url.get_secret_value()).password for url in urls]
    named = [secret.get_secret_value() for secret in secrets if secret is not None]
    sections = [
        *settings.tool_settings.values(),
        settings.own_tools,
        *settings.mcp_servers.values(),
    ]
    of_tools = [each for section in sections for each in secrets_in(section)]
    return [*named, *(password for password in passwords if password), *of_tools]
