"""`tools/list` and `tools/call`: the tools of the caller's toolbox, through the gate."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    InputRequiredResult,
    ListToolsResult,
    PaginatedRequestParams,
    Tool,
    ToolAnnotations,
)
from mcp_types.jsonrpc import INVALID_PARAMS

from lycatra_appservice.errors import LycatraError, UnknownToolError
from lycatra_appservice.mcp.bearer import Bearer, bearer_of
from lycatra_appservice.mcp.content import answer_of, refusal_of, texts_in
from lycatra_appservice.mcp.documents import Documents
from lycatra_appservice.model import JSON
from lycatra_appservice.toolkit.approvals import NeedsApprovalError
from lycatra_appservice.toolkit.base import Document, ToolResult
from lycatra_appservice.toolkit.progress import OnProgress, ProgressOf, told_to
from lycatra_appservice.toolkit.registry import AnyTool, Registry
from lycatra_appservice.toolkit.toolbox import Gate, Toolbox
from lycatra_appservice.words.catalogue import in_english
from lycatra_appservice.words.text import Said

AnyContext = ServerRequestContext[Any, Any]
Answer = CallToolResult | InputRequiredResult
_ANYTHING: Final[Mapping[str, JSON]] = {"type": "object"}


class Ladder(Protocol):
    """Brings a change to the people who have to let it through."""

    async def climb(
        self,
        context: AnyContext,
        bearer: Bearer,
        params: CallToolRequestParams,
        needed: NeedsApprovalError,
    ) -> Answer:
        """What came of it, or what is still to be waited for. Raises LycatraError."""


class ToolDesk:
    """The two handlers."""

    def __init__(
        self, gate: Gate, registry: Registry, documents: Documents, ladder: Ladder
    ) -> None:
        self._gate = gate
        self._registry = registry
        self._documents = documents
        self._ladder = ladder
        self._made: dict[str, tuple[AnyTool, Tool]] = {}

    async def list(
        self, context: AnyContext, params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        """The tools that the caller may use, by name; all on one page."""
        toolbox = await self._gate.open(bearer_of(context).caller)
        return ListToolsResult(tools=[self._wire(tool) for tool in toolbox.tools()])

    def schema(self, name: str) -> Mapping[str, JSON] | None:
        """The arguments of a tool, whoever may use it; only checks headers against a body."""
        tool = self._registry.tool(name)
        return None if tool is None else tool.schema()

    async def call(self, context: AnyContext, params: CallToolRequestParams) -> Answer:
        """Run a tool. What it refuses is an answer, too: a model can act on it."""
        bearer = bearer_of(context)
        toolbox = await self._gate.open(bearer.caller, progress=_progress(context))
        try:
            return await self._called(context, bearer, toolbox, params)
        except UnknownToolError as error:
            raise MCPError(INVALID_PARAMS, error.user_message) from error
        except LycatraError as error:
            return refusal_of(_words(error))

    async def _called(
        self,
        context: AnyContext,
        bearer: Bearer,
        toolbox: Toolbox,
        params: CallToolRequestParams,
    ) -> Answer:
        try:
            result = await toolbox.call(params.name, params.arguments or {})
        except NeedsApprovalError as needed:
            return await self._ladder.climb(context, bearer, params, needed)
        return answer_of(result, await self._links(result, toolbox))

    async def _links(self, result: ToolResult, toolbox: Toolbox) -> Sequence[Document]:
        named = {text for text in texts_in(result.data) if "://" in text}
        if not named:
            return ()
        return [each for each in await self._documents.all(toolbox) if each.uri in named]

    def _wire(self, tool: AnyTool) -> Tool:
        """Made once: a schema is not made anew for every list."""
        known = self._made.get(tool.name)
        if known is None or known[0] is not tool:
            known = self._made[tool.name] = (tool, _declared(tool))
        return known[1]


def _declared(tool: AnyTool) -> Tool:
    return Tool(
        name=tool.name,
        title=tool.title,
        description=tool.summary,
        input_schema=dict(tool.schema()),
        output_schema=dict(_ANYTHING),
        annotations=ToolAnnotations(
            title=tool.title,
            read_only_hint=not tool.changes,
            destructive_hint=tool.changes,
            open_world_hint=False,
        ),
    )


def _words(error: LycatraError) -> str:
    details = getattr(error, "problems", ())
    return "\n".join([error.user_message, *map(str, details)])


def _progress(context: AnyContext) -> ProgressOf:
    """What a slow tool says of itself, as progress notifications, in order."""
    said: list[Said] = []
    telling: set[asyncio.Task[None]] = set()

    def hear(text: Said) -> None:
        said.append(text)
        task = asyncio.ensure_future(
            context.session.report_progress(len(said), None, in_english(text))
        )
        telling.add(task)
        task.add_done_callback(telling.discard)

    listener: OnProgress = hear
    return told_to(listener)
