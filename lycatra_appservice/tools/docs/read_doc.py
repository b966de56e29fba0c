"""The tool that reads a document, or a section of it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from pydantic import field_validator

from lycatra_appservice.toolkit.base import (
    JSON,
    TOLD_LATER,
    Field,
    InvalidArgumentsError,
    Scope,
    Tool,
    ToolArgs,
    ToolContext,
    ToolResult,
)
from lycatra_appservice.tools._tables import table
from lycatra_appservice.tools.docs._excerpt import pages_of
from lycatra_appservice.tools.docs._index import Doc, Known
from lycatra_appservice.tools.docs._naming import named, section_at
from lycatra_appservice.tools.docs._sections import with_those_below
from lycatra_appservice.tools.docs._settings import DocsSettings
from lycatra_appservice.tools.docs._shelf import shelf_of

_PAGE: Final = 4000  # characters; a few of them fit into a small model's window
_MOST_LISTED: Final = 50  # documents on a page of the list
_MOST_HEADINGS: Final = 40


class ReadDocArgs(ToolArgs):
    """What to read; without a name the list of all documents."""

    name: str | None = Field(
        default=None, max_length=300, description="docs://lycatra/README; without, a list."
    )
    section: str | None = Field(
        default=None,
        max_length=200,
        description="Only this heading.",
        json_schema_extra=TOLD_LATER,
    )
    page: int = Field(
        default=1, ge=1, le=1000, description="Which part.", json_schema_extra=TOLD_LATER
    )

    @field_validator("name", "section", mode="before")
    @classmethod
    def _empty_is_all(cls, value: JSON) -> JSON:
        return None if value == "" else value  # how some models leave an argument out


async def run(args: ReadDocArgs, ctx: ToolContext) -> ToolResult:
    """Raises InvalidArgumentsError for a document, section or page that there is not."""
    known = await shelf_of(ctx.settings(DocsSettings), ctx.base_folder).known()
    if args.name is None:
        return _listed(known, args.page)
    name, _, anchor = args.name.partition("#")
    doc = named(known.docs, name)
    section = args.section or anchor
    return _read(doc, section, args.page)


def _listed(known: Known, page: int) -> ToolResult:
    docs = list(known.docs.values())
    _check_page(page, -(-len(docs) // _MOST_LISTED))
    shown = docs[(page - 1) * _MOST_LISTED : page * _MOST_LISTED]
    notes = [*known.notes]
    if (reached := page * _MOST_LISTED) < len(docs):
        notes.append(f"{len(docs) - reached} more: ask with page={page + 1}")
    return ToolResult(
        data={"documents": [{"name": doc.uri, "title": doc.title} for doc in shown]},
        markdown=table(("Document", "About"), ((f"`{doc.uri}`", doc.title) for doc in shown)),
        note="; ".join(notes) or None,
    )


def _read(doc: Doc, section: str, page: int) -> ToolResult:
    parts = doc.sections
    heading = None
    if section:
        parts = with_those_below(parts, section_at(doc, section))
        heading = parts[0].heading
    pages = pages_of("\n\n".join(part.markdown for part in parts), _PAGE)
    _check_page(page, len(pages))
    more = len(pages) - page
    is_begun = more and page == 1 and heading is None
    data: dict[str, JSON] = {
        "name": doc.uri,
        "title": doc.title,
        "section": heading,
        "text": pages[page - 1],
        "page": page,
        "pages": len(pages),
        "sections": _headings(doc) if is_begun else [],
    }
    return ToolResult(
        data=data,
        markdown=pages[page - 1],
        note=f"part {page} of {len(pages)}; ask with page={page + 1}, or with section" * bool(more)
        or None,
    )


def _headings(doc: Doc) -> Sequence[str]:
    return [each.heading for each in doc.sections if each.heading][:_MOST_HEADINGS]


def _check_page(page: int, pages: int) -> None:
    if page > max(pages, 1):
        said = "There is only one part." if pages <= 1 else f"There are only {pages} parts."
        raise InvalidArgumentsError(said, [f"`page` is from 1 to {max(pages, 1)}"])


TOOL = Tool(
    name="read_doc",
    title="Read a document",
    summary="Reads a text or a section of it, by the name from search_docs.",
    args=ReadDocArgs,
    run=run,
    example="read doc docs://lycatra/ROOMS",
    timeout=timedelta(seconds=20),
    scope=Scope.SHARED,
)
