"""Users, tools and messages for the pure parts of the chat."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from lycatra_appservice.chat.addressing import Addressing
from lycatra_appservice.chat.commands import CommandWords
from lycatra_appservice.chat.reading import make_reader
from lycatra_appservice.chat.small_talk import SmallTalk
from lycatra_appservice.matrix.events import read_inbound
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, Inbound, UserID
from lycatra_appservice.toolkit.base import Field, ToolArgs
from lycatra_appservice.words.catalogue import load_catalogue
from tests.support.toolbench import a_tool


@dataclass(frozen=True, slots=True)
class Named:
    name: str
    display_name: str


USERS = VirtualUsers(
    server_name="hs.test",
    namespaces=[
        Named("updates", "Lycatra Updates"),
        Named("services", "Lycatra Services"),
        Named("docs", "Docs"),
    ],
)
MAIN = USERS.main
UPDATES = USERS.of("updates")
SERVICES = USERS.of("services")
DOCS = USERS.of("docs")
PERSON = UserID("@person:hs.test")
TALK = SmallTalk(language.phrases for language in load_catalogue().languages)
ADDRESSING = Addressing(USERS, TALK.before_a_name)


class ListArgs(ToolArgs):
    """Optional fields only: texts, one with a pattern, numbers."""

    service: str | None = Field(default=None, max_length=60, description="Which service.")
    since: str | None = Field(
        default=None, pattern=r"^([0-9]{1,4}|[0-9]{4}-[0-9]{2}-[0-9]{2})$", description="When."
    )
    query: str | None = Field(default=None, max_length=100, description="Words.")
    limit: int = Field(default=10, ge=1, le=50, description="How many.")


class OneNameArgs(ToolArgs):
    """One optional text."""

    service: str | None = Field(default=None, max_length=60, description="Which service.")


class SearchArgs(ToolArgs):
    """A required text before optional fields."""

    query: str = Field(max_length=100, description="Words.")
    hours: int = Field(default=24, ge=1, le=500, description="How far back.")
    level: Literal["info", "error"] = Field(default="info", description="How bad.")
    follow: bool = Field(default=False, description="Whether to go on.")
    share: float = Field(default=1.0, ge=0, le=1, description="How much of them.")


class NoArgs(ToolArgs):
    """Nothing to choose."""


TOOLS = {
    "updates": [a_tool(name="list_updates", args=ListArgs)],
    "services": [
        a_tool(
            name="get_service_status",
            args=OneNameArgs,
            also_called=("service status", "health", "summary"),
        ),
        a_tool(name="get_uptime", args=NoArgs, also_called=("summary",)),
    ],
    "docs": [a_tool(name="search_docs", args=SearchArgs, also_called=("manual",))],
    "assistant": [a_tool(name="help", args=NoArgs)],
}
COMMANDS = CommandWords(TOOLS, ("!", "/"))
READER = make_reader(USERS, COMMANDS)


def pill(user: str, shown: str = "somebody") -> str:
    return f'<a href="https://matrix.to/#/{user}">{shown}</a>'


def inbound(body: str = "", html: str | None = None, **content: JSON) -> Inbound:
    """A message as it is read from its event; `m_mentions` and the like as keywords."""
    whole: dict[str, JSON] = {"msgtype": "m.text", "body": body, "m.mentions": {}}
    if html is not None:
        whole |= {"format": "org.matrix.custom.html", "formatted_body": html}
    whole |= {key.replace("m_", "m.", 1): value for key, value in content.items()}
    return read_inbound(event(whole), timedelta(0))


def event(content: JSON, **more: JSON) -> Mapping[str, JSON]:
    return {
        "type": "m.room.message",
        "event_id": "$message",
        "room_id": "!room",
        "sender": PERSON,
        "content": content,
        **more,
    }
