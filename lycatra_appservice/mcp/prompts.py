"""Prompts: the ready-made questions, for whoever may use the tools that answer them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CompleteRequestParams,
    CompleteResult,
    Completion,
    GetPromptRequestParams,
    GetPromptResult,
    ListPromptsResult,
    PaginatedRequestParams,
    Prompt,
    PromptArgument,
    PromptMessage,
    PromptReference,
    TextContent,
)
from mcp_types.jsonrpc import INVALID_PARAMS

from lycatra_appservice.mcp.bearer import bearer_of
from lycatra_appservice.mcp.documents import Documents
from lycatra_appservice.mcp.resources import DOCUMENT_TEMPLATE, path_of
from lycatra_appservice.toolkit.base import PromptTemplate
from lycatra_appservice.toolkit.registry import Registry
from lycatra_appservice.toolkit.toolbox import Gate, Toolbox

AnyContext = ServerRequestContext[Any, Any]
_MOST_VALUES: Final = 100  # as the specification bounds a completion


class PromptDesk:
    """The handlers of `prompts/…` and `completion/complete`."""

    def __init__(
        self,
        gate: Gate,
        registry: Registry,
        settings: Mapping[str, object],
        documents: Documents,
    ) -> None:
        """`settings` has the checked section of every namespace."""
        self._gate = gate
        self._registry = registry
        self._settings = settings
        self._documents = documents

    async def list(
        self, context: AnyContext, params: PaginatedRequestParams | None
    ) -> ListPromptsResult:
        """By name; all on one page."""
        prompts = self._usable(await self._toolbox(context))
        return ListPromptsResult(prompts=[_declared(each) for each in prompts])

    async def get(self, context: AnyContext, params: GetPromptRequestParams) -> GetPromptResult:
        """The question with its gaps filled. Raises MCPError."""
        prompt = self._prompt(await self._toolbox(context), params.name)
        values = params.arguments or {}
        text = prompt.filled(_checked(prompt, values))
        message = PromptMessage(role="user", content=TextContent(type="text", text=text))
        return GetPromptResult(description=prompt.summary, messages=[message])

    async def complete(self, context: AnyContext, params: CompleteRequestParams) -> CompleteResult:
        """Values that fit what was typed so far; none where nothing is known."""
        toolbox = await self._toolbox(context)
        argument = params.argument
        if isinstance(params.ref, PromptReference):
            prompt = self._prompt(toolbox, params.ref.name)
            known = self._known(prompt, argument.name)
        else:
            known = await self._known_in(toolbox, params.ref.uri)
        typed = argument.value.casefold()
        fitting = [value for value in known if value.casefold().startswith(typed)]
        return CompleteResult(
            completion=Completion(
                values=fitting[:_MOST_VALUES],
                total=len(fitting),
                has_more=len(fitting) > _MOST_VALUES,
            )
        )

    async def _known_in(self, toolbox: Toolbox, template: str) -> Sequence[str]:
        if template == DOCUMENT_TEMPLATE:
            beginning = path_of(template)[0]
            documents = await self._documents.all(toolbox)
            return [each.uri.removeprefix(beginning) for each in documents]
        for tool in toolbox.tools():
            if tool.resource is not None and tool.resource.template == template:
                gap = path_of(template)[1]
                home = toolbox.namespace_of(tool.name).name
                asked = [self._known(each, gap) for each in self._registry.prompts_of(home)]
                return sorted({value for values in asked for value in values})
        raise MCPError(INVALID_PARAMS, "There is no such template")

    def _known(self, prompt: PromptTemplate, name: str) -> Sequence[str]:
        settings = self._settings[self._registry.namespace_of_prompt(prompt.name).name]
        for argument in prompt.arguments:
            if argument.name == name and argument.known is not None:
                return argument.known(settings)
        return ()

    def _usable(self, toolbox: Toolbox) -> Sequence[PromptTemplate]:
        homes = {toolbox.namespace_of(tool.name).name for tool in toolbox.tools()}
        place = self._registry.namespace_of_prompt
        return [each for each in self._registry.prompts if place(each.name).name in homes]

    def _prompt(self, toolbox: Toolbox, name: str) -> PromptTemplate:
        for prompt in self._usable(toolbox):
            if prompt.name == name:
                return prompt
        raise MCPError(INVALID_PARAMS, "There is no such prompt")

    async def _toolbox(self, context: AnyContext) -> Toolbox:
        return await self._gate.open(bearer_of(context).caller)


def _declared(prompt: PromptTemplate) -> Prompt:
    return Prompt(
        name=prompt.name,
        title=prompt.title,
        description=prompt.summary,
        arguments=[
            PromptArgument(name=each.name, description=each.description, required=each.required)
            for each in prompt.arguments
        ],
    )


def _checked(prompt: PromptTemplate, values: Mapping[str, str]) -> Mapping[str, str]:
    """The values, or an MCPError that names every one that does not fit."""
    known = {each.name: each for each in prompt.arguments}
    wrong = [f"{name!r} is no argument of it" for name in values if name not in known]
    for name, argument in known.items():
        value = values.get(name, "")
        if argument.required and not value.strip():
            wrong.append(f"{name!r} is missing")
        if len(value) > argument.max_chars:
            wrong.append(f"{name!r} may have {argument.max_chars} characters at most")
    if wrong:
        raise MCPError(INVALID_PARAMS, f"{prompt.name}: {'; '.join(wrong)}")
    return values
