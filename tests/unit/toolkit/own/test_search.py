"""Tools of one's own are found; what is broken disables itself, says why, and nothing else."""

import os
import py_compile
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from lycatra_appservice.settings_http_json import HttpJsonTool
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.toolkit.own.found import FoundTools
from lycatra_appservice.toolkit.own.search import find_tools
from tests.support.own_tools import SUMMARY, namespace, pots, tool, write

SHIPPED = [each.name for each in discover().tools]


@dataclass(frozen=True)
class Places:
    paths: Sequence[Path] = ()
    http_json: Sequence[HttpJsonTool] = ()
    packages: bool = field(default=False)


def found_in(*paths: Path) -> FoundTools:
    return find_tools(Places(paths))


def own_of(found: FoundTools) -> list[str]:
    return [each.name for each in found.registry.tools if each.name not in SHIPPED]


def test_a_folder_is_a_namespace_and_a_file_in_it_a_tool(tmp_path: Path) -> None:
    found = found_in(pots(tmp_path, {"pots/add_pot.py": tool("add_pot"), "README.md": "Pots."}))

    assert found.problems == ()
    assert own_of(found) == ["add_pot", "list_pots"]
    assert found.registry.namespace_of("add_pot").display_name == "Lycatra Pots"
    assert found.origins == {"add_pot": str(tmp_path), "list_pots": str(tmp_path)}
    assert set(SHIPPED) < {each.name for each in found.registry.tools}


def test_helpers_of_the_namespace_and_of_the_folder_are_imported_relatively(
    tmp_path: Path,
) -> None:
    found = found_in(
        pots(
            tmp_path,
            {
                "_all.py": "SAME = 'all'",
                "pots/_help.py": "from .._all import SAME\nSUMMARY = SAME * 20",
                "pots/_deep/__init__.py": "",
                "pots/_deep/er.py": "EXAMPLE = 'count pots'",
                "pots/count_pots.py": tool(
                    "count_pots",
                    before="from ._help import SUMMARY\nfrom ._deep.er import EXAMPLE",
                ).replace("summary='Does", "summary=SUMMARY or 'Does"),
            },
        )
    )

    assert found.problems == ()
    declared = found.registry.tool("count_pots")
    assert declared is not None
    assert declared.summary == "all" * 20


def test_nothing_of_it_can_be_imported_by_its_plain_name_and_the_path_stays(
    tmp_path: Path,
) -> None:
    before = list(sys.path)

    found_in(pots(tmp_path, {"json/__init__.py": namespace("json"), "json/a_b.py": tool("a_b")}))

    assert sys.path == before
    assert sys.modules["json"].__file__ != str(tmp_path / "json" / "__init__.py")
    assert "pots" not in sys.modules


def test_no_byte_code_is_written_or_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file = pots(tmp_path) / "pots" / "list_pots.py"
    planted = tool("list_pots", summary=SUMMARY.replace("Does", "Died"))
    file.write_text(planted)
    compiled = str(py_compile.compile(str(file)))
    before = file.stat()
    file.write_text(tool("list_pots"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))  # as if it had not changed

    found = found_in(tmp_path)

    declared = found.registry.tool("list_pots")
    assert declared is not None
    assert declared.summary == SUMMARY
    assert list(tmp_path.rglob("*.pyc")) == [Path(compiled)]


