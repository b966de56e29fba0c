"""Makes a tool of what a configuration says of one, and the namespace that it lives in."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import islice
from typing import Final

from lycatra_appservice.model import JSON, Level
from lycatra_appservice.settings_http_json import PAGE, HttpJsonArgument, HttpJsonTool
from lycatra_appservice.targets import Target
from lycatra_appservice.toolkit.base import (
    Namespace,
    Scope,
    Tool,
    ToolArgs,
    ToolContext,
    ToolResult,
    ToolSettings,
)
from lycatra_appservice.toolkit.http_json.address import address_for
from lycatra_appservice.toolkit.http_json.arguments import MOST_PAGES, arguments_of
from lycatra_appservice.toolkit.http_json.asking import failed, get_json
from lycatra_appservice.toolkit.http_json.reading import NoEntriesError, entries_in
from lycatra_appservice.toolkit.http_json.telling import told

_KEPT: Final = timedelta(seconds=15)
_LONGEST_SUMMARY: Final = 200


def make_namespace(name: str, tools: Sequence[HttpJsonTool]) -> Namespace:
    """The home of these; its tools may reach the hosts that these name, and no others."""
    targets = tuple({Target.of_url(each.url.partition("{")[0]) for each in tools})

    class Reaching(ToolSettings):
        """Nothing to configure: all of it stands in `own_tools.http_json`."""

        @property
        def allowed_targets(self) -> Sequence[Target]:
            """The hosts of the addresses."""
            return targets

    titles = "; ".join(each.title for each in tools)
    return Namespace(
        name=name,
        display_name=f"Lycatra {name.replace('_', ' ').title()}",
        summary=f"{titles[:_LONGEST_SUMMARY].rstrip('.')}.",
        settings=Reaching,
    )


def make_tool(configured: HttpJsonTool) -> Tool[ToolArgs]:
    """The tool, as if it had a file of its own."""
    args = arguments_of(configured)

    async def run(said: ToolArgs, ctx: ToolContext) -> ToolResult:
        return await _call(configured, said, ctx)

    return Tool(
        name=configured.name,
        title=configured.title,
        summary=configured.summary,
        args=args,
        run=run,
        example=configured.example or _example(configured),
        level=Level[configured.level.upper()],
        timeout=timedelta(seconds=configured.timeout_seconds + 5),
        cache_for=_KEPT,
        scope=Scope.SHARED,
    )


async def _call(configured: HttpJsonTool, said: ToolArgs, ctx: ToolContext) -> ToolResult:
    arguments = said.model_dump()
    number: int = arguments.pop(PAGE)
    got = await get_json(configured, address_for(configured, arguments, number), ctx.http)
    try:
        entries = entries_in(got.document, configured.items)
    except NoEntriesError as exc:
        place = f" at `{configured.items}`" if configured.items else ""
        remedy = "Whoever runs me should look at its `items` in `own_tools.http_json`."
        raise failed(configured, f"its answer has no list{place}", remedy) from exc
    page, note = _page(configured, entries, number, has_next=got.has_next)
    return told(configured, page, number, note, ctx.zone)


def _page(
    configured: HttpJsonTool, entries: Sequence[JSON], number: int, *, has_next: bool
) -> tuple[Sequence[JSON], str | None]:
    """What is shown, and what is said of the rest."""
    size, following = configured.page_size, f"ask with page={number + 1}"
    if number == MOST_PAGES:
        following = "nobody reads that many"
    if configured.has_paging:
        may_be_more = has_next or len(entries) >= size
        return entries[:size], f"there may be more; {following}" if may_be_more else None
    begin = (number - 1) * size
    left = len(entries) - begin - size
    page = list(islice(entries, begin, begin + size))
    return page, f"{left} more left out; {following}" if left > 0 else None


def _example(configured: HttpJsonTool) -> str:
    needed = [each for each in configured.arguments if not each.optional and each.default is None]
    return " ".join([configured.name.replace("_", " "), *map(_something, needed)])


def _something(argument: HttpJsonArgument) -> str:
    """A word that the argument takes."""
    match argument.kind:
        case "choice":
            return argument.choices[0]
        case "number":
            return str(argument.least)
        case "yes_no":
            return "yes"
        case "text":
            return "something"
