"""The texts that the code names, and the sentences that it should not have."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.unit.words.reading import PACKAGE, placeholders

_READS_KEPT = "words/text.py"  # texts that were made, and checked, elsewhere
_ANY = "[a-z0-9_]+"  # what may follow the beginning of a key
_OF_TOOLS = frozenset(
    {"NotAllowedError", "InvalidArgumentsError", "ToolTimeoutError", "ToolFailedError"}
)
_TO_PEOPLE = frozenset({"markdown", "body", "reason", "said"})
_SENTENCE = re.compile(r"[^\W\d_]+[ ,]+[^\W\d_]+")
# They speak to operators, or to nobody; and what tools say is theirs.
_OWN_WORDS = ("cli", "demo", "doctor", "intake", "ops", "setup", "tools", "words")
_AS_TOOLS = Path("toolkit/http_json")  # tools, too, out of the configuration


@dataclass(frozen=True, slots=True)
class Named:
    """A `Text(…)` in the code, and the names of its values.

    `key` is a regular expression: of a key that is put together, only the beginning is known.
    """

    where: str
    key: str
    values: frozenset[str | None]  # None stands for `**values`, which nobody can check

    def among(self, texts: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """The texts that this may be: the key fits, and so do the values."""
        return [
            key
            for key, table in texts.items()
            if re.fullmatch(self.key, key) and placeholders(table["text"]) == self.values
        ]


def named_texts(folder: Path = PACKAGE) -> list[Named]:
    """Every text that some module makes. Raises ValueError for a key that cannot be read."""
    files = sorted(set(folder.rglob("*.py")) - {folder / _READS_KEPT})
    return [named for file in files for named in _in_file(file, folder)]


def _in_file(file: Path, folder: Path) -> Iterator[Named]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func
        if name == "Text" or (isinstance(name, ast.Name) and name.id == "Text"):
            where = f"{file.relative_to(folder)}:{node.lineno}"
            if len(node.args) != 1:
                raise ValueError(f"{where}: a text has one key, its values are named")
            values = frozenset(keyword.arg for keyword in node.keywords)
            for key in _keys(node.args[0], where):
                yield Named(where, key, values)


def _keys(node: ast.expr, where: str) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(key)):
            yield re.escape(key)
        case ast.IfExp(body=first, orelse=second):
            yield from _keys(first, where)
            yield from _keys(second, where)
        case ast.JoinedStr(values=[ast.Constant(value=str(begin)), ast.FormattedValue()]):
            yield re.escape(begin) + _ANY
        case _:
            raise ValueError(f"{where}: write the key where the text is made, or its beginning")


def sentences_in_code(folder: Path = PACKAGE) -> list[str]:
    """Where a literal sentence is about to be said in a room, past the catalogue.

    It looks at what is given a name such as `markdown` or `reason`, and at errors of tools.
    """
    return [
        f"{file.relative_to(folder)}:{said.lineno}"
        for file in sorted(folder.rglob("*.py"))
        if file.relative_to(folder).parts[0] not in _OWN_WORDS
        and _AS_TOOLS not in file.relative_to(folder).parents
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        for said in _said_by(node)
        if _is_sentence(said)
    ]


def _said_by(node: ast.AST) -> Iterator[ast.expr]:
    match node:
        case ast.Call(func=ast.Name(id=name)) if name.endswith("ToolError") or name in _OF_TOOLS:
            yield from node.args[:1]
        case ast.Dict():
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value in _TO_PEOPLE:
                    yield value
        case ast.keyword(arg=name) if name in _TO_PEOPLE:
            yield node.value
        case ast.Assign(targets=[ast.Name(id=name)]) if name in _TO_PEOPLE:
            yield node.value


def _is_sentence(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=str(text)):
            return _SENTENCE.search(text) is not None
        case ast.JoinedStr(values=parts):
            return any(_is_sentence(part) for part in parts)
        case _:
            return False