BROKEN_TOOLS = [
    ("def run(:", "line 1: invalid syntax"),
    ("\nimport no_such_package_here", "line 2: No module named 'no_such_package_here'"),
    ("from ._no_help import x", "line 1: there is no _no_help.py"),
    ("\n\n1 / 0", "line 3: ZeroDivisionError: division by zero"),
    ("raise SystemExit('bye')", "line 1: SystemExit: bye"),
    (
        "X = 1",
        "there is no TOOL = Tool(…) and no PROMPT = PromptTemplate(…); "
        "a helper's file name begins with an underscore",
    ),
    ("TOOL = 'Tool'", "there is no TOOL = Tool(…)"),
    (tool("stir_pan"), "the tool is called 'stir_pan', the file 'stir_pot'"),
    (tool("stir_pot", summary="Short."), "the summary has 6 characters; it needs 40 to 600"),
    (
        tool("stir_pot", more="level='viewer'"),
        "level should be Level.VIEWER, Level.OPERATOR",
    ),
    # Compared by identity: a text would show to the room what is for the asker alone.
    (
        tool("stir_pot", more="audience='asker'"),
        "audience should be Audience.ROOM or",
    ),
    (tool("stir_pot", more="scope='person'"), "scope should be Scope.PERSON or"),
    (tool("stir_pot", more="effect='change'"), "effect should be Effect.READ or Effect.CHANGE"),
    (
        tool("stir_pot", more="effect=Effect.CHANGE, approval='operator'"),
        "approval should be a Rule",
    ),
    (
        tool("stir_pot", more="effect=Effect.CHANGE, plan=lambda args, ctx: None"),
        "plan must be an `async def`",
    ),
    (
        tool(
            "stir_pot",
            before="from lycatra_appservice.toolkit.base import Audience, Scope",
            more="audience=Audience.ASKER, scope=Scope.SHARED",
        ),
        "what is for the asker alone cannot have the scope of all",
    ),
    (tool("stir_pot", more="also_called='stir'"), "also_called should be a list of words"),
    (
        tool("stir_pot", more="timeout=30"),
        "timeout should be a timedelta, such as",
    ),
    (
        tool("stir_pot").replace("max_length=20, ", ""),
        "arguments.word has no bounds: give its Field max_length=",
    ),
    (
        tool("stir_pot").replace('default="nothing"', "default=3"),
        "the argument 'word' would not take its own default, 3",
    ),
    (tool("stir_pot").replace('title="T", ', ""), "line 13: Tool(…) has no 'title'"),
    (tool("stir_pot", more="effect='change'"), "effect should be Effect.READ or Effect.CHANGE"),
    (tool("stir_pot").replace("args=Args", "args=dict"), "args should be a class made from"),
    (
        tool("stir_pot").replace("word: str", "word: object"),
        "arguments.word has no type that a model knows",
    ),
]


@pytest.mark.parametrize(("text", "reason"), BROKEN_TOOLS)
def test_a_broken_file_disables_that_tool_with_its_reason_and_nothing_else(
    tmp_path: Path, text: str, reason: str
) -> None:
    found = found_in(pots(tmp_path, {"pots/stir_pot.py": text}))

    assert own_of(found) == ["list_pots"]
    [problem] = found.problems
    assert problem.disabled == "pots/stir_pot"
    assert problem.where == str(tmp_path / "pots" / "stir_pot.py")
    assert problem.reason.startswith(reason)
    assert "\n" not in str(problem)


def test_a_mistake_in_a_helper_names_the_helper(tmp_path: Path) -> None:
    files = {
        "pots/_help.py": "\n\nx = {}['y']",
        "pots/stir_pot.py": tool("stir_pot", before="from ._help import x"),
    }

    [problem] = found_in(pots(tmp_path, files)).problems

    assert problem.reason == "line 3 of pots/_help.py: KeyError: 'y'"


@pytest.mark.parametrize(
    ("name", "file", "reason"),
    [
        ("pans", "1 / 0", "line 1 of pans/__init__.py: ZeroDivisionError"),
        ("pans", "X = (", "line 1 of pans/__init__.py: "),
        ("pans", "X = 1", '__init__.py: has no NAMESPACE = Namespace(name="pans", display_name='),
        ("pans", namespace("lids"), "__init__.py: the namespace is called 'lids'"),
        ("pans", namespace("pans").replace("'pans'", "'pans'", 1) + "NAMESPACE = 1", "__init__"),
        (
            "my-pans",
            namespace("my-pans"),
            "the name 'my-pans' should be 2 to 31 of a-z",
        ),
        ("help", namespace("help"), "'help' is a word that steers Lycatra"),
        ("sender", namespace("sender"), "'sender' is the name of the technical user"),
        ("updates", namespace("updates"), "the namespace 'updates' is there already, from Lyc"),
        (
            "pans",
            namespace("pans").replace("'pans'", "'pans', settings=dict"),
            "__init__.py: settings should be a class made from ToolSettings",
        ),
    ],
)
def test_a_broken_namespace_disables_itself_only(
    tmp_path: Path, name: str, file: str, reason: str
) -> None:
    files = {f"{name}/__init__.py": file, f"{name}/list_pans.py": tool("list_pans")}

    found = found_in(pots(tmp_path, files))

    assert own_of(found) == ["list_pots"]
    [problem] = found.problems
    assert problem.disabled == f"{'a second folder' if name == 'updates' else 'all of'} {name}"
    assert ("updates" in found.disabled, problem.tools) == (False, ("list_pans",))
    assert problem.reason.startswith(reason)


