"""Which files are text, and the text in them. Pure."""

import codecs
from pathlib import PurePosixPath
from typing import Final

MAX_BYTES: Final = 1024 * 1024  # of a file that is read at all
MAX_CHARS: Final = 16_000  # of what a model is given: as much as of a tool's result

_TYPES: Final = frozenset(
    f"application/{name}"
    for name in (
        "json",
        "ld+json",
        "x-ndjson",
        "yaml",
        "x-yaml",
        "toml",
        "xml",
        "xhtml+xml",
        "javascript",
        "x-javascript",
        "x-sh",
        "x-shellscript",
        "x-python",
        "sql",
        "x-sql",
        "csv",
        "x-log",
        "x-httpd-php",
        "x-perl",
        "x-ruby",
        "x-desktop",
        "rtf",
    )
)
_ENDING_WORDS: Final = """
bash bat c cc cfg cmd conf config cpp cs css csv desktop diff dockerfile env go h hcl hpp htm
html ics ini java js json jsonl jsx key kt lock log lua md mjs mount ndjson nix patch php pl
properties ps1 py rb rs rst rules scss service sh socket sql swift target tex tf timer toml ts
tsv tsx txt vcf vue xml yaml yml zsh
"""
_ENDINGS: Final = frozenset(_ENDING_WORDS.split())
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def may_be_text(name: str, mimetype: str) -> bool:
    """Whether a file is text, by what its sender calls it."""
    if mimetype.startswith("text/") or mimetype in _TYPES:
        return True
    path = PurePosixPath(name.casefold())
    return (path.suffix.removeprefix(".") or path.name) in _ENDINGS


def text_in(data: bytes) -> str | None:
    """The text; None for what turns out to be none."""
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    if encoding != "utf-16" and b"\0" in data:
        return None
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")  # what old programs of Windows write
    return text.replace("\r\n", "\n")
