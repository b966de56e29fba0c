"""The SDK's low-level server with our handlers: what `/mcp` offers, whichever era asks."""

from collections.abc import Sequence
from typing import Any, Final

from mcp.server.caching import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.subscriptions import ListenHandler

from lycatra_appservice import __version__
from lycatra_appservice.mcp.bearer import bearer_of
from lycatra_appservice.mcp.hub import Hub
from lycatra_appservice.mcp.prompts import PromptDesk
from lycatra_appservice.mcp.resources import ResourceDesk
from lycatra_appservice.mcp.tools import ToolDesk

NAME: Final = "lycatra"  # of every replica: states are bound to it
_INSTRUCTIONS: Final = (
    "Live data and actions of a small team's services, with the rights of the Matrix user whose "
    "token this is. Tools that change something wait until people let them through: if a result "
    "says that it waits for approval, tell the user, and call the same tool again with the same "
    "arguments to learn what came of it. Never call it with other arguments to get around that."
)
_LIST: Final = CacheHint(ttl_ms=60_000, scope="private")  # filtered by who asks
_DISCOVER: Final = CacheHint(ttl_ms=3_600_000, scope="public")


def make_server(
    tools: ToolDesk,
    resources: ResourceDesk,
    prompts: PromptDesk,
    listening: ListenHandler,
    keys: Sequence[bytes],
    title: str,
) -> Server[Any]:
    """Put it together. The first of `keys` seals states, every one opens them."""
    server: Server[Any] = Server(
        NAME,
        version=__version__,
        title=title,
        instructions=_INSTRUCTIONS,
        cache_hints={
            "tools/list": _LIST,
            "prompts/list": _LIST,
            "resources/list": _LIST,
            "resources/templates/list": _LIST,
            "server/discover": _DISCOVER,
        },
        get_tool_input_schema=tools.schema,
        on_list_tools=tools.list,
        on_call_tool=tools.call,
        on_list_resources=resources.list,
        on_list_resource_templates=resources.templates,
        on_read_resource=resources.read,
        on_subscribe_resource=resources.watch,
        on_unsubscribe_resource=resources.unwatch,
        on_list_prompts=prompts.list,
        on_get_prompt=prompts.get,
        on_completion=prompts.complete,
        on_subscriptions_listen=listening,
    )
    # Its first entry traces every request to OpenTelemetry's global exporter; we have our own.
    server.middleware.clear()
    security = RequestStateSecurity(keys=list(keys), bind_principal=_principal)
    server.middleware.append(RequestStateBoundary(security, default_audience=NAME))
    return server


def listen_handler(hub: Hub) -> ListenHandler:
    """What serves `subscriptions/listen` from what is published."""
    return ListenHandler(hub)


def _principal(context: ServerRequestContext[Any, Any]) -> str:
    return bearer_of(context).principal
