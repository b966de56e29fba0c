"""Finding tools in folders."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from lycatra_appservice.toolkit.discovery import DiscoveryError, discover

MakePackage = Callable[[dict[str, str]], str]

NAMESPACE = """
from lycatra_appservice.toolkit.base import Namespace
NAMESPACE = Namespace(name={name!r}, display_name="X", summary="Y")
"""
TOOL = """
from lycatra_appservice.toolkit.base import Field, Tool, ToolArgs, ToolResult

class Args(ToolArgs):
    {field}

async def run(args, ctx):
    return ToolResult(data={{}}, markdown="")

TOOL = Tool(name={name!r}, title="T", summary={summary!r}, args=Args, run=run, example={name!r})
"""
SUMMARY = "Does something that is only needed to find this tool in a folder."

_numbers = itertools.count()


def namespace(name: str) -> str:
    return NAMESPACE.format(name=name)


def tool(name: str, *, summary: str = SUMMARY, field: str = "pass") -> str:
    return TOOL.format(name=name, summary=summary, field=field)


@pytest.fixture
def make_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakePackage:
    """Write files below a new package and give its name."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(files: dict[str, str]) -> str:
        package = f"found_tools_{next(_numbers)}"
        for name, text in {"__init__.py": "", **files}.items():
            path = tmp_path / package / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return package

    return make


def test_a_new_file_is_a_new_tool_and_a_new_folder_a_new_namespace(
    make_package: MakePackage,
) -> None:
    package = make_package(
        {
            "pots/__init__.py": namespace("pots"),
            "pots/list_pots.py": tool("list_pots"),
            "pots/add_pot.py": tool("add_pot"),
            "pots/_helper.py": "raise AssertionError('not even imported')",
            "_shared.py": "raise AssertionError('not even imported')",
            "lids/__init__.py": namespace("lids"),
            "lids/count_lids.py": tool("count_lids"),
        }
    )

    registry = discover(package)

    assert [each.name for each in registry.namespaces] == ["lids", "pots"]
    assert [each.name for each in registry.tools] == ["add_pot", "count_lids", "list_pots"]
    assert [each.name for each in registry.tools_of("pots")] == ["add_pot", "list_pots"]
    assert registry.namespace_of("count_lids").name == "lids"
    assert registry.tool("lift_lid") is None


@pytest.mark.parametrize(
    ("files", "file", "complaint"),
    [
        ({"pots/__init__.py": ""}, "pots/__init__.py", "has no NAMESPACE"),
        ({"pots/list_pots.py": tool("list_pots")}, "pots", "has no __init__.py"),
        ({"pots/__init__.py": namespace("pots")}, "pots/__init__.py", "has no tool"),
        ({"pots/__init__.py": namespace("lids")}, "pots/__init__.py", "the folder 'pots'"),
        ({"sender/__init__.py": namespace("sender")}, "sender/__init__.py", "technical user"),
        ({"audit/__init__.py": namespace("audit")}, "audit/__init__.py", "steers Lycatra"),
        (
            {"pots/__init__.py": namespace("pots"), "pots/stop.py": tool("stop")},
            "pots/stop.py",
            "steers Lycatra",
        ),
        ({"list_pots.py": tool("list_pots")}, "list_pots.py", "needs a folder"),
        (
            {"pots/__init__.py": namespace("pots"), "pots/list_pots.py": "tool = 1"},
            "pots/list_pots.py",
            "has no TOOL",
        ),
        (
            {"pots/__init__.py": namespace("pots"), "pots/list_pots.py": tool("list_pans")},
            "pots/list_pots.py",
            "called 'list_pans', the file 'list_pots'",
        ),
        (
            {"pots/__init__.py": namespace("pots"), "pots/List.py": tool("List")},
            "pots/List.py",
            "'List' should be 3 to 41 of a-z",
        ),
        (
            {"pots/__init__.py": namespace("pots"), "pots/do_it.py": tool("do_it", summary="x")},
            "pots/do_it.py",
            "the summary has 1 characters",
        ),
        (
            {
                "pots/__init__.py": namespace("pots"),
                "pots/do_it.py": tool("do_it", field='pot: str = Field(description="Which")'),
            },
            "pots/do_it.py",
            "arguments.pot has no bounds: give its Field max_length=",
        ),
        (
            {
                "lids/__init__.py": namespace("lids"),
                "lids/do_it.py": tool("do_it"),
                "pots/__init__.py": namespace("pots"),
                "pots/do_it.py": tool("do_it"),
            },
            "pots/do_it.py",
            "'do_it' is taken by",
        ),
    ],
)
def test_a_mistake_stops_the_start_and_names_its_file(
    make_package: MakePackage, files: dict[str, str], file: str, complaint: str
) -> None:
    package = make_package(files)

    with pytest.raises(DiscoveryError) as caught:
        discover(package)

    [problem] = caught.value.problems
    assert f"{package}/{file}: " in problem
    assert complaint in problem


def test_all_mistakes_are_told_at_once(make_package: MakePackage) -> None:
    package = make_package(
        {
            "pots/__init__.py": namespace("pots"),
            "pots/list_pots.py": "",
            "pots/add_pot.py": "",
            "lids/__init__.py": "",
        }
    )

    with pytest.raises(DiscoveryError) as caught:
        discover(package)

    assert len(caught.value.problems) == 3
