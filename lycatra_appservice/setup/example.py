"""The commented example configuration, filled in so that its comments stay where they help."""

import re
from pathlib import Path
from typing import Final

from lycatra_appservice.setup.answers import Scalar, Values

_FILE: Final = "example-config.yaml"
# A key, perhaps switched off by a `#` right before it; prose has a space behind its `#`.
_KEY: Final = re.compile(r"(?P<indent> *)(?P<off>#?)(?P<key>[a-z_]+):(?P<rest>.*)")


def read_example() -> str:
    """The example's text: beside the package's modules in a wheel, else in the repository."""
    package = Path(__file__).parents[1]
    installed = package / _FILE
    return (installed if installed.exists() else package.parent / _FILE).read_text("utf-8")


def fill_in(example: str, values: Values) -> str:
    """Put values into their places and switch the sections around them on.

    Raises KeyError for a place that the example does not have.
    """
    missing = dict(values)
    filled, above = [], list[tuple[int, str]]()
    for line in example.splitlines():
        match = _KEY.fullmatch(line)
        if match is None:
            filled.append(line)
            continue
        indent = len(match["indent"])
        above = [*(outer for outer in above if outer[0] < indent), (indent, match["key"])]
        path = tuple(key for _, key in above)
        filled.append(_line(match, path, missing))
    if missing:
        raise KeyError(f"the example has no place for {sorted(missing)}")
    return "\n".join(filled) + "\n"


def _line(
    match: re.Match[str], path: tuple[str, ...], missing: dict[tuple[str, ...], Scalar]
) -> str:
    for place in (path, (*path[:-1], f"{path[-1]}_file")):  # a secret's file stands in its place
        if place in missing:
            return f"{match['indent']}{place[-1]}: {_shown(missing.pop(place))}"
    if any(place[: len(path)] == path for place in missing):
        return f"{match['indent']}{match['key']}:{match['rest']}"
    return match.string


def _shown(value: Scalar) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    return "'{}'".format(value.replace("'", "''"))
