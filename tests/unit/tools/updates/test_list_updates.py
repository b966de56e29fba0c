"""Choosing, ordering and showing updates, whatever source they come from."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lycatra_appservice.errors import InvalidArgumentsError, ToolFailedError
from lycatra_appservice.tools.updates._settings import UpdatesSettings
from lycatra_appservice.words.text import Text
from tests.unit.tools.updates.conftest import ListUpdates

LOG = [{"name": "deploys", "kind": "deploy_log", "path": "deploys.jsonl"}]


def deployed(folder: Path, *records: dict[str, Any]) -> None:
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (folder / "deploys.jsonl").write_text(lines)


@pytest.fixture
def three(tmp_path: Path) -> None:
    deployed(
        tmp_path,
        {"service": "shop", "version": "1.0", "title": "First", "date": "2026-11-01"},
        {"service": "user service", "version": "2.3", "date": "2026-11-20T23:30:00Z"},
        {"service": "shop", "version": "1.1", "title": "Pay by card", "date": "2026-11-15"},
    )


def versions(result: Any) -> list[str]:
    return [update["version"] for update in result.data["updates"]]


async def test_without_settings_it_shows_lycatras_own_changes(list_updates: ListUpdates) -> None:
    result = await list_updates(None)

    assert result.data["total"] >= 1
    assert {update["service"] for update in result.data["updates"]} == {"lycatra"}
    assert result.data["updates"][0]["changes"]


@pytest.mark.usefixtures("three")
async def test_the_newest_update_comes_first(list_updates: ListUpdates) -> None:
    result = await list_updates(LOG)

    assert versions(result) == ["2.3", "1.1", "1.0"]
    assert result.data["updates"][1] == {
        "service": "shop",
        "version": "1.1",
        "title": "Pay by card",
        "date": "2026-11-15",
        "kind": "deployment",
        "changes": [],
        "url": None,
    }
    assert result.note is None


@pytest.mark.usefixtures("three")
async def test_people_read_a_table_with_times_of_their_zone(list_updates: ListUpdates) -> None:
    result = await list_updates(LOG, zone="Europe/Berlin")

    assert result.data["updates"][0]["date"] == "2026-11-21T00:30:00+01:00"
    assert result.markdown.splitlines() == [
        "**Updates** (3, times in Europe/Berlin)",
        "",
        "| When | Service | Version | What |",
        "| --- | --- | --- | --- |",
        "| 2026-11-21 00:30 | user service | 2.3 |  |",
        "| 2026-11-15 | shop | 1.1 | Pay by card |",
        "| 2026-11-01 | shop | 1.0 | First |",
    ]


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ({"service": "shop"}, ["1.1", "1.0"]),
        ({"service": "SHOP"}, ["1.1", "1.0"]),
        ({"since": "2026-11-15"}, ["2.3", "1.1"]),
        ({"since": "7"}, ["2.3", "1.1"]),
        ({"since": 6}, ["2.3"]),
        ({"since": "0"}, []),
        ({"query": "card PAY"}, ["1.1"]),
        ({"query": "card first"}, []),
        ({"limit": 1}, ["2.3"]),
        ({"limit": "1", "offset": "1"}, ["1.1"]),
        ({"offset": 9}, []),
        ({"service": "", "since": "", "query": ""}, ["2.3", "1.1", "1.0"]),
    ],
)
async def test_filters_and_pages_choose(
    list_updates: ListUpdates, args: dict[str, Any], expected: list[str]
) -> None:
    assert versions(await list_updates(LOG, **args)) == expected


@pytest.mark.usefixtures("three")
async def test_a_day_begins_in_the_configured_zone(list_updates: ListUpdates) -> None:
    # 23:30 UTC on the 20th is already the 21st in Berlin.
    assert versions(await list_updates(LOG, zone="Europe/Berlin", since="2026-11-21")) == ["2.3"]
    assert versions(await list_updates(LOG, zone="UTC", since="2026-11-21")) == []


@pytest.mark.usefixtures("three")
async def test_what_is_left_out_is_said_with_the_way_to_it(list_updates: ListUpdates) -> None:
    first = await list_updates(LOG, limit=1)
    beyond = await list_updates(LOG, offset=9)

    assert first.note == "2 older left out; ask with offset=1"
    assert first.markdown.startswith("**Updates** (1 of 3,")
    assert beyond.note == "there are only 3; ask with a smaller offset"


async def test_undated_updates_come_last_and_are_mentioned_when_a_date_is_asked_for(
    list_updates: ListUpdates, tmp_path: Path
) -> None:
    deployed(tmp_path, {"version": "?", "date": "soon"}, {"version": "1", "date": "2026-11-20"})

    assert versions(await list_updates(LOG)) == ["1", "?"]
    result = await list_updates(LOG, since="7")
    assert versions(result) == ["1"]
    assert result.note == "1 without a date left out; ask without `since` to see them"


@pytest.mark.usefixtures("three")
async def test_an_unknown_service_is_answered_with_the_likely_one(
    list_updates: ListUpdates,
) -> None:
    with pytest.raises(InvalidArgumentsError) as caught:
        await list_updates(LOG, service="user servce")
    assert caught.value.user_message == (
        "No source knows a service called `user servce`. Did you mean `user service`?"
    )


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"since": "2026-02-30"}, "`since` 2026-02-30 is not a day of the calendar"),
        (
            {"since": "last week"},
            "`since` must be as described: Days back (7) or first day",
        ),
        ({"limit": 51}, "`limit` must be a whole number from 1 to 50, not `51`"),
        ({"offset": -1}, "`offset` must be a whole number from 0 to 5000"),
        ({"serivce": "shop"}, "did you mean `service`?"),
    ],
)
async def test_bad_arguments_are_explained(
    list_updates: ListUpdates, args: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidArgumentsError) as caught:
        await list_updates(LOG, **args)
    assert words in caught.value.user_message


@pytest.mark.usefixtures("three")
async def test_a_source_that_fails_is_named_while_the_others_answer(
    list_updates: ListUpdates, caplog: pytest.LogCaptureFixture
) -> None:
    gone = {"name": "gone", "kind": "changelog", "path": "secret-folder/CHANGELOG.md"}

    result = await list_updates([*LOG, gone])

    assert len(result.data["updates"]) == 3
    assert result.data["notes"] == ["`gone`: its file is missing"]
    assert result.markdown.endswith("⚠️ `gone`: its file is missing")
    assert "secret-folder" not in str(result)
    [logged] = [r for r in caplog.records if r.message == "update_source_failed"]
    assert logged.levelno == logging.WARNING
    assert "secret-folder" in str(vars(logged)["detail"])


async def test_when_no_source_can_be_read_the_answer_is_no_empty_list(
    list_updates: ListUpdates,
) -> None:
    with pytest.raises(ToolFailedError) as caught:
        await list_updates(LOG)
    assert caught.value.user_message == (
        "None of the sources could be read. `deploys`: its file is missing."
    )


async def test_a_cell_cannot_break_its_table(list_updates: ListUpdates, tmp_path: Path) -> None:
    deployed(tmp_path, {"version": "1|2", "title": "a\n| b |", "date": "2026-11-20"})
    result = await list_updates(LOG)
    assert result.markdown.splitlines()[-1] == "| 2026-11-20 | deploys | 1\\|2 | a \\| b \\| |"


async def test_pages_of_long_updates_are_short_and_skip_none(
    list_updates: ListUpdates, tmp_path: Path
) -> None:
    long = ["x" * 100] * 50
    deployed(tmp_path, *({"version": str(n), "date": n, "changes": long} for n in range(30)))

    shown: list[str] = []
    while len(shown) < 30:
        result = await list_updates(LOG, limit=50, offset=len(shown))
        assert 1 <= len(versions(result)) < 30
        shown += versions(result)
        left = 30 - len(shown)
        assert result.note == (
            f"{left} older left out; ask with offset={len(shown)}" if left else None
        )

    assert shown == [str(n) for n in reversed(range(30))]


async def test_one_endless_update_is_cut(list_updates: ListUpdates, tmp_path: Path) -> None:
    deployed(tmp_path, {"version": "1", "title": "ü" * 400, "changes": ["ü" * 300] * 30})

    result = await list_updates(LOG)

    [update] = result.data["updates"]
    assert update["title"] == "ü" * 300 + "…"
    assert result.note == Text("left_out", n=30 - len(update["changes"]))


@pytest.mark.parametrize(
    "sources",
    [
        [{"name": "a", "kind": "wiki", "path": "x"}],
        [{"name": "a", "kind": "git"}],
        [{"name": "a", "kind": "git", "path": "x", "shwo": "tags"}],
        [{"name": "a", "kind": "url", "url": "file:///etc/passwd"}],
        [{"name": "a", "kind": "changelog"}, {"name": "a", "kind": "changelog"}],
        [{"name": "", "kind": "changelog"}],
    ],
)
def test_settings_with_a_mistake_are_refused(sources: list[dict[str, Any]]) -> None:
    with pytest.raises(ValidationError):
        UpdatesSettings.model_validate({"sources": sources})
