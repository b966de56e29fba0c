"""Files and folders: read from their end, with what was rotated, and nothing outside."""

import gzip
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from lycatra_appservice.errors import ToolFailedError
from lycatra_appservice.tools.logs._settings import FileSource
from lycatra_appservice.tools.logs._sources import backwards, files
from lycatra_appservice.tools.logs._sources.reading import Place
from lycatra_appservice.tools.logs._wanted import Wanted
from tests.unit.tools.logs.conftest import SearchLogs, Source, shop, texts, touch, write

DAY = "2026-11-22"
YESTERDAY = datetime(2026, 11, 21, 23, 0, tzinfo=UTC)


def everything_since(moment: datetime) -> Wanted:
    return Wanted(
        query="", since=moment, until=None, severity=None, most=9, context=0, conceal=str
    )


def folder(**more: object) -> Source:
    return {"name": "all", "kind": "folder", "path": "logs", **more}


# --- how lines become entries


async def test_a_traceback_is_one_entry_and_its_words_are_found(
    search_logs: SearchLogs, tmp_path: Path
) -> None:
    traceback = [
        f"{DAY} 10:00:00,123 worker failed",
        "Traceback (most recent call last):",
        '  File "shop.py", line 7, in pay',
        "    raise ValueError(order)",
        "ValueError: no such order",
    ]
    write(tmp_path / "shop.log", f"{DAY} 09:00:00 fine", *traceback, f"{DAY} 11:00:00 fine again")

    [found] = texts(await search_logs(shop(), query="ValueError"))

    assert found.splitlines() == ["worker failed", *traceback[1:]]


async def test_a_long_traceback_keeps_its_beginning_and_its_end(
    search_logs: SearchLogs, tmp_path: Path
) -> None:
    frames = [f"  frame {number}" for number in range(100)]
    write(tmp_path / "shop.log", f"{DAY} 10:00:00 failed", *frames)

    [found] = texts(await search_logs(shop()))

    lines = found.splitlines()
    assert (lines[0], lines[-1]) == ("failed", "  frame 99")
    assert "… 61 lines …" in lines


async def test_a_line_without_a_time_has_the_one_above_it(
    search_logs: SearchLogs, tmp_path: Path
) -> None:
    write(tmp_path / "shop.log", f"{DAY} 10:00:00 one", "two", f"{DAY} 11:00:00 three")

    entries = (await search_logs(shop())).data["entries"]

    assert [each["text"] for each in entries] == ["three", "two", "one"]
    assert entries[1]["time"] == "2026-11-22T10:00:00+00:00"


async def test_a_log_that_says_no_times_is_read_all_the_same(
    search_logs: SearchLogs, tmp_path: Path
) -> None:
    write(tmp_path / "shop.log", *(f"line {number}" for number in range(1000)))

    result = await search_logs(shop(), limit=2)

    assert texts(result) == ["line 999", "line 998"]
    assert {each["time"] for each in result.data["entries"]} == {None}
    assert texts(await search_logs(shop(), query='"line 3"', limit=1)) == ["line 399"]


@pytest.mark.parametrize(
    ("line", "time"),
    [
        ("2026-11-22T10:00:00.5+02:00 x", "08:00:00"),
        ("[2026-11-22 10:00:00,123] x", "09:00:00"),  # of the zone, Berlin
        ("2026/11/22 10:00:00 [error] x", "09:00:00"),
        ('10.0.0.1 - - [22/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 x', "10:00:00"),
        ("Nov 22 10:00:00 host app[1]: x", "09:00:00"),
        ("E1122 10:00:00.123456 1 main.go:7] x", "09:00:00"),
        ('{"@timestamp": "2026-11-22T10:00:00Z", "message": "x"}', "10:00:00"),
        ('{"ts": 1795341600.25, "msg": "x"}', "10:00:00"),
    ],
)
async def test_times_are_read_in_every_usual_form(
    search_logs: SearchLogs, tmp_path: Path, line: str, time: str
) -> None:
    write(tmp_path / "shop.log", line)

    [entry] = (await search_logs(shop(), zone="Europe/Berlin")).data["entries"]

    moment = datetime.fromisoformat(entry["time"]).astimezone(UTC)
    assert moment.strftime("%Y-%m-%d %H:%M:%S") == f"{DAY} {time}"


