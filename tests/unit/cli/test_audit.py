"""`lycatra audit`: lines for people, JSON lines for programs, beside the running service."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lycatra_appservice.audit.entry import Entry, Ruling
from lycatra_appservice.audit.trail import AuditTrail
from lycatra_appservice.db.migrate import migrate
from lycatra_appservice.db.open import open_database
from lycatra_appservice.db.statements import parse_statement
from lycatra_appservice.model import Face, RoomID, UserID
from tests.support.config_folder import WITHOUT_TOKENS, write_config
from tests.unit.cli.conftest import Lycatra

URL = "sqlite:///data/lycatra.db"
DONE = Entry(
    call="c1",
    person=UserID("@bob:hs.test"),
    face=Face.AGENT,
    tool="list_updates",
    ruling=Ruling.ALLOWED,
    outcome="ok",
    room_id=RoomID("!room"),
    trigger_id="$asked",
    took_ms=1234,
    arguments='{"limit": 3}',
    arguments_hash="0" * 32,
    approval="K7QF",
    approvers=(UserID("@carol:hs.test"),),
    reference="abcd",
)


async def _keep(entries: Sequence[Entry], age: timedelta) -> None:
    seconds = iter([0.0] * len(entries))
    opened = await open_database(URL)
    try:
        await migrate(opened.database)
        trail = AuditTrail(
            opened.database,
            linger=timedelta(hours=1),
            monotonic=lambda: next(seconds, age.total_seconds()),
        )
        async with trail:
            for entry in entries:
                await trail.note(entry)
    finally:
        await opened.database.close()


@pytest.fixture(autouse=True)
def config(folder: Path) -> Path:
    """A configuration with the default database, in a time zone that is not UTC."""
    (folder / "data").mkdir()
    return write_config(folder, f"{WITHOUT_TOKENS}timezone: Asia/Kathmandu\n")


def keep(*entries: Entry, age: timedelta = timedelta(0)) -> None:
    """Have these in the audit, as if so long ago."""
    asyncio.run(_keep(entries, age))


def several(number: int, **more: Any) -> list[Entry]:
    return [replace(DONE, call=f"n{n}", **more) for n in range(number)]


def test_a_line_tells_who_what_and_what_came_of_it(lycatra: Lycatra) -> None:
    keep(DONE, replace(DONE, call="c2", arguments=None, ruling=Ruling.DENIED, outcome=""))

    outcome = lycatra("audit")

    assert (outcome.code, outcome.err) == (0, "")
    first, second = outcome.out.splitlines()
    for words in ("@bob:hs.test", "list_updates limit=3", "allowed ok", "by @carol:hs.test"):
        assert words in first
    assert "approval K7QF" in first
    assert "reference abcd" in first
    assert first.endswith("1.2 s")
    assert "list_updates …" in second
    assert "denied" in second


def test_the_export_has_every_field_of_every_entry_the_oldest_first(lycatra: Lycatra) -> None:
    keep(*several(600), DONE)

    lines = [json.loads(line) for line in lycatra("audit", "--json").out.splitlines()]

    assert [line["call"] for line in lines] == [*(f"n{n}" for n in range(600)), "c1"]
    kept = lines[-1]
    assert kept.pop("id") == 601
    assert kept.pop("at").endswith("Z")
    assert kept == {
        "call": "c1",
        "person": "@bob:hs.test",
        "face": "agent",
        "room": "!room",
        "trigger": "$asked",
        "tool": "list_updates",
        "arguments": {"limit": 3},
        "arguments_hash": "0" * 32,
        "decision": "allowed",
        "outcome": "ok",
        "took_ms": 1234,
        "approval": "K7QF",
        "approvers": ["@carol:hs.test"],
        "reference": "abcd",
    }


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        ([], 50),
        (["--limit", "3"], 3),
        (["--limit", "0"], 70),
        (["--since", "2h"], 70),
        (["--since", "2h", "--limit", "4"], 4),
        (["--json"], 70),
        (["--json", "--limit", "5"], 5),
        (["--person", "@bob"], 50),
        (["--person", "bob", "--json"], 70),
        (["--person", "@bob:hs.test", "--json"], 70),
        (["--person", "bob:hs.test", "--json"], 70),
        (["--person", "@bo", "--json"], 0),
        (["--person", "@bob:elsewhere.org", "--json"], 0),
        (["--tool", "list updates", "--json"], 70),
        (["--tool", "list", "--json"], 0),
    ],
)
def test_what_is_wanted_is_what_is_shown(
    lycatra: Lycatra, words: Sequence[str], lines: int
) -> None:
    keep(*several(70))

    outcome = lycatra("audit", *words)

    assert (outcome.code, len(outcome.out.splitlines())) == (0, lines)


@pytest.mark.parametrize(
    ("since", "found"),
    [
        ("30m", 1),
        ("2h", 1),
        ("3h", 2),
        ("2d", 3),
        ("1w", 3),
        ("1970-01-01", 3),
        ("1970-01-01T08:00", 3),
        ("2099-01-01", 0),
    ],
)
def test_since_takes_spans_and_moments(lycatra: Lycatra, since: str, found: int) -> None:
    for n, hours in enumerate([25, 2.5, 0.1]):
        keep(replace(DONE, call=f"c{n}"), age=timedelta(hours=hours))

    assert len(lycatra("audit", "--since", since).out.splitlines()) == found


def test_a_moment_is_of_the_configured_time_zone(lycatra: Lycatra) -> None:
    keep(DONE)
    day, minute = lycatra("audit").out.split()[:2]

    assert lycatra("audit", "--since", f"{day}T{minute}").out
    assert not lycatra("audit", "--since", f"{day}T{minute}Z").out  # hours later: it is ahead


@pytest.mark.parametrize(
    "words",
    [
        ["--since", "yesterday"],
        ["--since", "99999999d"],
        ["--since", "999999w"],
        ["--limit", "many"],
        ["--limit", "-1"],
    ],
)
def test_what_cannot_be_understood_is_exit_code_2(lycatra: Lycatra, words: Sequence[str]) -> None:
    keep(DONE)

    outcome = lycatra("audit", *words)

    assert (outcome.code, outcome.out) == (2, "")
    assert words[1] in outcome.err


def test_without_a_database_one_sentence_says_so(lycatra: Lycatra, folder: Path) -> None:
    outcome = lycatra("audit")

    assert outcome.code == 1
    assert "there is no database yet" in outcome.err
    assert not list((folder / "data").iterdir())


def test_a_database_from_before_is_left_as_it_is(lycatra: Lycatra, folder: Path) -> None:
    (folder / "data" / "lycatra.db").touch()

    outcome = lycatra("audit")

    assert outcome.code == 1
    assert "lycatra migrate" in outcome.err


def test_a_database_of_a_newer_version_is_refused(lycatra: Lycatra) -> None:
    keep(DONE)

    async def age() -> None:
        opened = await open_database(URL)
        text = "INSERT INTO schema_version (version, compat) VALUES (999, 999)"
        await opened.database.execute(parse_statement("newer", text))
        await opened.database.close()

    asyncio.run(age())

    outcome = lycatra("audit")
    assert outcome.code == 1
    assert "newer" in outcome.err


def test_nothing_found_is_no_failure(lycatra: Lycatra) -> None:
    lycatra("migrate")

    for words in ((), ("--json",), ("--tool", "nope")):
        outcome = lycatra("audit", *words)
        assert (outcome.code, outcome.out, outcome.err) == (0, "", "nothing found\n")


def test_a_terminal_is_not_told_what_to_do(lycatra: Lycatra) -> None:
    keep(replace(DONE, arguments=json.dumps({"x": "\x1b[2J\u202e"}, ensure_ascii=False)))

    out = lycatra("audit").out

    assert "\x1b" not in out
    assert "\u202e" not in out


def test_who_reads_only_the_beginning_gets_no_traceback(folder: Path) -> None:
    keep(*several(5000))
    reader = subprocess.Popen(
        [sys.executable, "-m", "lycatra_appservice", "audit", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert reader.stdout is not None
    assert reader.stderr is not None
    assert reader.stdout.readline()
    reader.stdout.close()

    assert reader.stderr.read() == b""
    reader.stderr.close()
    assert reader.wait(30) == 0
