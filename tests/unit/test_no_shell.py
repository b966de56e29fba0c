"""No text of anybody is ever read by a shell."""

import ast
from collections.abc import Iterator
from pathlib import Path

import lycatra_appservice

PACKAGE = Path(lycatra_appservice.__file__).parent
OF_A_SHELL = {"create_subprocess_shell", "subprocess_shell", "getoutput", "getstatusoutput"}
OF_OS = {"system", "popen"}


def shells_in(tree: ast.AST) -> Iterator[int]:
    """The lines where something is given to a shell."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "shell":
            yield node.value.lineno
        if isinstance(node, ast.Attribute):
            is_of_os = isinstance(node.value, ast.Name) and node.value.id == "os"
            if node.attr in OF_A_SHELL or (is_of_os and node.attr in OF_OS):
                yield node.lineno


def test_programs_are_run_by_their_arguments_and_never_by_a_line_of_text() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{line}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for line in shells_in(ast.parse(path.read_text(encoding="utf-8")))
    ]

    assert found == []
    assert list(shells_in(ast.parse("run('ls', shell=True); os.system('ls')"))) == [1, 1]
