"""docs/MESSAGES.md, made from the catalogue."""

import re
from collections.abc import Iterator, Sequence

from tests.unit.words.reading import ENGLISH, WORDS, codes, name_of, tables

_TOPIC = re.compile(r"# --- (.+?) -+")
_KEY = re.compile(r"\[([a-z_0-9]+)\]")
_BEGINNING = """\
# What Lycatra says

Every fixed text that people read in a room, by occasion; names in braces are filled in. Answers
to questions are the language model's words, and what a command shows is the tool's own: neither
stands here.

A text is said in the language of the question, or in the one that the room chose with
`!settings language`. What a language lacks is said in English.

This page is made from `lycatra_appservice/words/*.toml`, and a test compares it. After a change
there, write it anew:

```sh
LYCATRA_WRITE_DOCS=1 .venv/bin/python -m pytest tests/unit/words/test_messages_page.py
```
"""


def topics() -> Sequence[tuple[str, Sequence[str]]]:
    """The headings of the English file, each with the keys below it, in their order."""
    found: list[tuple[str, list[str]]] = []
    for line in (WORDS / f"{ENGLISH}.toml").read_text("utf-8").splitlines():
        if topic := _TOPIC.fullmatch(line):
            found.append((topic[1], []))
        elif (key := _KEY.fullmatch(line)) and key[1] != "language":
            found[-1][1].append(key[1])
    return found


def messages_page() -> str:
    """The whole page."""
    return "\n".join([_BEGINNING, *(line for topic in topics() for line in _section(*topic))])


def _section(topic: str, keys: Sequence[str]) -> Iterator[str]:
    spoken = {code: tables(code) for code in codes()}
    yield f"## {topic[0].upper()}{topic[1:]}\n"
    yield f"| occasion | {' | '.join(name_of(code) for code in spoken)} |"
    yield "|---" * (1 + len(spoken)) + "|"
    for key in keys:
        occasion = f"{spoken[ENGLISH][key]['when']}<br>`{key}`"
        texts = [texts[key]["text"] if key in texts else "" for texts in spoken.values()]
        yield f"| {' | '.join(map(_cell, [occasion, *texts]))} |"
    yield ""


def _cell(text: str) -> str:
    return text.strip("\n").replace("|", "\\|").replace("\n", "<br>")
