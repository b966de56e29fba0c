"""MCP servers of others: how each is reached, and how far it is trusted."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Final, Literal, Self, TypeAlias, TypeVar

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from lycatra_appservice.settings_section import Section
from lycatra_appservice.settings_types import (
    BaseUrl,
    HeaderName,
    HeaderValue,
    OwnPath,
    Span,
    Words,
)

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,100}")
_NAMESPACE: Final = re.compile(r"[a-z][a-z0-9_]{0,19}")
_PASSED_ON: Final = frozenset({"accept", "connection", "content-length", "content-type", "host"})

ToolLevel: TypeAlias = Literal["viewer", "operator", "admin"]
Asks: TypeAlias = Literal["default", "none"]
_ValueT = TypeVar("_ValueT")


def _variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise ValueError("should be the name of an environment variable")
    return name


def _namespace(name: str) -> str:
    if not _NAMESPACE.fullmatch(name):
        raise ValueError(
            "should have up to 20 small letters, digits and '_', beginning with a letter"
        )
    return name


VariableName: TypeAlias = Annotated[str, AfterValidator(_variable)]
ServerName: TypeAlias = Annotated[str, AfterValidator(_namespace)]


class McpServer(Section):
    """One server: its address or its command, what of it is taken, and who may use that.

    The names in `include`, `exclude`, `levels` and `approval` are the server's own; `*` stands
    for any letters, and of several that fit the longest one counts.
    """

    url: BaseUrl | None = Field(None, description="e.g. https://mcp.example.org/mcp")
    command: str | None = Field(None, min_length=1, description="a program that speaks MCP")
    args: tuple[str, ...] = Field((), max_length=50, description="a list of its arguments")
    folder: OwnPath | None = Field(None, description="where the program runs")
    headers: dict[HeaderName, HeaderValue] = Field(
        default_factory=dict, description="a section of header: value, or header_file: file"
    )
    env: dict[VariableName, SecretStr] = Field(
        default_factory=dict, description="a section of VARIABLE: value, or VARIABLE_file: file"
    )
    display_name: str | None = Field(None, min_length=1, max_length=60, description="a name")
    include: Words = Field(("*",), description="a list such as ['get_*', 'search']")
    exclude: Words = Field((), description="a list such as ['delete_*']")
    levels: dict[str, ToolLevel] = Field(
        default_factory=dict, description="a section such as get_*: viewer; others: operator"
    )
    approval: Asks | dict[str, Asks] = Field(
        "default", description="default, none, or a section such as get_*: none"
    )
    timeout: Span = Field(
        timedelta(seconds=30), le=timedelta(minutes=10), description="for one call"
    )
    # The gate runs no more than eight of one namespace.
    concurrency: int = Field(4, ge=1, le=8, description="calls at a time, 1 to 8")

    @field_validator("headers")
    @classmethod
    def _are_free(cls, headers: Mapping[str, SecretStr]) -> Mapping[str, SecretStr]:
        for name in headers:
            if name.lower() in _PASSED_ON or name.lower().startswith("mcp-"):
                raise ValueError(f"should not have {name}, which the protocol sets")
        return headers

    @model_validator(mode="after")
    def _is_reached_in_one_way(self) -> Self:
        if (self.url is None) == (self.command is None):
            raise ValueError("should have either url or command")
        if self.url is not None and (self.args or self.env or self.folder):
            raise ValueError("has args, env or folder, which belong to a command")
        if self.command is not None and self.headers:
            raise ValueError("has headers, which belong to a url")
        return self

    def level_of(self, tool: str) -> ToolLevel:
        """What one has to be to use it."""
        return _chosen(self.levels, tool) or "operator"

    def asks(self, tool: str) -> bool:
        """Whether a call waits for people who let it through."""
        if not isinstance(self.approval, str):
            return _chosen(self.approval, tool) != "none"
        return self.approval != "none"

    def takes(self, tool: str) -> bool:
        """Whether the tool is offered at all."""
        is_in = any(_fits(each, tool) for each in self.include)
        return is_in and not any(_fits(each, tool) for each in self.exclude)


def _chosen(by_name: Mapping[str, _ValueT], tool: str) -> _ValueT | None:
    fitting = [each for each in by_name if _fits(each, tool)]
    best = max(fitting, key=lambda each: ("*" not in each, len(each)), default=None)
    return None if best is None else by_name[best]


def _fits(pattern: str, name: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name) is not None
