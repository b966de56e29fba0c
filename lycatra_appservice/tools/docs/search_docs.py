"""The tool that finds what documents say about something."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from lycatra_appservice.toolkit.base import (
    JSON,
    TOLD_LATER,
    Field,
    Scope,
    Tool,
    ToolArgs,
    ToolContext,
    ToolResult,
)
from lycatra_appservice.tools.docs._excerpt import excerpt
from lycatra_appservice.tools.docs._index import Doc
from lycatra_appservice.tools.docs._settings import DocsSettings
from lycatra_appservice.tools.docs._shelf import shelf_of
from lycatra_appservice.tools.docs._stems import wanted_stems

_EXCERPT: Final = 600  # characters


class SearchDocsArgs(ToolArgs):
    """What to look for."""

    query: str = Field(min_length=1, max_length=200, description="Words of the question.")
    limit: int = Field(
        default=4, ge=1, le=10, description="How many.", json_schema_extra=TOLD_LATER
    )
    offset: int = Field(
        default=0,
        ge=0,
        le=200,
        description="How many best ones to skip.",
        json_schema_extra=TOLD_LATER,
    )


async def run(args: SearchDocsArgs, ctx: ToolContext) -> ToolResult:
    """The best sections of all documents; what cannot be read is told in the note."""
    known = await shelf_of(ctx.settings(DocsSettings), ctx.base_folder).known()
    stems = wanted_stems(args.query)
    best = known.ranking.best(stems)
    page = [known.places[number] for number in best[args.offset : args.offset + args.limit]]
    shown = [_shown(doc, at, stems) for doc, at in page]
    notes = [*known.notes]
    if page:
        notes.append("more of one: read_doc with its name and section")
    if (reached := args.offset + len(page)) < len(best) and page:
        notes.append(f"{len(best) - reached} that fit less: ask with offset={reached}")
    return ToolResult(
        data={"found": shown, "total": len(best)},
        markdown=_as_markdown(shown, args.query),
        note="; ".join(notes) or None,
    )


def _shown(doc: Doc, at: int, stems: Sequence[str]) -> dict[str, JSON]:
    section = doc.sections[at]
    trail = [each for each in (*section.above, section.heading) if each]
    return {
        "name": doc.uri,
        "title": doc.title,
        "section": " / ".join(trail[-2:]),
        "text": excerpt(section.text, stems, _EXCERPT),
    }


def _as_markdown(shown: Sequence[dict[str, JSON]], query: str) -> str:
    if not shown:
        plain = " ".join(query.replace("`", "'").split())
        return f"No document says anything about `{plain}`. Try other words, or fewer."
    parts = (f"**{each['section']}** (`{each['name']}`)\n\n{each['text']}" for each in shown)
    return "\n\n---\n\n".join(parts)


TOOL = Tool(
    name="search_docs",
    title="Search documents",
    summary="Finds what the documents say: how this assistant works, and the handbooks here.",
    args=SearchDocsArgs,
    run=run,
    example="search docs reset the conversation",
    timeout=timedelta(seconds=20),
    scope=Scope.SHARED,
    also_called=("docs", "documentation", "manual", "handbook", "how to"),
)
