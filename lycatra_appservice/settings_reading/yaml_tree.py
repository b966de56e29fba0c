"""YAML read as plain values with their line numbers: no objects, no surprises, bounded in size."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from lycatra_appservice.model import JSON

KeyPath: TypeAlias = tuple[str | int, ...]

MAX_TEXT_BYTES = 1024 * 1024
MAX_VALUES = 20_000  # counted after aliases are written out: a few lines can mean billions
MAX_DEPTH = 40

_CORE = "tag:yaml.org,2002:"
_QUOTE_HINT = "put a value that begins with one of @ * & ! % ` into quotes"
_READERS: dict[str, Callable[[str], JSON]] = {
    "str": str,
    "timestamp": str,
    "null": lambda text: None,
    "bool": lambda text: text.lower() == "true",
    "int": lambda text: _whole_number(text.replace("_", "")),
    "float": lambda text: float(text.replace("_", "").lower().replace(".inf", "inf")),
}


@dataclass(frozen=True, slots=True)
class YamlProblem:
    """One thing that is wrong with the text itself. Never repeats a value, it may be a secret."""

    line: int
    path: KeyPath
    sentence: str


@dataclass(slots=True)
class YamlTree:
    """The values of one document, the line (from 1) of each, and what is wrong with it."""

    values: dict[str, JSON] = field(default_factory=dict)
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: list[YamlProblem] = field(default_factory=list)


class _TooLargeError(Exception):
    """The document means more values than we are willing to look at."""


def read_yaml(text: str) -> YamlTree:
    """Read one document; never raises, mistakes are in `problems` of what is returned."""
    tree = YamlTree()
    yaml = YAML(typ="safe", pure=True)
    yaml.max_depth = MAX_DEPTH
    yaml.composer.warn_double_anchors = False
    try:
        node = yaml.compose(text)
        if node is not None:
            _Walk(tree).root(node)
    except MarkedYAMLError as error:
        tree.problems.append(_syntax_problem(error))
    except YAMLError:
        tree.problems.append(YamlProblem(1, (), "has signs in it that YAML does not allow"))
    except (RecursionError, _TooLargeError):
        tree.values = {}
        tree.problems = [YamlProblem(1, (), "is too large or too deeply nested to be a config")]
    return tree


def _syntax_problem(error: MarkedYAMLError) -> YamlProblem:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark is not None else 1
    # ruamel quotes the text around the place, where a secret may stand.
    said = error.problem if error.problem and "'" not in error.problem else ""
    detail = f" ({said})" if said and '"' not in said else ""
    hint = f"check indentation, quotes and colons, and {_QUOTE_HINT}"
    return YamlProblem(line, (), f"is not valid YAML here{detail}; {hint}")


def _whole_number(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        return int(text, 10)  # YAML 1.2 reads 010 as ten


class _Walk:
    """Turns nodes into values, counting them, since an alias may stand for a whole tree."""

    def __init__(self, tree: YamlTree) -> None:
        self._tree = tree
        self._seen = 0

    def root(self, node: Node) -> None:
        if isinstance(node, MappingNode):
            self._tree.values = self._mapping(node, ())
        else:
            self._problem(node, (), "should have settings at its top, such as 'homeserver:'")

    def _problem(self, node: Node, path: KeyPath, sentence: str) -> None:
        self._tree.problems.append(YamlProblem(node.start_mark.line + 1, path, sentence))

    def _value(self, node: Node, path: KeyPath) -> JSON:
        self._seen += 1
        if self._seen > MAX_VALUES or len(path) > MAX_DEPTH:
            raise _TooLargeError
        kind = str(node.tag).removeprefix(_CORE)
        if isinstance(node, MappingNode) and kind == "map":
            return self._mapping(node, path)
        if isinstance(node, SequenceNode) and kind == "seq":
            return self._sequence(node, path)
        if isinstance(node, ScalarNode) and kind in _READERS:
            return self._scalar(node, kind, path)
        self._problem(node, path, f"has a YAML tag ('!…'), which is not read here; {_QUOTE_HINT}")
        return None

    def _scalar(self, node: ScalarNode, kind: str, path: KeyPath) -> JSON:
        try:
            return _READERS[kind](node.value)
        except ValueError:
            self._problem(node, path, "is not the number it says to be")
            return None

    def _sequence(self, node: SequenceNode, path: KeyPath) -> list[JSON]:
        values = []
        for index, item in enumerate(node.value):
            inside = (*path, index)
            self._tree.lines[inside] = item.start_mark.line + 1
            values.append(self._value(item, inside))
        return values

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, JSON]:
        values: dict[str, JSON] = {}
        for key, value in node.value:
            name = self._key(key, path)
            if name is None:
                continue
            inside = (*path, name)
            if name in values:
                first = self._tree.lines[inside]
                self._problem(key, inside, f"is written twice, the first time in line {first}")
                continue
            self._tree.lines[inside] = key.start_mark.line + 1
            values[name] = self._value(value, inside)
        return values

    def _key(self, key: Node, path: KeyPath) -> str | None:
        if not isinstance(key, ScalarNode):
            self._problem(key, path, "has a key that is not a word")
            return None
        if str(key.tag) == f"{_CORE}merge":
            self._problem(key, path, "uses '<<', which is not read here; write the keys out")
            return None
        return str(key.value)
