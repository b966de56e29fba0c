"""Changelogs as people really write them."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.tools.updates.conftest import ListUpdates

SOURCE = [{"name": "shop", "kind": "changelog", "path": "CHANGELOG.md"}]

TEXT = """\
# Changelog

All of it. The format is that of Keep a Changelog.

## [Unreleased]

### Added
- Gift cards,
  also by post.
  - With a bow

## [1.2.0] - 2026-11-01

A summary of two
lines.

### Added

- Search | find

### Fixed
* Prices with `|`

## [1.1.0] - 2026-10-01 [YANKED]

### Removed
- Everything

## Notes

- Not a version.

[unreleased]: https://shop.example/compare/1.2.0...HEAD
[1.2.0]: https://shop.example/releases/1.2.0
"""


async def read(list_updates: ListUpdates, folder: Path, text: str) -> Any:
    (folder / "CHANGELOG.md").write_text(text)
    return (await list_updates(SOURCE)).data


async def test_versions_sections_links_and_what_is_not_released_yet(
    list_updates: ListUpdates, tmp_path: Path
) -> None:
    data = await read(list_updates, tmp_path, TEXT)

    assert data["updates"] == [
        {
            "service": "shop",
            "version": None,
            "title": "Not released yet",
            "date": None,
            "kind": "unreleased",
            "changes": ["Added: Gift cards, also by post. - With a bow"],
            "url": "https://shop.example/compare/1.2.0...HEAD",
        },
        {
            "service": "shop",
            "version": "1.2.0",
            "title": "A summary of two lines.",
            "date": "2026-11-01",
            "kind": "release",
            "changes": ["Added: Search | find", "Fixed: Prices with `|`"],
            "url": "https://shop.example/releases/1.2.0",
        },
        {
            "service": "shop",
            "version": "1.1.0",
            "title": "Withdrawn.",
            "date": "2026-10-01",
            "kind": "release",
            "changes": ["Removed: Everything"],
            "url": None,
        },
    ]


async def test_changes_are_shown_as_lists(list_updates: ListUpdates, tmp_path: Path) -> None:
    (tmp_path / "CHANGELOG.md").write_text(TEXT)
    result = await list_updates(SOURCE, limit=2)

    assert result.markdown.split("\n\n")[1:] == [
        "**shop** · Not released yet https://shop.example/compare/1.2.0...HEAD\n"
        "- Added: Gift cards, also by post. - With a bow",
        "**shop 1.2.0** · 2026-11-01 · A summary of two lines. "
        "https://shop.example/releases/1.2.0\n"
        "- Added: Search \\| find\n"
        "- Fixed: Prices with `\\|`",
    ]


async def test_a_long_list_of_changes_is_shortened_beside_others_and_whole_when_alone(
    list_updates: ListUpdates, tmp_path: Path
) -> None:
    changes = "".join(f"- Change {n}\n" for n in range(1, 8))
    (tmp_path / "CHANGELOG.md").write_text(
        f"## [2.0.0] - 2026-11-02\n{changes}\n## [1.0.0] - 2026-11-01\n- First\n"
    )
    beside = (await list_updates(SOURCE)).markdown
    alone = (await list_updates(SOURCE, limit=1)).markdown

    assert "- Change 4\n- … and 3 more; ask for this one alone" in beside
    assert "- Change 7" not in beside
    assert "- Change 7" in alone


@pytest.mark.parametrize(
    ("heading", "version", "date"),
    [
        ("## 1.2.0", "1.2.0", None),
        ("## v1.2.0 (2026-11-01)", "v1.2.0", "2026-11-01"),
        ("## [1.2.0](https://shop.example/1.2.0) (2026-11-01)", "1.2.0", "2026-11-01"),
        ("## Version 1.2.0 \u2013 2026-11-01", "1.2.0", "2026-11-01"),
        ("## 2026-11-01", None, "2026-11-01"),
        ("## [1.2.0] - 2026-99-99", "1.2.0", None),
        ("##   [1.2.0]   -   2026-11-01   ", "1.2.0", "2026-11-01"),
    ],
)
async def test_usual_headings_are_understood(
    list_updates: ListUpdates,
    tmp_path: Path,
    heading: str,
    version: str | None,
    date: str | None,
) -> None:
    data = await read(list_updates, tmp_path, f"{heading}\n- Something\n")
    [update] = data["updates"]
    assert (update["version"], update["date"]) == (version, date)


@pytest.mark.parametrize("text", ["", "# Changelog\n", "## Chapter\n- x\n", "\x00\xff" * 100])
async def test_a_file_without_versions_says_so(
    list_updates: ListUpdates, tmp_path: Path, text: str
) -> None:
    data = await read(list_updates, tmp_path, text)
    assert data["updates"] == []
    assert data["notes"] == ["`shop`: no version headings (`## [1.0.0] - 2026-01-31`) in it"]


async def test_a_file_that_is_no_text_is_no_crash(
    list_updates: ListUpdates, tmp_path: Path
) -> None:
    (tmp_path / "CHANGELOG.md").write_bytes(b"## 1.0 \xff\xfe\n- caf\xe9\n")
    assert (await list_updates(SOURCE)).data["total"] == 1


async def test_a_folder_in_place_of_the_file_is_a_missing_file(
    list_updates: ListUpdates, tmp_path: Path
) -> None:
    (tmp_path / "CHANGELOG.md").mkdir()
    own = {"name": "lycatra", "kind": "changelog"}
    assert (await list_updates([*SOURCE, own])).data["notes"] == ["`shop`: its file is missing"]
