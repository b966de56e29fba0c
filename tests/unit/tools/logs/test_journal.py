"""The systemd journal, by a journalctl that stands in for the real one."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lycatra_appservice.errors import ToolFailedError
from tests.unit.tools.logs.conftest import SearchLogs, Source, texts

# Notes how it was called, then says what stands in a file.
PROGRAM = """#!{python}
import json, pathlib, sys, time
here = pathlib.Path(__file__).parent
(here / "asked.json").write_text(json.dumps(sys.argv[1:]))
said = json.loads((here / "said.json").read_text())
sys.stdout.buffer.write(said["out"].encode("utf-8", "surrogateescape"))
sys.stdout.flush()
sys.stderr.write(said["errors"])
time.sleep(said["seconds"])
sys.exit(said["code"])
"""
MICROSECONDS = 1_795_341_600_000_000  # 10 o'clock


def record(message: Any, seconds: int = 0, **more: Any) -> str:
    moment = MICROSECONDS + seconds * 1_000_000
    said = {"__REALTIME_TIMESTAMP": str(moment), "MESSAGE": message, "PRIORITY": "6"}
    return json.dumps({**said, "SYSLOG_IDENTIFIER": "nginx", **more})


@pytest.fixture
def says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """What journalctl writes, newest first, as with --reverse."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "journalctl"
    program.write_text(PROGRAM.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))

    def prepare(*lines: str, errors: str = "", code: int = 0, seconds: float = 0) -> None:
        out = "".join(f"{line}\n" for line in lines)
        said = {"out": out, "errors": errors, "code": code, "seconds": seconds}
        (folder / "said.json").write_text(json.dumps(said))

    return prepare


def journal(**more: Any) -> Source:
    return {"name": "web", "kind": "journald", "units": ["nginx.service"], **more}


def asked(tmp_path: Path) -> list[str]:
    found: list[str] = json.loads((tmp_path / "bin" / "asked.json").read_text())
    return found


async def test_entries_of_a_unit_have_their_time_level_and_who_wrote_them(
    search_logs: SearchLogs, tmp_path: Path, says: Callable[..., None]
) -> None:
    says(record("died", 5, PRIORITY="3"), record("started"))

    result = await search_logs(journal(), since="3h")

    assert result.data["entries"] == [
        {
            "source": "web",
            "time": "2026-11-22T10:00:05+00:00",
            "level": "error",
            "text": "died",
            "from": "nginx",
        },
        {
            "source": "web",
            "time": "2026-11-22T10:00:00+00:00",
            "level": "info",
            "text": "started",
            "from": "nginx",
        },
    ]
    arguments = asked(tmp_path)
    assert {"--output=json", "--reverse", "--no-pager", "--unit=nginx.service"} <= set(arguments)
    assert f"--since=@{MICROSECONDS // 1_000_000 - 3600}" in arguments
    assert "--user" not in arguments


async def test_the_journal_of_ones_own_user_is_another_one(
    search_logs: SearchLogs, tmp_path: Path, says: Callable[..., None]
) -> None:
    says(record("mine"))

    assert texts(await search_logs(journal(user=True), until="1h")) == ["mine"]
    assert {"--user", "--user-unit=nginx.service"} <= set(asked(tmp_path))
    assert f"--until=@{MICROSECONDS // 1_000_000 + 3600}" in asked(tmp_path)


async def test_words_and_levels_choose(search_logs: SearchLogs, says: Callable[..., None]) -> None:
    says(record("out of disk", 2, PRIORITY="2"), record("disk ok", 1), record("password=abc12345"))

    assert texts(await search_logs(journal(), query="disk", level="error")) == ["out of disk"]
    assert texts(await search_logs(journal(), query="password")) == ["password=***"]


async def test_binary_and_missing_messages_are_read_as_far_as_they_can_be(
    search_logs: SearchLogs, says: Callable[..., None]
) -> None:
    odd = [104, 105, 255, 0, 1, 999, "x"]
    says(record(odd), record(None), '{"MESSAGE": 7, "PRIORITY": "x"}', "no json", "[1]")

    assert texts(await search_logs(journal())) == ["hi\ufffd", "", "7"]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            {"errors": "No journal files were opened due to insufficient permissions.", "code": 1},
            "put it into the group `systemd-journal`",
        ),
        ({"errors": "Failed at /srv/secret", "code": 1}, "journalctl could not read it"),
        ({"seconds": 60}, "did not answer within 0.5 seconds"),
    ],
)
async def test_a_journal_that_cannot_be_read_says_what_to_do(
    search_logs: SearchLogs, says: Callable[..., None], said: Any, reason: str
) -> None:
    says(**said)

    with pytest.raises(ToolFailedError) as failed:
        await search_logs(journal(timeout_seconds=0.5 if "seconds" in said else 10))

    assert reason in failed.value.user_message
    assert "/srv/secret" not in failed.value.user_message


async def test_without_journalctl_it_says_so(
    search_logs: SearchLogs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ToolFailedError, match="journalctl cannot be started here"):
        await search_logs(journal())