def test_a_folder_without_a_namespace_and_a_file_without_a_folder_are_told(
    tmp_path: Path,
) -> None:
    files = {"pans/list_pans.py": tool("list_pans"), "stray.py": "1 / 0"}

    problems = found_in(pots(tmp_path, files)).problems

    assert [each.reason for each in problems] == [
        'there is no __init__.py; it has no NAMESPACE = Namespace(name="pans", '
        'display_name="…", summary="…"), made of the Namespace of lycatra_appservice.toolkit.base',
        "a tool needs a folder, which is its namespace",
    ]


def test_a_name_is_given_once_and_the_first_has_it(tmp_path: Path) -> None:
    one = pots(tmp_path / "one", {"pots/list_updates.py": tool("list_updates")})
    other = write(
        tmp_path / "other",
        {
            "pots/__init__.py": namespace("pots"),
            "pots/wash_pots.py": tool("wash_pots"),
            "lids/__init__.py": namespace("lids"),
            "lids/list_pots.py": tool("list_pots"),
            "lids/list_lids.py": tool("list_lids"),
        },
    )

    found = found_in(one, other)

    assert own_of(found) == ["list_lids", "list_pots"]
    assert [each.reason for each in found.problems] == [
        "the name 'list_updates' is taken by a tool of Lycatra itself",
        f"the name 'list_pots' is taken by a tool of {one}",
        f"the namespace 'pots' is there already, from {one}",
    ]


def test_a_namespace_whose_tools_are_all_broken_stays_and_one_without_any_does_not(
    tmp_path: Path,
) -> None:
    pots(tmp_path, {"pots/list_pots.py": "1 / 0", "empty/__init__.py": namespace("empty")})
    (tmp_path / "empty" / "_helper.py").touch()

    found = found_in(tmp_path)

    assert found.registry.namespace("pots") is not None
    assert found.registry.tools_of("pots") == ()
    assert found.registry.namespace("empty") is None


def test_what_is_broken_or_out_of_reach_is_not_gone(tmp_path: Path) -> None:
    pots(tmp_path, {"pans/__init__.py": "1 / 0"})

    found = found_in(tmp_path)
    unmounted = found_in(tmp_path, tmp_path / "mount")

    assert not found.may_be_gone("pots")
    assert not found.may_be_gone("pans")
    assert found.may_be_gone("lids")
    assert not unmounted.may_be_gone("lids")


def test_a_tool_that_is_broken_or_out_of_reach_is_not_gone(tmp_path: Path) -> None:
    pots(tmp_path, {"pots/stir_pot.py": "1 / 0"})

    found = found_in(tmp_path)
    unmounted = found_in(tmp_path, tmp_path / "mount")
    (tmp_path / "pots" / "__init__.py").write_text("1 / 0")
    broken = found_in(tmp_path)

    assert found.may_tool_be_gone("stir_pan")
    assert not found.may_tool_be_gone("list_pots")
    assert not found.may_tool_be_gone("stir_pot")
    assert not unmounted.may_tool_be_gone("stir_pan")
    assert not broken.may_tool_be_gone("stir_pan")
    [*_, problem] = unmounted.problems
    assert problem.reason == "there is no such folder"


# --- who may write


@pytest.mark.parametrize(
    ("name", "disabled", "command"),
    [
        (".", "a folder of tools", "chmod -R go-w {}"),
        ("pots", "all of pots", "chmod -R go-w {}/pots"),
        ("pots/__init__.py", "all of pots", "chmod go-w {}/pots/__init__.py"),
        ("pots/list_pots.py", "pots/list_pots", "chmod go-w {}/pots/list_pots.py"),
    ],
)
@pytest.mark.parametrize("may_write", [0o020, 0o002])
def test_what_others_may_write_to_is_not_run_and_the_reason_says_what_to_type(
    tmp_path: Path, name: str, disabled: str, command: str, may_write: int
) -> None:
    folder = pots(tmp_path / "own")
    place = folder / name
    place.chmod(place.stat().st_mode | may_write)

    found = found_in(folder)

    assert own_of(found) == []
    [problem] = found.problems
    assert problem.disabled == disabled
    assert f"type `{command.format(folder)}`" in problem.reason