async def test_a_day_without_a_year_is_never_one_to_come(
    search_logs: SearchLogs, tmp_path: Path
) -> None:
    write(tmp_path / "shop.log", "Dec 24 10:00:00 host app: last Christmas")

    assert texts(await search_logs(shop(), since="2026-11-01")) == []
    [entry] = (await search_logs(shop(), since="2025-12-01")).data["entries"]
    assert entry["time"] == "2025-12-24T10:00:00+00:00"


@pytest.mark.parametrize(
    "line",
    [
        "9999-99-99T99:99:99Z odd",
        "0001-01-01T00:00:00+14:00 odd",
        "9999-12-31T23:59:59-14:00 odd",
        "Feb 30 10:00:00 odd",
        '{"time": 1e400, "level": NaN, "msg": "odd"}',
        '{"time": {"a": [1]}, "level": ["x"], "msg": "odd"}',
        '{"odd": ' + "[" * 5000,
        '{"time": "2026-11-22T10:00:00Z", "msg": "od',
    ],
)
async def test_odd_lines_are_read_as_they_are(
    search_logs: SearchLogs, tmp_path: Path, line: str
) -> None:
    write(tmp_path / "shop.log", line)

    [found] = texts(await search_logs(shop(), since="9w"))

    assert "od" in found


async def test_any_bytes_become_text(search_logs: SearchLogs, tmp_path: Path) -> None:
    path = tmp_path / "shop.log"
    raw = b"2026-11-22T10:00:00Z caf\xc3\xa9 \xff\xfe\x00\x07 end\r\n"
    path.write_bytes(raw + b"2026-11-22T10:00:01Z no newline at the end")
    touch(path, datetime(2026, 11, 22, 12, 0, tzinfo=UTC))

    assert texts(await search_logs(shop())) == ["no newline at the end", "café \ufffd\ufffd end"]


# --- how much is read


