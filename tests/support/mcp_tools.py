"""A server of the SDK with tools that show what a transport can do."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.server.subscriptions import ListenHandler, SubscriptionBus
from mcp.shared.exceptions import MCPError

AnyContext = ServerRequestContext[Any, Any]
_OBJECT = {"type": "object"}
_FORM = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


@dataclass
class Tools:
    """`begun` and `cancelled` tell of the tool `wait`; `go` lets it end."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    runs: int = 0

    def server(self, bus: SubscriptionBus | None = None) -> Server[Any]:
        """With all of them."""
        listening = ListenHandler(bus) if bus is not None else None
        return Server(
            "tools",
            version="1",
            on_list_tools=self._list,
            on_call_tool=self._call,
            on_list_resources=_resources,
            on_read_resource=_read,
            on_list_prompts=_prompts,
            on_get_prompt=_prompt,
            on_completion=_complete,
            on_subscriptions_listen=listening,
            get_tool_input_schema=lambda name: _REGION if name == "routed" else _OBJECT,
        )

    async def _list(
        self, context: AnyContext, params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        names = ("echo", "wait", "told", "ask", "crash", "routed", "fail")
        tools = [
            types.Tool(name=name, input_schema=_REGION if name == "routed" else _OBJECT)
            for name in names
        ]
        return types.ListToolsResult(tools=tools)

    async def _call(
        self, context: AnyContext, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        self.runs += 1
        known: dict[str, Callable[..., Any]] = {
            "echo": self._echo,
            "routed": self._echo,
            "wait": self._wait,
            "told": self._told,
            "ask": self._ask,
            "crash": self._crash,
            "fail": self._fail,
        }
        run = known.get(params.name)
        if run is None:
            raise MCPError(types.INVALID_PARAMS, f"Unknown tool: {params.name}")
        return _text(await run(context, params.arguments or {}))

    async def _echo(self, context: AnyContext, arguments: dict[str, Any]) -> str:
        return str(arguments.get("text", ""))

    async def _wait(self, context: AnyContext, arguments: dict[str, Any]) -> str:
        self.begun.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return "gone"

    async def _told(self, context: AnyContext, arguments: dict[str, Any]) -> str:
        for step in (1, 2, 3):
            await context.session.report_progress(step, 3, f"step {step}")
        return "told"

    async def _ask(self, context: AnyContext, arguments: dict[str, Any]) -> str:
        found = await context.session.elicit_form("Who?", _FORM, context.request_id)
        return f"{found.action}: {(found.content or {}).get('name')}"

    async def _crash(self, context: AnyContext, arguments: dict[str, Any]) -> str:
        raise RuntimeError("the password is swordfish")

    async def _fail(self, context: AnyContext, arguments: dict[str, Any]) -> str:
        raise MCPError(-32021, "more is needed", {"what": "more"})


_REGION: dict[str, Any] = {
    "type": "object",
    "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
}


def _text(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)])


async def _resources(
    context: AnyContext, params: types.PaginatedRequestParams | None
) -> types.ListResourcesResult:
    return types.ListResourcesResult(resources=[types.Resource(uri="test://one", name="one")])


async def _read(
    context: AnyContext, params: types.ReadResourceRequestParams
) -> types.ReadResourceResult:
    if str(params.uri) != "test://one":
        raise MCPError(types.INVALID_PARAMS, "Resource not found", {"uri": str(params.uri)})
    contents = types.TextResourceContents(uri="test://one", text="one")
    return types.ReadResourceResult(contents=[contents])


async def _prompts(
    context: AnyContext, params: types.PaginatedRequestParams | None
) -> types.ListPromptsResult:
    return types.ListPromptsResult(prompts=[types.Prompt(name="greet")])


async def _prompt(
    context: AnyContext, params: types.GetPromptRequestParams
) -> types.GetPromptResult:
    content = types.TextContent(type="text", text="Hello.")
    return types.GetPromptResult(messages=[types.PromptMessage(role="user", content=content)])


async def _complete(
    context: AnyContext, params: types.CompleteRequestParams
) -> types.CompleteResult:
    return types.CompleteResult(completion=types.Completion(values=["paris"]))
