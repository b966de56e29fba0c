"""What is asked of logs, and what may be read of them, whatever they are."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from lycatra_appservice.errors import InvalidArgumentsError, NotAllowedError, ToolFailedError
from lycatra_appservice.toolkit.base import Audience
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.tools.logs._settings import LogsSettings
from tests.support.toolbench import VIEWER, bench
from tests.unit.tools.logs.conftest import SearchLogs, shop, texts, write

DAY = "2026-11-22"  # whose noon it is


async def test_the_newest_entries_come_first_with_times_of_the_zone(
    search_logs: SearchLogs, tmp_path: Path
) -> None:
    write(tmp_path / "shop.log", f"{DAY}T10:00:00Z INFO one", f"{DAY}T11:00:00Z ERROR two")
    write(tmp_path / "wiki.log", f"{DAY}T10:30:00Z between")
    wiki = {"name": "wiki", "kind": "file", "path": "wiki.log"}

    result = await search_logs(shop(), wiki, zone="Europe/Berlin")

    assert result.data["entries"] == [
        {
            "source": "shop",
            "time": "2026-11-22T12:00:00+01:00",
            "level": "error",
            "text": "ERROR two",
        },
        {"source": "wiki", "time": "2026-11-22T11:30:00+01:00", "level": None, "text": "between"},
        {
            "source": "shop",
            "time": "2026-11-22T11:00:00+01:00",
            "level": "info",
            "text": "INFO one",
        },
    ]
    assert "2026-11-22 12:00:00  shop  ERROR two" in result.markdown
    assert "times in Europe/Berlin" in result.markdown
    assert result.note == "only the last 24 hours were looked at; ask with since=7d for more"


@pytest.mark.parametrize(
    ("since", "found"),
    [
        ("30m", []),
        ("1h", ["at eleven"]),
        ("2 h", ["at eleven", "at ten"]),
        ("today", ["at eleven", "at ten"]),
        ("yesterday", ["at eleven", "at ten", "the day before"]),
        ("2026-11-22T11:00", ["at eleven", "at ten"]),  # in Berlin
        ("2026-11-22 11:00Z", ["at eleven"]),
        ("2026-11-01", ["at eleven", "at ten", "the day before", "a week ago"]),
        ("2w", ["at eleven", "at ten", "the day before", "a week ago"]),
        ("", ["at eleven", "at ten", "the day before"]),
    ],
)
async def test_since_takes_spans_days_and_moments(
    search_logs: SearchLogs, tmp_path: Path, since: str, found: list[str]
) -> None:
    write(
        tmp_path / "shop.log",
        "2026-11-15T10:00:00Z a week ago",
        "2026-11-21T20:00:00Z the day before",
        "2026-11-22T10:00:00Z at ten",
        "2026-11-22T11:00:00Z at eleven",
    )

    assert texts(await search_logs(shop(), zone="Europe/Berlin", since=since)) == found


async def test_until_leaves_out_what_is_newer(search_logs: SearchLogs, tmp_path: Path) -> None:
    write(tmp_path / "shop.log", f"{DAY}T10:00:00Z before", f"{DAY}T11:00:00Z after")

    assert texts(await search_logs(shop(), until="1h")) == ["before"]


@pytest.mark.parametrize(
    "words", ["soon", "5", "2026-13-01", "2026-02-30", "1y", "2026-11-22T25:00"]
)
@pytest.mark.parametrize("argument", ["since", "until"])
async def test_what_is_no_time_is_refused_with_examples(
    search_logs: SearchLogs, tmp_path: Path, argument: str, words: str
) -> None:
    write(tmp_path / "shop.log", f"{DAY}T10:00:00Z one")

    with pytest.raises(InvalidArgumentsError) as refused:
        await search_logs(shop(), **{argument: words})

    assert argument in refused.value.user_message


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("payment", ["PAYMENT refused for order 7", "order 6: payment taken"]),
        ("7 payment", ["PAYMENT refused for order 7"]),
        ('"order 7"', ["PAYMENT refused for order 7"]),
        ('"7 order"', []),
        ("pay.*", []),  # words, and no expressions
        ("(", []),
    ],
)
async def test_all_words_have_to_stand_in_an_entry(
    search_logs: SearchLogs, tmp_path: Path, query: str, found: list[str]
) -> None:
    write(
        tmp_path / "shop.log",
        f"{DAY}T10:00:00Z order 6: payment taken",
        f"{DAY}T10:01:00Z PAYMENT refused for order 7",
    )

    assert texts(await search_logs(shop(), query=query)) == found


@pytest.mark.parametrize(
    ("level", "found"),
    [
        ("error", ["panic", "word", "bracket", "key", "json", "klog", "capital"]),
        ("warning", ["pino", "warn"]),
        ("info", ["plain", "none wrong"]),
    ],
)
async def test_levels_are_read_in_every_usual_form(
    search_logs: SearchLogs, tmp_path: Path, level: str, found: list[str]
) -> None:
    lines = {
        "capital": "ERROR capital",
        "klog": "E1122 10:00:00.000 klog",
        "json": '{"time": "2026-11-22T10:00:00Z", "level": "error", "msg": "json"}',
        "key": 'level=error msg="key"',
        "bracket": "[error] bracket",
        "word": "word: connection refused",
        "panic": "kernel panic",
        "warn": "WARN warn",
        "pino": '{"time": 1795341600000, "level": 40, "msg": "pino"}',
        "none wrong": "INFO none wrong, 0 errors",
        "plain": "[info] plain",
        "silent": "DEBUG silent",
        "unknown": "nobody knows",
    }
    stamped = [
        line if line.startswith("{") else f"{DAY}T10:00:00Z {line}" for line in lines.values()
    ]
    write(tmp_path / "shop.log", *stamped)

    said = texts(await search_logs(shop(), level=level))
    worse = texts(await search_logs(shop(), level="warning")) if level == "info" else []

    for name in found:
        assert any(name in text for text in said), name
    assert not any("silent" in text or "nobody knows" in text for text in said)
    assert set(worse) <= set(said)


async def test_a_page_says_how_to_ask_on_and_the_next_one_goes_on(
    search_logs: SearchLogs, tmp_path: Path
) -> None:
    write(tmp_path / "shop.log", *(f"{DAY}T10:00:{second:02}Z {second}" for second in range(30)))

    first = await search_logs(shop(), limit=20)
    second = await search_logs(shop(), limit=20, offset=20)

    assert first.note == "older ones left out; ask with offset=20"
    assert texts(first) + texts(second) == [str(number) for number in reversed(range(30))]


async def test_long_entries_make_a_page_shorter_and_nothing_is_lost(
    search_logs: SearchLogs, tmp_path: Path
) -> None:
    long = "x" * 3000
    write(tmp_path / "shop.log", *(f"{DAY}T10:00:{each:02}Z {each} {long}" for each in range(20)))

    first = await search_logs(shop(), limit=20)

    shown = len(texts(first))
    assert 0 < shown < 20
    assert first.note == f"older ones left out; ask with offset={shown}"
    assert all(text.endswith("…") for text in texts(first))
    assert texts(await search_logs(shop(), offset=shown))[0].startswith(f"{19 - shown} ")


async def test_context_is_what_was_written_around(search_logs: SearchLogs, tmp_path: Path) -> None:
    write(
        tmp_path / "shop.log", *(f"{DAY}T10:00:{each:02}Z line {each}" for each in range(10, 20))
    )

    [entry] = (await search_logs(shop(), query='"line 15"', context=2)).data["entries"]

    assert entry["before"] == ["line 13", "line 14"]
    assert entry["after"] == ["line 16", "line 17"]


async def test_a_dead_source_is_named_and_the_others_still_answer(
    search_logs: SearchLogs, tmp_path: Path
) -> None:
    write(tmp_path / "shop.log", f"{DAY}T10:00:00Z here")
    gone = {"name": "gone", "kind": "file", "path": "gone.log"}
    away = {"name": "away", "kind": "folder", "path": "nowhere"}

    result = await search_logs(gone, shop(), away)

    assert texts(result) == ["here"]
    notes = ["`gone`: its file is missing", "`away`: its folder is missing"]
    assert result.data["notes"] == notes
    assert all(note in result.markdown for note in notes)
    assert str(tmp_path) not in result.markdown


async def test_only_dead_sources_are_a_failure_with_the_reasons(search_logs: SearchLogs) -> None:
    with pytest.raises(ToolFailedError) as failed:
        await search_logs(shop())

    said = failed.value.user_message
    assert said == "None of the logs could be read. `shop`: its file is missing."


async def test_a_misspelt_source_is_told_the_likely_one(
    search_logs: SearchLogs, tmp_path: Path
) -> None:
    write(tmp_path / "shop.log", f"{DAY}T10:00:00Z one")

    with pytest.raises(InvalidArgumentsError, match="Did you mean `shop`"):
        await search_logs(shop(), source="shpo")
    assert texts(await search_logs(shop(), source="SHOP")) == ["one"]


# --- what nobody reads


SECRETS = {
    "password=hunter-2-secret": "hunter-2-secret",
    'user logged in with {"password": "hunter 2 secret", "ok": true}': "hunter 2 secret",
    "DB_PASSWORD: hunter-2-secret": "hunter-2-secret",
    "Authorization: Bearer abcdefgh12345678": "abcdefgh12345678",
    "authorization=Basic aHVudGVyOmh1bnRlcg==": "aHVudGVyOmh1bnRlcg",
    "Set-Cookie: sid=abcdef; theme=dark": "abcdef",
    "GET /?access_token=abcdef123&x=1 HTTP/1.1": "abcdef123",
    "postgres://app:hunter2@db/app": "hunter2",
    "jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl": "eyJzdWIiOiIxIn0",
    "pushed with ghp_abcdefghijklmnopqrstuvwxyz0123456789": "ghp_abcdef",
    "api-key='abc def'": "abc def",
    "mail to jane.doe@example.org": "jane.doe",
    '{"time": "2026-11-22T10:00:00Z", "msg": "x", "auth": {"client_secret": "s3cr3t"}}': "s3cr3t",
    '{"time": "2026-11-22T10:00:00Z", "msg": "x", "token": "two words"}': "words",
    'escaped {\\"password\\":\\"hunter2\\",\\"a\\":1}': "hunter2",
}


@pytest.mark.parametrize("line", SECRETS)
async def test_what_looks_secret_is_not_shown_anywhere(
    search_logs: SearchLogs, tmp_path: Path, line: str
) -> None:
    stamped = line if line.startswith("{") else f"{DAY}T10:00:00Z {line}"
    write(tmp_path / "shop.log", f"{DAY}T09:59:59Z {line}", stamped, f"{DAY}T10:00:01Z {line}")

    result = await search_logs(shop(), context=1)

    assert len(result.data["entries"]) == 3
    assert SECRETS[line] not in f"{result.data}{result.markdown}{result.note}"
    assert "***" in result.markdown


async def test_a_secret_cannot_be_found_out_by_guessing_it(
    search_logs: SearchLogs, tmp_path: Path
) -> None:
    write(tmp_path / "shop.log", f"{DAY}T10:00:00Z login password=hunter2")

    assert texts(await search_logs(shop(), query="login")) == ["login password=***"]
    assert texts(await search_logs(shop(), query="hunter")) == []


async def test_operators_say_what_else_is_hidden(search_logs: SearchLogs, tmp_path: Path) -> None:
    write(tmp_path / "shop.log", f"{DAY}T10:00:00Z customer 12345 paid")

    result = await search_logs(shop(), hide=(r"customer \d+",))

    assert texts(result) == ["*** paid"]


async def test_nothing_in_a_log_leaves_its_block(search_logs: SearchLogs, tmp_path: Path) -> None:
    write(
        tmp_path / "shop.log",
        f"{DAY}T10:00:00Z ``` @room **bold** <script>\x1b[31mred\x1b[0m \u202eright\u202c",
    )

    result = await search_logs(shop())

    assert texts(result) == ["``` @room **bold** <script>red right"]
    assert result.markdown.count("```") == 2


async def test_only_operators_may_ask_and_only_who_asked_reads_it(tmp_path: Path) -> None:
    tool = discover().tool("search_logs")
    assert tool is not None
    assert tool.audience is Audience.ASKER
    async with bench(registry=discover()) as on:
        with pytest.raises(NotAllowedError):
            await on.toolbox(VIEWER).call("search_logs", {})


@pytest.mark.parametrize(
    ("section", "reason"),
    [
        ({"sources": [shop(), shop("other.log")]}, "two sources are called 'shop'"),
        (
            {"sources": [{"name": "x", "kind": "docker"}]},
            "either a container or a compose project",
        ),
        (
            {"sources": [{"name": "x", "kind": "docker", "project": "shop"}]},
            "a project and a compose_name together",
        ),
        ({"sources": [{"name": "x", "kind": "journald", "units": ["--all"]}]}, "pattern"),
        ({"sources": [{"name": "x", "kind": "folder", "path": ".", "glob": "../*"}]}, "pattern"),
        ({"hide": ["("]}, "no regular expression"),
    ],
)
def test_wrong_settings_are_refused(section: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        LogsSettings.model_validate(section)
