"""Deploy logs: one JSON object a line."""

import json
from pathlib import Path

import pytest

from tests.unit.tools.updates.conftest import ListUpdates

SOURCE = {"name": "deploys", "kind": "deploy_log", "path": "deploys.jsonl"}


async def test_a_field_map_reads_a_log_of_any_make(
    list_updates: ListUpdates, tmp_path: Path
) -> None:
    record = {
        "app": {"name": "shop"},
        "image": {"tag": 12},
        "ts": 1795341600,
        "message": "Rolled out",
        "notes": "- one\n* two\n\n## three\n",
        "link": "https://ci.example/12",
    }
    (tmp_path / "deploys.jsonl").write_text(json.dumps(record))
    fields = {
        "service": "app.name",
        "version": "image.tag",
        "date": "ts",
        "title": "message",
        "changes": "notes",
        "url": "link",
    }

    result = await list_updates([{**SOURCE, "fields": fields}])

    assert result.data["updates"] == [
        {
            "service": "shop",
            "version": "12",
            "title": "Rolled out",
            "date": "2026-11-22T10:00:00+00:00",
            "kind": "deployment",
            "changes": ["one", "two", "three"],
            "url": "https://ci.example/12",
        }
    ]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00+00:00"),
        ("2026-11-22T10:00:00.123+02:00", "2026-11-22T08:00:00+00:00"),
        ("2026-11-22 10:00", "2026-11-22T10:00:00+00:00"),
        ("2026-11-22", "2026-11-22"),
        (1795341600, "2026-11-22T10:00:00+00:00"),
        (1795341600000, "2026-11-22T10:00:00+00:00"),
        (1795341600.5, "2026-11-22T10:00:00+00:00"),
        (10**300, None),
        (-(10**17), None),
        ("9999-12-31T23:59:59-12:00", None),
        ("0001-01-01", "0001-01-01"),
        ("yesterday", None),
        (True, None),
        (None, None),
        ([], None),
    ],
)
async def test_dates_are_read_in_every_usual_form(
    list_updates: ListUpdates, tmp_path: Path, written: object, shown: str | None
) -> None:
    (tmp_path / "deploys.jsonl").write_text(json.dumps({"version": "1", "date": written}))
    [update] = (await list_updates([SOURCE])).data["updates"]
    assert update["date"] == shown


async def test_bad_lines_are_counted_and_the_others_read(
    list_updates: ListUpdates, tmp_path: Path
) -> None:
    lines = [
        '{"version": "1", "service": "shop"}',
        "",
        "not json",
        "[1, 2]",
        "null",
        '{"date": "2026-11-22"}',
        '{"version": {"a": 1}, "title": ["x"]}',
        "[" * 60_000,
        '{"version": "' + "x" * 70_000 + '"}',
        '{"version": NaN}',
        '{"version": "2", "changes": 7, "service": null}',
    ]
    (tmp_path / "deploys.jsonl").write_text("\n".join(lines))

    result = await list_updates([SOURCE])

    assert [update["version"] for update in result.data["updates"]] == ["1", "nan", "2"]
    assert [update["service"] for update in result.data["updates"]][::2] == ["shop", "deploys"]
    assert result.data["notes"] == ["`deploys`: 7 lines could not be read"]


async def test_of_a_huge_log_the_newest_lines_are_read(
    list_updates: ListUpdates, tmp_path: Path
) -> None:
    filler = json.dumps({"version": "old", "padding": "x" * 50_000})
    with (tmp_path / "deploys.jsonl").open("w") as file:
        file.writelines(f"{filler}\n" for _ in range(60))
        file.write(json.dumps({"version": "newest", "date": "2026-11-22"}))

    result = await list_updates([SOURCE])

    assert result.data["updates"][0]["version"] == "newest"
    assert result.data["total"] < 60
    assert result.data["notes"] == []
