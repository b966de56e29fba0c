"""Resources: documents, and what reading tools find, by their addresses."""

import json
from typing import Any, Final
from urllib.parse import quote, unquote

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import (
    EmptyResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    SubscribeRequestParams,
    TextResourceContents,
    UnsubscribeRequestParams,
)
from mcp_types.jsonrpc import INTERNAL_ERROR, INVALID_PARAMS

from lycatra_appservice.errors import InvalidArgumentsError, LycatraError, NotAllowedError
from lycatra_appservice.mcp.bearer import bearer_of
from lycatra_appservice.mcp.content import structured
from lycatra_appservice.mcp.documents import Documents
from lycatra_appservice.mcp.hub import Hub
from lycatra_appservice.mcp.legacy import session_of
from lycatra_appservice.model import JSON
from lycatra_appservice.toolkit.base import Document
from lycatra_appservice.toolkit.registry import AnyTool
from lycatra_appservice.toolkit.toolbox import Gate, Toolbox
from lycatra_appservice.words.catalogue import in_english

AnyContext = ServerRequestContext[Any, Any]
DOCUMENT_TEMPLATE: Final = "docs://{+path}"
_JSON: Final = "application/json"
_PUBLIC_MS: Final = 5 * 60 * 1000  # documents change with a release, or by somebody's hand
_LIVE_MS: Final = 5 * 1000
_MOST_WATCHED: Final = 50  # of one session


class ResourceDesk:
    """The handlers of `resources/…`."""

    def __init__(self, gate: Gate, documents: Documents, hub: Hub) -> None:
        self._gate = gate
        self._documents = documents
        self._hub = hub

    async def list(
        self, context: AnyContext, params: PaginatedRequestParams | None
    ) -> ListResourcesResult:
        """Live ones first, then documents; all on one page."""
        toolbox = await self._toolbox(context)
        live = [_live(tool) for tool in toolbox.tools() if tool.resource is not None]
        documents = [_document(each) for each in await self._documents.all(toolbox)]
        return ListResourcesResult(resources=[*live, *documents])

    async def templates(
        self, context: AnyContext, params: PaginatedRequestParams | None
    ) -> ListResourceTemplatesResult:
        """Addresses with one gap."""
        toolbox = await self._toolbox(context)
        templates = [
            ResourceTemplate(
                uri_template=tool.resource.template,
                name=f"{tool.name}_of",
                title=f"{tool.title}, of one",
                description=tool.summary,
                mime_type=_JSON,
            )
            for tool in toolbox.tools()
            if tool.resource is not None and tool.resource.template is not None
        ]
        if await self._documents.all(toolbox):
            templates.append(
                ResourceTemplate(
                    uri_template=DOCUMENT_TEMPLATE,
                    name="document",
                    title="A document",
                    mime_type="text/markdown",
                )
            )
        return ListResourceTemplatesResult(resource_templates=templates)

    async def read(
        self, context: AnyContext, params: ReadResourceRequestParams
    ) -> ReadResourceResult:
        """Its contents. Raises MCPError for an address that the caller has nothing at."""
        uri = str(params.uri)
        toolbox = await self._toolbox(context)
        for tool in toolbox.tools():
            arguments = _arguments(tool, uri)
            if arguments is not None:
                return await self._called(toolbox, tool, arguments, uri)
        try:
            text, kind = await self._documents.text(toolbox, uri)
        except LookupError:
            raise _unknown(uri) from None
        contents = TextResourceContents(uri=uri, mime_type=kind, text=text)
        return ReadResourceResult(contents=[contents], ttl_ms=_PUBLIC_MS, cache_scope="private")

    async def watch(self, context: AnyContext, params: SubscribeRequestParams) -> EmptyResult:
        """Hear of changes (handshake revisions). Raises MCPError."""
        uri = str(params.uri)
        toolbox = await self._toolbox(context)
        live = {tool.resource.uri for tool in toolbox.tools() if tool.resource is not None}
        if uri not in live and uri not in {e.uri for e in await self._documents.all(toolbox)}:
            raise _unknown(uri)
        session = session_of(context)
        if len(await self._hub.watched(session)) >= _MOST_WATCHED:
            raise MCPError(INVALID_PARAMS, f"at most {_MOST_WATCHED} subscriptions a session")
        await self._hub.watch(session, uri, on=True)
        return EmptyResult()

    async def unwatch(self, context: AnyContext, params: UnsubscribeRequestParams) -> EmptyResult:
        """Hear no more of them."""
        await self._hub.watch(session_of(context), str(params.uri), on=False)
        return EmptyResult()

    async def _called(
        self, toolbox: Toolbox, tool: AnyTool, arguments: dict[str, JSON], uri: str
    ) -> ReadResourceResult:
        try:
            result = await toolbox.call(tool.name, arguments)
        except (InvalidArgumentsError, NotAllowedError) as error:
            raise MCPError(INVALID_PARAMS, error.user_message, {"uri": uri}) from error
        except LycatraError as error:
            raise MCPError(INTERNAL_ERROR, error.user_message, {"uri": uri}) from error
        note = in_english(result.note) if result.note else None
        text = json.dumps(structured(result.data, note), ensure_ascii=False)
        contents = TextResourceContents(uri=uri, mime_type=_JSON, text=text)
        return ReadResourceResult(contents=[contents], ttl_ms=_LIVE_MS, cache_scope="private")

    async def _toolbox(self, context: AnyContext) -> Toolbox:
        return await self._gate.open(bearer_of(context).caller)


def path_of(template: str) -> tuple[str, str]:
    """The fixed beginning of a template, and the name of its gap."""
    beginning, _, gap = template.partition("{")
    return beginning, gap.strip("+}")


def uri_in(template: str, value: str) -> str:
    """The address with the gap filled."""
    return path_of(template)[0] + quote(value, safe="")


def _arguments(tool: AnyTool, uri: str) -> dict[str, JSON] | None:
    """The call that an address stands for, if it is one of this tool."""
    resource = tool.resource
    if resource is None:
        return None
    if uri == resource.uri:
        return {}
    if resource.template is None:
        return None
    beginning, gap = path_of(resource.template)
    value = unquote(uri.removeprefix(beginning))
    return {gap: value} if uri.startswith(beginning) and value else None


def _live(tool: AnyTool) -> Resource:
    uri = tool.resource.uri if tool.resource else ""
    return Resource(
        uri=uri,
        name=tool.name,
        title=tool.title,
        description=tool.summary,
        mime_type=_JSON,
    )


def _document(document: Document) -> Resource:
    return Resource(
        uri=document.uri,
        name=document.uri,
        title=document.title,
        mime_type=document.mime_type,
        size=document.size_bytes,
    )


def _unknown(uri: str) -> MCPError:
    return MCPError(INVALID_PARAMS, "Resource not found", {"uri": uri})