async def test_a_long_file_is_read_from_its_end_and_says_so(
    search_logs: SearchLogs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MOST_BYTES", 100_000)
    lines = [f"{DAY}T10:00:00Z {number:06} {'x' * 50}" for number in range(10_000)]
    write(tmp_path / "shop.log", *lines)

    result = await search_logs(shop(), query="009999")
    nothing = await search_logs(shop(), query="000001")

    assert texts(result) == [f"009999 {'x' * 50}"]
    assert texts(nothing) == []
    assert nothing.data["notes"] == ["`shop`: it is so long that only its newest part was read"]


def test_reading_ends_in_time_with_what_there_is(tmp_path: Path) -> None:
    write(tmp_path / "shop.log", *(f"{DAY}T10:00:00Z {number}" for number in range(100_000)))
    now = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    late = Place(folder=tmp_path, now=now, zone=ZoneInfo("UTC"), deadline=time.monotonic() - 1)

    reading = files.read_file(FileSource.model_validate(shop()), late, everything_since(YESTERDAY))

    assert reading.found == []
    [note] = reading.notes
    assert note.startswith("it is so long that only its newest part was read")


async def test_lines_are_whole_across_the_borders_of_what_is_read_at_once(
    search_logs: SearchLogs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backwards, "_BLOCK", 7)
    write(tmp_path / "shop.log", f"{DAY}T10:00:00Z äöü", f"{DAY}T10:00:01Z second")

    assert texts(await search_logs(shop())) == ["second", "äöü"]


async def test_a_line_without_an_end_is_cut(search_logs: SearchLogs, tmp_path: Path) -> None:
    write(tmp_path / "shop.log", f"{DAY}T10:00:00Z first {'x' * 5_000_000}")

    [found] = texts(await search_logs(shop()))

    assert found.startswith("first xxx")
    assert len(found) < 2000


# --- rotated files


async def test_rotated_and_packed_files_go_on_where_the_newest_ends(
    search_logs: SearchLogs, tmp_path: Path
) -> None:
    write(tmp_path / "shop.log", f"{DAY}T10:00:00Z newest")
    write(tmp_path / "shop.log.1", "2026-11-21T22:00:00Z rotated", changed=YESTERDAY)
    packed = tmp_path / "shop.log.2.gz"
    packed.write_bytes(gzip.compress(b"2026-11-21T21:00:00Z packed\n"))
    touch(packed, YESTERDAY)
    dated = tmp_path / "shop.log-20261121"
    write(dated, "2026-11-21T20:00:00Z dated", changed=YESTERDAY)
    write(tmp_path / "shop.log.bak", f"{DAY}T10:00:00Z of somebody")
    write(tmp_path / "shop.logic", f"{DAY}T10:00:00Z of somebody else")

    result = await search_logs(shop())

    assert texts(result) == ["newest", "rotated", "packed", "dated"]
    assert [each.get("from") for each in result.data["entries"]] == [
        None,
        "shop.log.1",
        "shop.log.2.gz",
        "shop.log-20261121",
    ]


async def test_files_that_ended_before_are_not_opened(
    search_logs: SearchLogs, tmp_path: Path
) -> None:
    write(tmp_path / "shop.log", f"{DAY}T10:00:00Z newest")
    old = tmp_path / "shop.log.1.gz"
    old.write_bytes(b"no gzip at all")
    touch(old, datetime(2026, 11, 1, tzinfo=UTC))

    assert (await search_logs(shop())).data["notes"] == []
    noted = await search_logs(shop(), since="9w")
    assert noted.data["notes"] == ["`shop`: `shop.log.1.gz` holds no text"]


async def test_what_unpacks_without_end_is_given_up(
    search_logs: SearchLogs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backwards, "_MOST_UNPACKED", 1_000_000)
    write(tmp_path / "shop.log", f"{DAY}T10:00:00Z newest")
    bomb = tmp_path / "shop.log.1.gz"
    bomb.write_bytes(gzip.compress(b"x\n" * 5_000_000))
    touch(bomb, YESTERDAY)

    result = await search_logs(shop())

    assert texts(result) == ["newest"]
    assert result.data["notes"] == ["`shop`: `shop.log.1.gz` is too long to be unpacked"]


# --- folders, and what is not in them


async def test_all_files_of_a_folder_are_one_log(search_logs: SearchLogs, tmp_path: Path) -> None:
    write(tmp_path / "logs" / "a.log", f"{DAY}T10:00:00Z of a")
    write(tmp_path / "logs" / "deep" / "b.log", f"{DAY}T11:00:00Z of b")
    write(tmp_path / "logs" / "deep" / "b.log.1", f"{DAY}T09:00:00Z of b before")
    write(tmp_path / "logs" / "notes.txt", f"{DAY}T11:00:00Z no log")
    write(tmp_path / "logs" / ".hidden" / "c.log", f"{DAY}T11:00:00Z hidden")

    result = await search_logs(folder())

    found = [(each["text"], each["from"]) for each in result.data["entries"]]
    assert found == [
        ("of b", "deep/b.log"),
        ("of a", "a.log"),
        ("of b before", "deep/b.log.1"),
    ]
    assert texts(await search_logs(folder(glob="*.txt"))) == ["no log"]


async def test_links_that_lead_out_of_the_folder_are_not_followed(
    search_logs: SearchLogs, tmp_path: Path
) -> None:
    write(tmp_path / "outside" / "secret.log", f"{DAY}T10:00:00Z outside")
    write(tmp_path / "logs" / "real.log", f"{DAY}T10:00:00Z inside")
    logs = tmp_path / "logs"
    (logs / "file.log").symlink_to(tmp_path / "outside" / "secret.log")
    (logs / "folder").symlink_to(tmp_path / "outside", target_is_directory=True)
    (logs / "within.log").symlink_to(logs / "real.log")
    (logs / "nowhere.log").symlink_to(tmp_path / "nowhere")

    result = await search_logs(folder())

    assert texts(result) == ["inside", "inside"]  # by its own name, and by the link's
    assert result.data["notes"] == [
        "`all`: `file.log` leads out of its folder, or is no plain file"
    ]


async def test_a_rotated_file_that_leads_elsewhere_is_not_followed(
    search_logs: SearchLogs, tmp_path: Path
) -> None:
    write(tmp_path / "outside.txt", f"{DAY}T10:00:00Z outside")
    write(tmp_path / "logs" / "shop.log", f"{DAY}T11:00:00Z inside")
    (tmp_path / "logs" / "shop.log.1").symlink_to(tmp_path / "outside.txt")

    assert texts(await search_logs(shop("logs/shop.log"))) == ["inside"]


async def test_pipes_and_binary_files_stop_nothing(
    search_logs: SearchLogs, tmp_path: Path
) -> None:
    write(tmp_path / "logs" / "a.log", f"{DAY}T10:00:00Z one")
    os.mkfifo(tmp_path / "logs" / "pipe.log")
    (tmp_path / "logs" / "data.log").write_bytes(bytes(100_000))

    result = await search_logs(folder())

    assert texts(result) == ["one"]
    assert result.data["notes"] == [
        "`all`: `data.log` holds no text",
        "`all`: `pipe.log` leads out of its folder, or is no plain file",
    ]


async def test_a_folder_as_a_file_and_a_folder_without_logs_say_what_is_wrong(
    search_logs: SearchLogs, tmp_path: Path
) -> None:
    (tmp_path / "logs").mkdir()

    with pytest.raises(ToolFailedError, match="its file cannot be read"):
        await search_logs(shop("logs"))
    with pytest.raises(ToolFailedError, match=r"no file in its folder is called `\*\.log`"):
        await search_logs(folder())


# --- what happens while it is read


def test_a_file_that_is_cut_off_while_it_is_read_stops_nothing(tmp_path: Path) -> None:
    path = tmp_path / "shop.log"
    write(path, *(f"{DAY}T10:00:00Z {number:05}" for number in range(20_000)))
    allowance = backwards.Allowance(bytes_left=10_000_000, deadline=time.monotonic() + 60)

    with backwards.opened(path, tmp_path) as file:
        lines = backwards.lines_of(file, allowance, packed=False)
        first = next(lines)
        path.write_text(f"{DAY}T11:00:00Z new\n", "utf-8")  # as `copytruncate` does
        rest = list(lines)

    assert first == ""  # behind the last newline
    assert rest[0] == f"{DAY}T10:00:00Z 19999"
    assert any(f"{DAY}T11:00:00Z new" in line for line in rest)


def test_a_file_that_is_rotated_while_it_is_read_is_read_to_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "shop.log"
    write(path, *(f"{number:05}" for number in range(20_000)))
    allowance = backwards.Allowance(bytes_left=10_000_000, deadline=time.monotonic() + 60)

    with backwards.opened(path, tmp_path) as file:
        lines = backwards.lines_of(file, allowance, packed=False)
        next(lines)
        path.rename(tmp_path / "shop.log.1")
        write(path, "new")

        assert list(lines)[-1] == "00000"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_what_it_may_not_read_says_who_may_not(
    search_logs: SearchLogs, tmp_path: Path
) -> None:
    write(tmp_path / "shop.log", f"{DAY}T10:00:00Z newest")
    (tmp_path / "shop.log").chmod(0)

    with pytest.raises(ToolFailedError, match="may not be read by the user that I run as"):
        await search_logs(shop())


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [("latin-1", "caf\ufffd"), ("utf-8-sig", "café"), ("cp437", "caf\ufffd")],
)
async def test_other_encodings_are_read_as_far_as_they_can_be(
    search_logs: SearchLogs, tmp_path: Path, encoding: str, shown: str
) -> None:
    path = tmp_path / "shop.log"
    path.write_bytes(f"{DAY}T10:00:00Z order of café\n".encode(encoding))
    touch(path, datetime(2026, 11, 22, 12, 0, tzinfo=UTC))

    assert texts(await search_logs(shop(), query="order")) == [f"order of {shown}"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
async def test_encodings_with_empty_bytes_are_told_as_no_text(
    search_logs: SearchLogs, tmp_path: Path, encoding: str
) -> None:
    (tmp_path / "shop.log").write_bytes(f"{DAY}T10:00:00Z order\n".encode(encoding))

    with pytest.raises(ToolFailedError, match="its file holds no text"):
        await search_logs(shop(), since="9w")
