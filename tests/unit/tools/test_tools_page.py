"""docs/TOOLS.md says what the tools say and do.

With LYCATRA_WRITE_DOCS=1 in the environment the page is written before it is compared.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

import lycatra_appservice
from lycatra_appservice.toolkit.base import Effect
from lycatra_appservice.toolkit.discovery import discover
from tests.unit.tools.shown_tools import SHOWN, Answered, answers_of
from tests.unit.tools.tools_page import tools_page

PAGE = Path(lycatra_appservice.__file__).parents[1] / "docs" / "TOOLS.md"
READING = [tool.name for tool in discover().tools if tool.effect is Effect.READ]


@pytest.fixture
async def answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Mapping[str, Sequence[Answered]]:
    return {name: await answers_of(name, tmp_path, monkeypatch) for name in READING}


def test_every_tool_that_only_reads_is_shown_at_work() -> None:
    assert sorted(SHOWN) == sorted(READING), "tests/unit/tools/shown_tools.py lacks an entry"


async def test_the_page_is_what_the_tools_give(
    answers: Mapping[str, Sequence[Answered]],
) -> None:
    if os.environ.get("LYCATRA_WRITE_DOCS"):
        PAGE.write_text(tools_page(answers), "utf-8")

    is_same = PAGE.read_text("utf-8") == tools_page(answers)
    assert is_same, "write the page anew as its first lines say"


async def test_the_page_shows_answers_and_not_failures(
    answers: Mapping[str, Sequence[Answered]],
) -> None:
    page = tools_page(answers)

    assert "Invoices" in page
    assert "✅ up" in page
    assert "❌ down" in page  # one of the checked services is
    for tool in discover().tools:
        assert f"### `!{tool.name.replace('_', ' ')}`" in page
        assert tool.summary in page
