"""docker-compose.yml and the Dockerfile as tests read them: variables filled in, lines joined."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

REPOSITORY = Path(__file__).resolve().parents[2]
COMPOSE = REPOSITORY / "docker-compose.yml"
DOCKERFILE = REPOSITORY / "Dockerfile"

# ${NAME}, ${NAME:-else} and ${NAME:+instead}; the innermost first, so that they may be nested.
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-+])([^${}]*))?\}")


def filled_in(text: str, environ: Mapping[str, str]) -> str:
    """Replace variables as Compose does; one that is empty counts as not set."""

    def value(match: re.Match[str]) -> str:
        name, operator, word = match.groups()
        found = environ.get(name, "")
        if operator == "+":
            return word if found else ""
        return found or word or ""

    before = None
    while before != text:
        before, text = text, _VARIABLE.sub(value, text)
    return text


def compose(**environ: str) -> dict[str, Any]:
    """The whole file, with these variables set and no others."""
    text = filled_in(COMPOSE.read_text(encoding="utf-8"), environ)
    content: dict[str, Any] = YAML(typ="safe").load(text)
    return content


def instructions() -> Iterator[tuple[str, str]]:
    """Each instruction of the Dockerfile, in order: its word and the rest on one line."""
    text = re.sub(r"(?m)^\s*#.*\n", "", DOCKERFILE.read_text(encoding="utf-8"))
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        word, _, rest = line.partition(" ")
        if word:
            yield word, rest
