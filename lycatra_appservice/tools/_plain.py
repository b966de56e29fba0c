"""Text of others, shown as it is."""

import re
from typing import Final

_MARKS: Final = re.compile(r"([\\`*_{}\[\]()<>#+!|~&=-])")


def plain_text(text: str) -> str:
    """On one line, of which nothing is taken for Markdown."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))
