"""Folders of tools as people write them."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from lycatra_appservice.model import JSON
from tests.support import more_tools

_ONLY_SOURCE = shutil.ignore_patterns("__pycache__")
SUMMARY = "Does something that is only needed to find this tool in a folder."
_NAMESPACE = """
from lycatra_appservice.toolkit.base import Namespace

NAMESPACE = Namespace(name={name!r}, display_name="Lycatra {title}", summary="Made by a test.")
"""
_TOOL = """
from lycatra_appservice.toolkit.base import Effect, Field, Level, Tool, ToolArgs, ToolResult
{before}

class Args(ToolArgs):
    word: str = Field(default="nothing", max_length=20, description="What to say.")


async def run(args, ctx):
    {body}


TOOL = Tool(
    name={name!r}, title="T", summary={summary!r}, args=Args, run=run, example={example!r}, {more}
)
"""
SAYS = 'return ToolResult(data={"said": args.word}, markdown=f"You said {args.word}.")'


def namespace(name: str) -> str:
    """The `__init__.py` of a namespace."""
    return _NAMESPACE.format(name=name, title=name.title())


def tool(
    name: str,
    *,
    body: str = SAYS,
    before: str = "",
    more: str = "",
    summary: str = SUMMARY,
) -> str:
    """A tool's file; `before` stands among its imports, `more` in its declaration."""
    return _TOOL.format(
        name=name,
        body=body,
        before=before,
        more=more,
        summary=summary,
        example=name.replace("_", " "),
    )


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files below a folder and return it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def pots(folder: Path, more: Mapping[str, str] | None = None) -> Path:
    """A folder with one namespace that works, and more files."""
    files = {"pots/__init__.py": namespace("pots"), "pots/list_pots.py": tool("list_pots")}
    return write(folder, {**files, **(more or {})})


def mount_more_tools(folder: Path) -> dict[str, JSON]:
    """The settings of a service that has the tools of the tests, from a copy in this folder.

    A copy, because whoever runs the tests may have a repository that others may write to.
    """
    copy = folder / "more-tools"
    if not copy.exists():
        shutil.copytree(Path(more_tools.__file__).parent, copy, ignore=_ONLY_SOURCE)
        for path in (copy, *copy.rglob("*")):
            path.chmod(path.stat().st_mode & ~0o022)
    return {"own_tools": {"paths": [str(copy)]}}
