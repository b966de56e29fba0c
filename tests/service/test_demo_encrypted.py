"""`make demo ENCRYPTED=1 SCRIPT=…`: the same four answers, and Synapse has nothing of them."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from lycatra_appservice.model import JSON
from tests.support.synapse import synapse_python

pytestmark = pytest.mark.slow
_EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="lycatra-demo-", ignore_cleanup_errors=True) as name:
        yield Path(name) / "data"


@pytest.fixture(scope="module")
def said(folder: Path) -> str:
    """What the four questions of the example bring."""
    return _play(folder, _EXAMPLES / "first-questions.txt")


@pytest.fixture(scope="module")
def said_again(folder: Path, said: str) -> str:
    """What a second start in the same folder brings, where something has to be approved."""
    return _play(folder, _EXAMPLES / "approvals.txt")


def test_every_line_is_answered_in_the_encrypted_chat(said: str) -> None:
    # Alone with somebody, @lycatra answers for all of its users.
    assert _speakers(said) == ["lycatra", *["you", "lycatra"] * 4]
    answers = [part.partition("\nyou: ")[0] for part in said.split("\nlycatra: ")[1:]]
    service_status, updates, week, last = answers
    assert "All 5 up" in service_status
    assert "shop 2.2.0" in updates
    assert "shop 2.3.0" in week
    assert "shop 2.2.0" not in week  # older than this week
    assert "1 older left out" in last


def test_the_homeserver_has_nothing_of_it_in_clear(said: str, folder: Path) -> None:
    words = ["!get service status", "what changed this week", "Invoices as PDF", "All 5 up"]
    assert words[2] in said
    talk = [event for event in _room_events(folder) if "state_key" not in event]
    assert {event["sender"].split(":")[0] for event in talk} == {"@you", "@lycatra"}
    assert {event["type"] for event in talk} == {"m.room.encrypted"}
    for file in (folder / "synapse").glob("homeserver.db*"):
        for word in (*words, "org.lycatra.reply"):
            assert word.encode() not in file.read_bytes(), (word, file)


def test_at_the_next_start_the_person_approves_there_on_a_new_device(
    said_again: str, folder: Path
) -> None:
    asked = ["you", "lycatra", "you", "lycatra"]
    assert _speakers(said_again) == ["lycatra", *asked, *asked, "you", "lycatra"]
    assert "no key for it" in said_again.splitlines()[0]
    assert "`@you:demo.localhost` denied this, so nothing was done" in said_again
    assert "was restarted" in said_again
    rooms = _rows(folder, "SELECT room_id FROM rooms WHERE creator = '@you:demo.localhost'")
    assert len(rooms) == 1, "the room of the first start was not found again"


def test_no_device_of_the_person_is_left_behind(said_again: str, folder: Path) -> None:
    assert "was restarted" in said_again
    rows = _rows(folder, "SELECT device_id FROM devices WHERE user_id = '@you:demo.localhost'")
    assert rows == []


def _play(folder: Path, script: Path) -> str:
    command = [sys.executable, "-m", "lycatra_appservice", "demo", "--encrypted"]
    command += ["--folder", str(folder), "--script", str(script)]
    command += ["--synapse-python", str(synapse_python())]
    environment = {**os.environ, "LYCATRA_DEMO_MODEL": "offline"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _speakers(said: str) -> Sequence[str]:
    lines = said.splitlines()
    return [line.partition(":")[0] for line in lines if line and not line.startswith(" ")]


def _room_events(folder: Path) -> Sequence[JSON]:
    """All of the chat, as the homeserver has it."""
    rows = _rows(
        folder,
        "SELECT json FROM event_json JOIN room_aliases USING (room_id)"
        " WHERE room_alias = '#demo_secret:demo.localhost'",
    )
    return [json.loads(row[0]) for row in rows]


def _rows(folder: Path, query: str) -> Sequence[tuple[str, ...]]:
    path = folder / "synapse" / "homeserver.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as reader:
        return reader.execute(query).fetchall()