def test_a_helper_that_others_may_write_to_disables_who_uses_it(tmp_path: Path) -> None:
    files = {"_all.py": "", "pots/stir_pot.py": tool("stir_pot", before="from .. import _all")}
    folder = pots(tmp_path, files)
    (folder / "_all.py").chmod(0o666)

    found = found_in(folder)

    assert own_of(found) == ["list_pots"]
    assert "_all.py (mode 0666)" in found.problems[0].reason


def test_a_folder_above_that_others_may_write_to_counts_too(tmp_path: Path) -> None:
    folder = pots(tmp_path / "above" / "own")
    (tmp_path / "above").chmod(0o777)

    assert own_of(found_in(folder)) == []

    (tmp_path / "above").chmod(0o1777)  # as /tmp is: nobody can replace what is not theirs
    assert own_of(found_in(folder)) == ["list_pots"]


def test_a_link_is_judged_by_where_it_leads(tmp_path: Path) -> None:
    elsewhere = write(tmp_path / "open", {"stir_pot.py": tool("stir_pot")})
    folder = pots(tmp_path / "own")
    (folder / "pots" / "stir_pot.py").symlink_to(elsewhere / "stir_pot.py")
    assert own_of(found_in(folder)) == ["list_pots", "stir_pot"]

    elsewhere.chmod(0o777)

    assert own_of(found_in(folder)) == ["list_pots"]


@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0, reason="only root can give files away"
)
def test_what_belongs_to_somebody_else_is_not_run(tmp_path: Path) -> None:
    folder = pots(tmp_path / "own")
    os.chown(folder / "pots" / "list_pots.py", 4321, -1)

    [problem] = found_in(folder).problems

    assert "belongs to user 4321" in problem.reason
    assert f"`chown 0 {folder}/pots/list_pots.py`, or mount it read-only" in problem.reason


def test_who_owns_what_is_mounted_read_only_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = pots(tmp_path / "own")
    (folder / "pots" / "list_pots.py").chmod(0o666)
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=os.ST_RDONLY))

    assert own_of(found_in(folder)) == ["list_pots"]


# --- packages


def installed(folder: Path, module: str) -> None:
    write(
        folder / "pot_tools-1.0.dist-info",
        {
            "METADATA": "Metadata-Version: 2.1\nName: pot-tools\nVersion: 1.0\n",
            "entry_points.txt": f"[lycatra.tools]\npots = {module}\n",
        },
    )


def test_an_installed_package_offers_its_namespaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pots(tmp_path / "pot_tools", {"__init__.py": "", "pots/stir_pot.py": "1 / 0"})
    installed(tmp_path, "pot_tools")
    monkeypatch.syspath_prepend(str(tmp_path))

    found = find_tools(Places(packages=True))

    assert found.origins == {"list_pots": "package pot-tools"}
    [problem] = found.problems
    assert problem.disabled == "pots/stir_pot"
    assert problem.reason == "line 1: ZeroDivisionError: division by zero"
    assert own_of(find_tools(Places(packages=False))) == []


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("no_such_tools", "No module named 'no_such_tools'"),
        ("lone_tools", "lone_tools is no package with a folder for each namespace"),
    ],
)
def test_a_package_that_cannot_be_loaded_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, reason: str
) -> None:
    (tmp_path / "lone_tools.py").touch()
    installed(tmp_path, module)
    monkeypatch.syspath_prepend(str(tmp_path))

    found = find_tools(Places(packages=True))

    [problem] = found.problems
    assert (problem.where, problem.reason) == ("package pot-tools", reason)
    assert not found.all_known


@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_a_folder_that_may_not_be_read_is_told_and_not_taken_for_removed(mode: int) -> None:
    # Not below tmp_path, into which nobody else may look.
    with tempfile.TemporaryDirectory() as made:
        folder = pots(Path(made), {"pans/__init__.py": namespace("pans")})
        Path(made).chmod(0o755)
        (folder / "pans").chmod(mode)
        with as_nobody():
            found = found_in(folder)
        (folder / "pans").chmod(0o755)

    assert not found.may_be_gone("pans")
    [problem] = found.problems
    assert problem.disabled == "all of pans"
    assert problem.reason == "it cannot be read: Permission denied"
    assert own_of(found) == ["list_pots"]


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read everything."""
    we = os.geteuid()
    if we == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(we)
