"""What can be configured, as frozen values; a field's description is its hint for people."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from lycatra_appservice.actors import is_server_name
from lycatra_appservice.settings_encryption import Encryption
from lycatra_appservice.settings_http_json import HttpJsonTool
from lycatra_appservice.settings_mcp import Mcp, is_loopback
from lycatra_appservice.settings_mcp_servers import McpServer
from lycatra_appservice.settings_mcp_servers import ServerName as McpServerName
from lycatra_appservice.settings_section import Section
from lycatra_appservice.settings_types import (
    Accounts,
    Actors,
    Amount,
    BaseUrl,
    DatabaseName,
    DatabaseUrl,
    Faces,
    FreezeTimes,
    HeaderName,
    HeaderValue,
    JsonList,
    LanguageCode,
    Localpart,
    ModelName,
    Mxc,
    Names,
    OwnPath,
    OwnPaths,
    Parameter,
    Person,
    Port,
    Prefixes,
    ProxyUrl,
    QuietKinds,
    RoomAddress,
    ServerName,
    Span,
    Targets,
    Token,
    Words,
    Zone,
)
from lycatra_appservice.words.catalogue import AUTOMATIC


class Homeserver(Section):
    """The Synapse that we belong to."""

    url: BaseUrl = Field(description="how Lycatra reaches Synapse, e.g. http://localhost:8008")
    server_name: ServerName = Field(description="Synapse's server_name, e.g. example.org")
    ca_file: OwnPath | None = Field(
        None,
        description="a PEM file, if Synapse's certificate comes from an authority of your own",
    )


class Listen(Section):
    """An address that we listen on."""

    host: str = Field("127.0.0.1", min_length=1, description="0.0.0.0 inside a container")
    port: Port = Field(8080, description="a free port, 1 to 65535")


class OpsListen(Listen):
    """The address for health and metrics, where they should not be beside the main one."""

    port: Port = Field(9090, description="a free port, 1 to 65535")


class WrittenAppservice(Section):
    """How we and the homeserver find and know each other; the tokens may stand elsewhere."""

    id: str = Field(
        "lycatra", pattern=r"^[A-Za-z0-9._-]{1,60}$", description="letters, digits, '.', '_', '-'"
    )
    url: BaseUrl = Field(
        "http://localhost:8080",
        description="how Synapse reaches Lycatra, e.g. http://lycatra:8080",
    )
    listen: Listen = Field(Listen(), description="where Lycatra listens")
    ops: OpsListen | None = Field(None, description="a second address for health and metrics")
    registration_file: OwnPath = Field(
        Path("registration/lycatra.yaml"), description="made by `lycatra registration`"
    )
    as_token: Token | None = Field(None, description="normally read from the registration file")
    hs_token: Token | None = Field(None, description="normally read from the registration file")
    hs_token_previous: Token | None = Field(
        None, description="the hs_token before a rotation, accepted while it lasts"
    )


class Appservice(WrittenAppservice):
    """The same with its tokens, wherever they came from."""

    as_token: Token
    hs_token: Token

    @model_validator(mode="after")
    def _tokens_differ(self) -> "Appservice":
        if self.as_token.get_secret_value() == self.hs_token.get_secret_value():
            raise ValueError("as_token and hs_token should be different")
        return self


class Bot(Section):
    """The assistant's own Matrix user; every other user's name derives from its localpart."""

    localpart: Localpart = Field("lycatra", description="its Matrix ID is @localpart:server_name")
    display_name: str = Field("Lycatra", min_length=1, max_length=100, description="a short name")
    avatar: Mxc | None = Field(None, description="mxc://server/id of an uploaded picture")

    @property
    def sender_localpart(self) -> str:
        """The technical user that the registration names; nobody talks to it."""
        return f"{self.localpart}_sender"


class DatabaseSettings(Section):
    """Where turns, approvals and conversations are kept."""

    url: DatabaseUrl = Field(
        SecretStr("sqlite:///data/lycatra.db"),
        description="sqlite:///data/lycatra.db, or postgresql://user@host/name",
    )
    pool_size: int = Field(8, ge=2, le=100, description="connections to Postgres, 2 to 100")
    allow_shared_mount: bool = Field(False, description="true or false")

    @property
    def sqlite_file(self) -> Path | None:
        """The file of an SQLite database; its folder may not exist yet."""
        return _file_of(self.url)


class Model(Section):
    """A language model: any server that speaks OpenAI's chat completions.

    Only what is set is sent: every server knows other parameters.
    """

    base_url: BaseUrl = Field(description="e.g. http://localhost:11434/v1 for Ollama")
    model: str = Field(min_length=1, description="the model's name, as its server calls it")
    api_key: Token | None = Field(None, description="better by api_key_file or the environment")
    context_window: int = Field(8192, ge=1024, description="tokens that the model can read")
    max_output_tokens: int | None = Field(None, ge=16, description="tokens of one answer")
    temperature: float | None = Field(None, ge=0, le=2, description="0 to 2")
    connect_timeout: Span = Field(
        timedelta(seconds=5), le=timedelta(minutes=2), description="until the server accepts"
    )
    first_token_timeout: Span = Field(
        timedelta(seconds=60), description="until the first word; local: 120s"
    )
    idle_timeout: Span = Field(timedelta(seconds=30), description="between two words")
    turn_timeout: Span = Field(
        timedelta(seconds=300), description="for a whole answer with its tool calls"
    )
    max_concurrency: int | None = Field(
        None, ge=1, le=1000, description="requests at a time, 1 to 1000; unset: no limit"
    )
    max_waiting: int | None = Field(
        None, ge=0, le=1000, description="requests that may come first, 0 to 1000; unset: 10"
    )
    local: bool | None = Field(
        None, description="true or false; unset: by its address, see local_only"
    )
    stream: bool = Field(True, description="false for servers that cannot stream")
    stream_usage: bool = Field(True, description="false for servers that refuse stream_options")
    tool_choice: bool = Field(True, description="false for servers that refuse tool_choice")
    parallel_tool_calls: bool | None = Field(
        None, description="true or false; unset leaves it to the server"
    )
    images: bool = Field(False, description="true for a model that can look at pictures")
    strict_schemas: bool = Field(False, description="true makes OpenAI hold to the tools' schemas")
    headers: dict[HeaderName, HeaderValue] = Field(
        default_factory=dict, description="a section of header: value"
    )
    body: dict[Parameter, Any] = Field(
        default_factory=dict, description="a section of parameter: value"
    )
    ca_file: OwnPath | None = Field(
        None, description="a PEM file, if the server's certificate comes from your own authority"
    )
    proxy: ProxyUrl | None = Field(None, description="e.g. http://proxy.example.org:3128")

    @field_validator("max_waiting")
    @classmethod
    def _waits_for_something(cls, waiting: int | None, info: ValidationInfo) -> int | None:
        if waiting is not None and info.data.get("max_concurrency", 1) is None:
            raise ValueError("should stand beside max_concurrency, or nothing waits")
        return waiting


class NamedModel(Model):
    """One of several models."""

    namespaces: Words = Field(
        (), description="a list such as ['services'], whose questions go to it first"
    )


class Otlp(Section):
    """Where traces of questions go: a collector that takes OTLP over HTTP."""

    endpoint: BaseUrl = Field(description="e.g. http://localhost:4318")
    headers: dict[HeaderName, HeaderValue] = Field(
        default_factory=dict, description="a section of header: value"
    )
    content: bool = Field(False, description="true sends questions, answers and results, too")
    sample_ratio: float = Field(1.0, ge=0, le=1, description="0 to 1, of the questions")
    ca_file: OwnPath | None = Field(
        None, description="a PEM file, if its certificate comes from an authority of your own"
    )


class Access(Section):
    """Who may do how much; `none` wins over everything, an empty list is nobody."""

    admin: Actors = Field((), description="a list such as ['@alice:example.org']")
    operator: Actors = Field((), description="a list such as ['@alice:example.org']")
    viewer: Actors = Field((), description="a list such as ['*:example.org']")
    none: Actors = Field((), description="people or servers who get nothing")
    ignored: Accounts = Field((), description="bots whose messages are never answered")


class Permission(Section):
    """A rule for some tools, instead of the level that each of them has by itself."""

    tools: Names = Field(description="names of tools or namespaces, or '*' for all")
    faces: Faces = Field(
        ("command", "agent", "mcp"), description="a list of command, agent and mcp"
    )
    level: Literal["viewer", "operator", "admin"] | None = Field(
        None, description="what one has to be at least"
    )
    who: Actors | None = Field(None, description="a list such as ['@alice:example.org']")
    hidden: bool = Field(False, description="true or false")

    @model_validator(mode="after")
    def _says_one_thing(self) -> "Permission":
        if self.level is not None and self.who is not None:
            raise ValueError("should have either level or who, not both")
        if self.level is None and self.who is None and not self.hidden:
            raise ValueError("should have level, who or hidden, or it changes nothing")
        return self


class Rooms(Section):
    """How Lycatra behaves in rooms; `!settings` chooses otherwise for one room."""

    reply: Literal["auto", "thread", "plain"] = Field(
        "auto", description="auto answers in threads where three people or more are"
    )
    context: Literal["thread", "room", "replies"] = Field(
        "thread", description="what of earlier talk counts: a thread, the whole room, or replies"
    )
    virtual_users: Literal["all", "on_demand", "label"] = Field(
        "all", description="all brings them along, label lets @lycatra speak for them"
    )
    stream: Literal["on", "off", "silent"] = Field(
        "on", description="whether answers are shown while they are written"
    )
    tables: Literal["table", "list"] = Field(
        "table", description="list for clients that draw no tables, such as Element X"
    )
    language: LanguageCode = Field(
        AUTOMATIC, description="of fixed messages; auto follows the question"
    )
    local_only: Literal["off", "on"] = Field(
        "off", description="on: questions go only to models of the own network"
    )
    prompt: str = Field(
        "", max_length=600, description="what you wish of all answers, up to 600 characters"
    )
    quiet_hours: str = Field(
        "", max_length=100, description="when news wait, such as 22:00-07:00, sat-sun"
    )
    quiet: QuietKinds = Field(
        (), description="kinds of messages that nobody asked for and that are not wanted"
    )


class AnnouncementSettings(Section):
    """A room that is told the news of a namespace, or of one service of it."""

    room: RoomAddress = Field(description="the ID of a room")
    about: str = Field(description="a namespace, such as updates")
    only: str = Field("", max_length=60, description="the name of a service, or all")


class Invitations(Section):
    """How many rooms people may bring Lycatra into; admins as many as they like."""

    per_person_and_hour: int = Field(20, ge=1, description="rooms, 1 or more")
    per_server_and_hour: int = Field(100, ge=1, description="rooms, 1 or more")
    per_room_and_hour: int = Field(
        3, ge=1, description="joins of one room, for who is sent away and invited in turn"
    )


class Commands(Section):
    """What a command begins with."""

    prefixes: Prefixes = Field(("!", "/"), description="a list such as ['!', '/']")


class ToolsHttp(Section):
    """What tools may ask beyond https on the internet and what their own settings name."""

    allow: Targets = Field(
        (), description="a list such as ['wiki.internal:443', '10.1.0.0/24:443']"
    )


class OwnTools(Section):
    """Where tools come from beside those that ship."""

    paths: OwnPaths = Field((), description="folders that hold a folder for each namespace")
    packages: bool = Field(
        True, description="true: also those of installed packages that offer tools"
    )
    http_json: Annotated[tuple[HttpJsonTool, ...], JsonList] = Field(
        (), max_length=30, description="tools without code: an address that answers with JSON"
    )

    @field_validator("http_json")
    @classmethod
    def _names_differ(cls, tools: tuple[HttpJsonTool, ...]) -> tuple[HttpJsonTool, ...]:
        names = [each.name for each in tools]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two tools are called {', '.join(map(repr, twice))}")
        return tools


class ToolDatabase(Section):
    """A database that tools may read and nothing else."""

    url: DatabaseUrl = Field(
        description="sqlite:///crm.db, or postgresql://reader@host/name of a role that only reads"
    )
    timeout: Span = Field(timedelta(seconds=5), description="for one query")
    max_rows: int = Field(200, ge=1, le=1000, description="of one query, 1 to 1000")

    @property
    def sqlite_file(self) -> Path | None:
        """The file of an SQLite database."""
        return _file_of(self.url)


class ApprovalRule(Section):
    """Who may approve what changes something, and when; only what is written here counts."""

    level: Literal["viewer", "operator", "admin"] = Field(
        "operator", description="viewer, operator or admin, and whoever may do more"
    )
    people: Actors = Field((), description="only these, instead of a level")
    not_requester: bool = Field(False, description="true: nobody approves a request of his own")
    quorum: int = Field(1, ge=1, le=10, description="how many people, 1 to 10")
    lifetime: Span = Field(
        timedelta(minutes=15), le=timedelta(days=30), description="such as '15m', '30d' at most"
    )
    freeze: FreezeTimes = Field((), description="a list such as ['fri 18:00-24:00', 'sat-sun']")
    room: RoomAddress | None = Field(None, description="the ID of a room for the cards")

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if self.people and "level" in self.model_fields_set:
            raise ValueError("should have either level or people, not both")
        return self


class Approvals(ApprovalRule):
    """The same for every tool that changes something, and for single ones otherwise."""

    tools: dict[str, ApprovalRule] = Field(
        default_factory=dict, description="a section for each tool, by its name"
    )
    mcp: Literal["client", "matrix"] = Field(
        "client", description="matrix: no MCP client asks its person itself"
    )


class Log(Section):
    """How much is logged on standard output, and how."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    format: Literal["json", "text"] = "json"

    @field_validator("level", mode="before")
    @classmethod
    def _capitals(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value


class Retention(Section):
    """How many days finished things are kept; the leader removes them afterwards."""

    turns_days: int = Field(30, ge=1, description="questions, answers and tool results")
    sends_days: int = Field(
        365, ge=1, description="which answer belongs to which question, for redactions"
    )
    audit_days: int = Field(365, ge=7, description="who had what done; at least 7")
    dead_letters_days: int = Field(30, ge=1, description="events that could not be read")
    usage_days: int = Field(
        90, ge=31, description="how many tokens who has used; at least 31, for `!usage`"
    )


class Share(Section):
    """How much somebody may use, as far as that is otherwise than for everybody."""

    turns_per_minute: Amount | None = Field(None, description="questions and commands")
    tokens_per_day: Amount | None = Field(None, description="tokens of the language model")


class PersonShare(Share):
    """How much each person may use."""

    turns_per_minute: Amount = Field(20, description="questions and commands")
    tokens_per_day: Amount = Field(2_000_000, description="tokens of the language model")


class RoomShare(Share):
    """How much all people of a room may use in it together."""

    turns_per_minute: Amount = Field(60, description="questions and commands")
    tokens_per_day: Amount = Field(10_000_000, description="tokens of the language model")


class Budgets(Section):
    """How much people and rooms may use; 0 is nothing."""

    person: PersonShare = PersonShare()
    levels: dict[Literal["viewer", "operator", "admin"], Share] = Field(
        default_factory=dict, description="a section for viewer, operator or admin"
    )
    people: dict[Person, Share] = Field(
        default_factory=dict, description="a section for a person, by the Matrix ID in quotes"
    )
    room: RoomShare = RoomShare()
    answers_in_a_row: int = Field(
        20, ge=3, le=1000, description="at the pace of a bot, until we fall silent; 3 to 1000"
    )


class Slots(Section):
    """How many turns of a kind one process works on at a time."""

    control: int = Field(4, ge=0, le=100, description="votes, stops, redactions")
    command: int = Field(8, ge=0, le=100, description="commands")
    ask: int = Field(16, ge=0, le=100, description="questions to the model")
    job: int = Field(4, ge=0, le=100, description="schedules, and what has to be looked after")
    background: int = Field(
        4, ge=0, le=100, description="deployments and other long work; 0: others do it"
    )

    @model_validator(mode="after")
    def _has_work(self) -> Self:
        if not any(getattr(self, kind) for kind in type(self).model_fields):
            raise ValueError("should leave this process something to do")
        return self


class Turns(Section):
    """Values of the turn engine that few will ever change."""

    poll: Span = Field(timedelta(seconds=1), description="looking for work when no hint came")
    lease: Span = Field(
        timedelta(seconds=15), description="until another process takes over a silent one's work"
    )
    drain: Span = Field(
        timedelta(seconds=20), description="for running work when the service stops"
    )
    slots: Slots = Field(Slots(), description="turns at a time, by kind")


class WrittenSettings(Section):
    """All that a configuration file and the environment may say; tokens may be missing here."""

    homeserver: Homeserver = Field(description="a section with url and server_name")
    appservice: WrittenAppservice = WrittenAppservice()
    bot: Bot = Bot()
    database: DatabaseSettings = DatabaseSettings()
    model: Model | None = None
    models: dict[ModelName, NamedModel] = Field(
        default_factory=dict, description="a section for each model, by a name of yours"
    )
    otlp: Otlp | None = None
    access: Access = Access()
    permissions: Annotated[tuple[Permission, ...], JsonList] = Field(
        (), description="a list of rules, each with tools and level, who or hidden"
    )
    # Out of what is shown and dumped: a tool's section may hold secrets as they were written.
    tools: dict[str, dict[str, Any]] = Field(default_factory=dict, repr=False, exclude=True)
    tools_http: ToolsHttp = ToolsHttp()
    own_tools: OwnTools = OwnTools()
    mcp_servers: dict[McpServerName, McpServer] = Field(
        default_factory=dict, description="a section for each, by the name that its user gets"
    )
    databases: dict[DatabaseName, ToolDatabase] = Field(
        default_factory=dict, description="a section for each, by the name that tools know"
    )
    timezone: Zone = Field("UTC", description="yours, for days and hours")
    commands: Commands = Commands()
    rooms: Rooms = Rooms()
    announcements: Annotated[tuple[AnnouncementSettings, ...], JsonList] = Field(
        (), description="a list of rooms, each with what it is told about"
    )
    invitations: Invitations = Invitations()
    approvals: Approvals = Approvals()
    mcp: Mcp = Mcp()
    encryption: Encryption = Encryption()
    budgets: Budgets = Budgets()
    log: Log = Log()
    retention: Retention = Retention()
    turns: Turns = Turns()

    @property
    def backends(self) -> Mapping[str, Model]:
        """All models by name, the one to ask first before those that stand in for it.

        A single one is called `model`, like its section.
        """
        return {"model": self.model} if self.model is not None else self.models

    @property
    def zone(self) -> ZoneInfo:
        """The configured time zone."""
        return ZoneInfo(self.timezone)

    @model_validator(mode="before")
    @classmethod
    def _absent_sections(cls, raw: object) -> object:
        """Check an absent section like an empty one, so that its file names get their folder."""
        if not isinstance(raw, dict):
            return raw
        sections = (
            name for name, field in cls.model_fields.items() if isinstance(field.default, Section)
        )
        return {**{name: {} for name in sections}, **raw}

    @field_validator("mcp_servers")
    @classmethod
    def _no_name_begins_another(cls, servers: dict[str, McpServer]) -> dict[str, McpServer]:
        for name in servers:
            for other in servers:
                if name.startswith(f"{other}_"):
                    raise ValueError(
                        f"should not have {other} and {name}: "
                        "it would not be clear whose tools are whose"
                    )
        return servers

    @field_validator("models")
    @classmethod
    def _told_apart(
        cls, models: dict[str, NamedModel], info: ValidationInfo
    ) -> dict[str, NamedModel]:
        if models and info.data.get("model") is not None:
            raise ValueError("should not stand beside model: put that one here, too, with a name")
        misplaced = sorted(models.keys() & NamedModel.model_fields.keys())
        if misplaced:
            raise ValueError(f"should have a name of yours above {misplaced[0]}, such as 'home'")
        asked = [name for each in models.values() for name in each.namespaces]
        twice = sorted(name for name in set(asked) if asked.count(name) > 1)
        if twice:
            raise ValueError(f"should have {twice[0]} in the namespaces of one model only")
        return models

    @model_validator(mode="after")
    def _guests_come_from_somewhere(self) -> Self:
        listen = getattr(self, "appservice", None)
        host = listen.listen.host if listen is not None else "127.0.0.1"
        if self.mcp.auth == "none" and not self.mcp.networks and not is_loopback(host):
            raise ValueError(
                "mcp.auth: none should stand beside mcp.networks, the networks of the clients, "
                f"because Lycatra listens on {host}"
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _own_server_views(cls, raw: object) -> object:
        """People of the own server are viewers unless the configuration says who is."""
        if not isinstance(raw, dict):
            return raw
        homeserver, access = raw.get("homeserver"), raw.get("access", {})
        server = homeserver.get("server_name") if isinstance(homeserver, dict) else None
        if not isinstance(access, dict) or "viewer" in access or not isinstance(server, str):
            return raw
        viewer = [f"*:{server}"] if is_server_name(server) else []
        return {**raw, "access": {**access, "viewer": viewer}}


class Settings(WrittenSettings):
    """The complete configuration that the program runs with.

    `tool_settings` has the checked section of every known namespace, also of those that the
    configuration does not mention; `tool_mistakes` what is wrong with those of namespaces that do
    not ship with us. `warnings` are sentences for the operator.
    """

    appservice: Appservice
    tool_settings: Mapping[str, BaseModel] = Field(default_factory=dict, exclude=True)
    tool_mistakes: Mapping[str, Sequence[str]] = Field(default_factory=dict, exclude=True)
    base_folder: Path = Path()
    warnings: tuple[str, ...] = ()


def _file_of(url: SecretStr) -> Path | None:
    scheme, _, rest = url.get_secret_value().partition(":///")
    return Path(rest) if scheme == "sqlite" else None
