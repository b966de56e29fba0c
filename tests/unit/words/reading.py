"""The catalogue's files as they are written."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from string import Formatter
from typing import Any

import lycatra_appservice

PACKAGE = Path(lycatra_appservice.__file__).parent
WORDS = PACKAGE / "words"
ENGLISH = "en"


def codes() -> list[str]:
    """English first."""
    return sorted((file.stem for file in WORDS.glob("*.toml")), key=lambda code: code != ENGLISH)


def tables(code: str) -> dict[str, Mapping[str, Any]]:
    """The texts of a language by key, with all that is written about them."""
    read = tomllib.loads((WORDS / f"{code}.toml").read_text("utf-8"))
    del read["language"]
    return read


def name_of(code: str) -> str:
    read = tomllib.loads((WORDS / f"{code}.toml").read_text("utf-8"))
    return str(read["language"]["name"])


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}
