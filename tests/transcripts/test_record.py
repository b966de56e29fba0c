"""Measuring a real endpoint, which here is the scripted server."""

import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.support.model_server import ModelServer, calls, model_server, says
from tests.transcripts.record import KEY_VARIABLE, measure, read_wish
from tests.transcripts.scripted import script
from tests.transcripts.transcript import FOLDER, load, shipped

ENTRY = """\
# A comment that stays.
- name: wiki
  about: [get_service_status]
  question: Is wiki up?
  calls:
    - call: get_service_status
      with: {service: wiki}
      result: {services: [{name: wiki, ok: true, detail: fine, took_ms: 12}], lycatra: []}
  answer: Yes, wiki is up.
  facts: [[up, fine]]   # however it says so
  never: [down]
"""
CALL = ("get_service_status", '{"service": "wiki"}')


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with model_server() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "some.yaml").write_text(ENTRY, encoding="utf-8")
    return tmp_path


async def run(server: ModelServer, *arguments: str) -> int:
    given = ["--base-url", server.base_url, "--model", "test-model", *arguments]
    return await measure(read_wish(given))


async def test_a_model_that_is_right_is_told_to_be(
    server: ModelServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.will(calls(CALL), says("It is up."))
    assert await run(server, "--folder", str(folder)) == 0
    out = capsys.readouterr().out
    assert "it has test-model" in out
    assert "ok    wiki" in out
    assert "2 requests" in out
    assert "1 of    1 right  100 %" in out


async def test_what_is_wrong_with_an_answer_stands_below_it(
    server: ModelServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.will(calls(("list_updates", "{}")), says("It is down since 12:34."))
    assert await run(server, "--folder", str(folder)) == 1
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines[1].startswith("WRONG wiki")
    assert lines[2:8] == [
        "called list_updates {}, which nobody expects",
        'did not call get_service_status {"service": "wiki"}',
        "does not say: up | fine",
        "must not say: down",
        "says 12:34, which nothing told it",
        "called: list_updates {}",
    ]
    assert lines[8] == "said:   It is down since 12:34."


async def test_a_question_asked_several_times_has_to_be_right_every_time(
    server: ModelServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.will(calls(CALL), says("It is up."), calls(CALL), says("Who knows."))
    assert await run(server, "--folder", str(folder), "--times", "2") == 1
    out = capsys.readouterr().out
    assert "WRONG 1/2 wiki" in out
    assert "does not say: up | fine" in out


async def test_what_was_seen_is_written_beside_what_is_expected(
    server: ModelServer, folder: Path
) -> None:
    before = load(folder)[0]
    server.will(calls(("check", "{}")), calls(CALL), says("Who knows."))
    assert await run(server, "--folder", str(folder), "--write") == 1

    written = (folder / "some.yaml").read_text("utf-8")
    assert written.startswith(ENTRY)  # comments and all
    seen = YAML(typ="safe").load(written)[0]["seen"]["test-model"]
    assert [each["call"] for each in seen["calls"]] == ["check", "get_service_status"]
    assert "check" in seen["calls"][0]["mistake"]
    assert seen["answer"] == "Who knows."
    assert seen["wrong"] == ["does not say: up | fine"]
    assert load(folder)[0].model_copy(update={"seen": {}}) == before

    server.will(calls(CALL), says("It is up."))
    assert await run(server, "--folder", str(folder), "--write") == 0
    again = YAML(typ="safe").load((folder / "some.yaml").read_text("utf-8"))[0]["seen"]
    assert "wrong" not in again["test-model"]


async def test_writing_leaves_the_rest_of_our_own_files_as_it_is(
    server: ModelServer, tmp_path: Path
) -> None:
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True, ignore=_all_but_yaml)
    [transcript] = [each for each in shipped() if each.name == "week"]
    script(server, transcript)
    assert await run(server, "--folder", str(tmp_path), "--only", "week", "--write") == 0

    before, after = _texts(FOLDER), _texts(tmp_path)
    assert [name for name in before if before[name] != after[name]] == ["updates.yaml"]
    lines = after["updates.yaml"].splitlines()
    start = lines.index("  seen:")
    assert lines[start + 1].startswith('    "test-model": {"calls": [{"call": "list_updates"')
    del lines[start : start + 2]
    assert lines == before["updates.yaml"].splitlines()


def _all_but_yaml(_: object, names: Sequence[str]) -> set[str]:
    return {name for name in names if not name.endswith(".yaml")}


def _texts(folder: Path) -> Mapping[str, str]:
    return {file.name: file.read_text("utf-8") for file in sorted(folder.glob("*.yaml"))}


async def test_only_some_are_asked_by_name_or_by_kind(
    server: ModelServer, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = [each for each in shipped() if "asks back" in each.about or each.name == "week"]
    for transcript in chosen:
        script(server, transcript)
    assert await run(server, "--only", "asks back", "--only", "week") == 0
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("ok ")]
    assert [line.split()[1] for line in told] == [each.name for each in chosen]


async def test_a_name_that_is_none_is_told(
    server: ModelServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run(server, "--folder", str(folder), "--only", "nothing-like-it") == 2
    assert "nothing-like-it" in capsys.readouterr().err


async def test_a_server_that_is_not_there_ends_it_with_a_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--base-url", "http://127.0.0.1:9/v1", "--model", "m", "--folder", str(folder)]
    assert await measure(read_wish(given)) == 2
    assert "model" in capsys.readouterr().err


async def test_the_key_comes_from_the_environment_and_is_never_printed(
    server: ModelServer,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "secret-of-the-test")
    server.will(calls(CALL), says("It is up."))
    assert await run(server, "--folder", str(folder)) == 0
    assert server.asked[0].headers["Authorization"] == "Bearer secret-of-the-test"
    printed = capsys.readouterr()
    assert "secret-of-the-test" not in printed.out + printed.err
