"""`lycatra tool`: a tool is made, looked at, checked and tried, from a shell."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lycatra_appservice.toolkit.trial import Trial
from tests.support.config_folder import SMALLEST, WITHOUT_TOKENS, write_config
from tests.support.own_tools import pots, tool
from tests.unit.cli.conftest import Lycatra

CONFIG = SMALLEST + (
    "access: {admin: '@alice:hs.test', viewer: '*:hs.test'}\nown_tools: {paths: [own]}\n"
)


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def installed(folder: Path) -> Path:
    """A folder with a configuration and two tools that work."""
    secret = tool("open_pot", more="level=Level.ADMIN,")
    pots(folder / "own", {"pots/open_pot.py": secret})
    write_config(folder, CONFIG)
    return folder


# --- new


def test_a_new_tool_works_and_its_test_passes_as_written(lycatra: Lycatra, folder: Path) -> None:
    write_config(folder, CONFIG)

    made = lycatra("tool", "new", "weather/get_forecast")

    assert made.code == 0, made.err
    written = [line.removesuffix(" is written") for line in made.out.splitlines()[:3]]
    assert written == [
        "own/weather/__init__.py",
        "own/weather/get_forecast.py",
        "own/tests/test_get_forecast.py",
    ]
    command = [sys.executable, "-m", "unittest", "discover", "-s", "own/tests"]
    tested = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stderr
    assert "Ran 2 tests" in tested.stderr
    assert lycatra("tool", "lint").out == "1 tool fine, no problems\n"
    assert made.out.splitlines()[-1] == "lycatra tool call get_forecast Alice"
    called = lycatra("tool", "call", "get forecast", "Alice", "times=2")
    assert called.out == "Hello Alice! Hello Alice!\n"


def test_a_second_tool_joins_the_namespace_and_no_file_is_written_over(
    lycatra: Lycatra, folder: Path
) -> None:
    write_config(folder, CONFIG)
    lycatra("tool", "new", "weather/get_forecast")
    namespace = folder / "own" / "weather" / "__init__.py"
    namespace.write_text(namespace.read_text().replace('"Weather"', '"Lycatra Weather"'))

    second = lycatra("tool", "new", "weather/list_storms")
    again = lycatra("tool", "new", "weather/list_storms")

    assert "__init__.py" not in second.out
    assert "Lycatra Weather" in namespace.read_text()
    assert (again.code, again.out) == (1, "")
    assert "list_storms.py exists already" in again.err
    assert lycatra("tool", "lint").out == "2 tools fine, no problems\n"


def test_without_a_configuration_a_folder_is_named_and_the_lines_to_write_are_shown(
    lycatra: Lycatra, folder: Path
) -> None:
    nowhere = lycatra("tool", "new", "weather/get_forecast")
    made = lycatra("tool", "new", "weather/get_forecast", "--folder", "my-tools")

    assert nowhere.code == 1
    assert "Say --folder own-tools" in nowhere.err
    assert made.code == 0
    assert "own_tools: {paths: [my-tools]}" in made.out


@pytest.mark.parametrize("umask", [0o002, 0o000])
def test_what_is_written_can_be_run_whatever_others_usually_may(
    lycatra: Lycatra, folder: Path, umask: int
) -> None:
    before = os.umask(umask)
    try:
        lycatra("tool", "new", "weather/get_forecast", "--folder", "deep/er/own")
    finally:
        os.umask(before)

    assert lycatra("tool", "lint", "deep/er/own").code == 0


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("forecast", "'forecast' should be like weather/get_forecast"),
        ("weather/forecast", "'forecast' should be a verb and a noun"),
        ("weather/", "should be like weather/get_forecast"),
        ("Weather/get_forecast", "the name 'Weather' should be 2 to 31 of a-z, 0-9 and _"),
        ("weather/../x_y", "should be 3 to 41 of a-z"),
        ("../weather/get_forecast", "should be 2 to 31 of a-z"),
        ("help/get_forecast", "'help' is a word that steers Lycatra"),
        ("services/get_forecast", "the namespace 'services' is Lycatra's own"),
        ("tests/get_forecast", "'tests' is the folder for tests and cannot be a namespace"),
        ("sender/get_forecast", "'sender' is the name of the technical user"),
        ("weather/list_updates", "there is a tool 'list_updates' already, of Lycatra itself"),
    ],
)
def test_a_name_that_cannot_be_is_refused(
    lycatra: Lycatra, folder: Path, name: str, sentence: str
) -> None:
    outcome = lycatra("tool", "new", name, "--folder", "own")

    assert (outcome.code, outcome.out) == (1, "")
    assert sentence in outcome.err
    assert not (folder / "own").exists()


def test_tools_are_tried_before_there_is_a_registration(lycatra: Lycatra, folder: Path) -> None:
    write_config(folder, WITHOUT_TOKENS + CONFIG.removeprefix(SMALLEST))
    lycatra("tool", "new", "weather/get_forecast")

    called = lycatra("tool", "call", "get_forecast", "Alice")

    assert (called.code, called.out) == (0, "Hello Alice!\n")
    assert lycatra("tool", "list").code == lycatra("tool", "show", "get_forecast").code == 0


# --- list and show


def test_the_list_has_every_tool_with_its_rights_and_origin_and_what_is_disabled(
    lycatra: Lycatra, installed: Path
) -> None:
    (installed / "own" / "pots" / "stir_pot.py").write_text("1 / 0")

    outcome = lycatra("tool", "list")

    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert f"pots ({installed}/own)" in lines
    assert "services (ships with Lycatra)" in lines
    [pot] = [line for line in lines if line.startswith("  open_pot ")]
    assert "reads, admin" in pot
    assert lines[-1] == (
        f"disabled: pots/stir_pot: {installed}/own/pots/stir_pot.py: "
        "line 1: ZeroDivisionError: division by zero"
    )


def test_a_tool_is_shown_as_people_and_as_models_see_it(lycatra: Lycatra, installed: Path) -> None:
    shown = lycatra("tool", "show", "list_pots").out
    alone = lycatra("tool", "show", "pots/list-pots", "--json").out

    assert f"Lycatra Pots (pots), {installed}/own" in shown
    assert "!list pots  Does something that is only needed" in shown
    assert "    word  What to say: text of 0 to 20 characters, 'nothing' without it" in shown
    assert shown.endswith(alone)
    seen = json.loads(alone)
    assert (seen["name"], seen["parameters"]["properties"]["word"]["maxLength"]) == (
        "list_pots",
        20,
    )


def test_an_unknown_tool_and_a_disabled_one_are_told_apart(
    lycatra: Lycatra, installed: Path
) -> None:
    (installed / "own" / "pots" / "stir_pot.py").write_text("1 / 0")

    unknown = lycatra("tool", "show", "list_pot")
    disabled = lycatra("tool", "show", "stir_pot")

    assert (unknown.code, disabled.code) == (1, 1)
    assert unknown.err == "lycatra: there is no tool 'list_pot'; did you mean list_pots?\n"
    assert "pots/stir_pot is disabled: " in disabled.err
    (installed / "own" / "pots" / "__init__.py").unlink()
    assert "all of pots is disabled: " in lycatra("tool", "call", "list_pots").err


# --- lint


def test_lint_looks_at_what_is_named_and_at_nothing_else(
    lycatra: Lycatra, installed: Path
) -> None:
    own = installed / "own"
    (own / "pots" / "stir_pot.py").write_text("1 / 0")
    (own / "pans").mkdir()
    (own / "pans" / "list_pans.py").touch()

    whole = lycatra("tool", "lint", "own")
    namespace = lycatra("tool", "lint", "own/pots")
    broken = lycatra("tool", "lint", "own/pots/stir_pot.py")
    fine = lycatra("tool", "lint", "own/pots/list_pots.py")

    assert (whole.code, whole.out) == (1, "2 tools fine, 2 problems\n")
    assert (namespace.code, namespace.out) == (1, "2 tools fine, 1 problem\n")
    assert (broken.code, broken.out) == (1, "no tools fine, 1 problem\n")
    assert broken.err == f"{own}/pots/stir_pot.py: line 1: ZeroDivisionError: division by zero\n"
    assert (fine.code, fine.out) == (0, "1 tool fine, no problems\n")


def test_a_file_of_a_broken_namespace_is_not_fine(lycatra: Lycatra, installed: Path) -> None:
    (installed / "own" / "pots" / "__init__.py").write_text("1 / 0")

    outcome = lycatra("tool", "lint", "own/pots/list_pots.py")

    assert (outcome.code, outcome.out) == (1, "no tools fine, 1 problem\n")


def test_lint_refuses_a_tool_that_costs_every_prompt_too_much(
    lycatra: Lycatra, installed: Path
) -> None:
    file = installed / "own" / "pots" / "list_pots.py"
    file.write_text(file.read_text().replace("What to say", "What to say to each of them " * 20))

    whole = lycatra("tool", "lint", "own")
    other = lycatra("tool", "lint", "own/pots/open_pot.py")

    assert (whole.code, whole.out) == (1, "1 tool fine, 1 problem\n")
    assert whole.err.startswith(f"{file}: it costs every prompt about ")
    assert "120 at most: shorten the summary" in whole.err
    assert (other.code, other.out) == (0, "1 tool fine, no problems\n")
    assert lycatra("tool", "call", "list_pots", "word=x").code == 0  # it works all the same


def test_lint_says_what_it_would_look_at(lycatra: Lycatra, folder: Path) -> None:
    nothing = lycatra("tool", "lint")
    missing = lycatra("tool", "lint", "nowhere")

    assert "name a folder, or write it into own_tools.paths" in nothing.err
    assert missing.err == "lycatra: nowhere does not exist\n"
    assert (nothing.code, missing.code) == (1, 1)


# --- call


@pytest.mark.parametrize(
    "words", [["word=hot soup"], ["hot soup"], ['{"word": "hot soup"}'], ["hot", "soup"]]
)
def test_arguments_are_written_as_in_a_room(
    lycatra: Lycatra, installed: Path, words: list[str]
) -> None:
    outcome = lycatra("tool", "call", "list_pots", *words)

    assert (outcome.code, outcome.out) == (0, "You said hot soup.\n")
    assert json.loads(lycatra("tool", "call", "list_pots", *words, "--json").out) == {
        "said": "hot soup"
    }


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["list_pots", "word=" + "x" * 21], "`word` must be text of 0 to 20 characters"),
        (["list_pots", "wort=x"], "did you mean `word`?"),
        (["list_pots", "{"], "look like JSON, but cannot be read. An example: lycatra tool call"),
        (["list_pot"], "there is no tool 'list_pot'; did you mean list_pots?"),
        (["list_pots", "--as", "alice"], "'alice' is no Matrix ID such as @alice:example.org"),
    ],
)
def test_what_cannot_be_run_is_told_with_what_would_be_right(
    lycatra: Lycatra, installed: Path, words: list[str], sentence: str
) -> None:
    outcome = lycatra("tool", "call", *words)

    assert (outcome.code, outcome.out) == (1, "")
    assert sentence in outcome.err


def test_a_call_has_the_rights_of_its_person_and_no_more(
    lycatra: Lycatra, installed: Path
) -> None:
    as_admin = lycatra("tool", "call", "open_pot")
    as_viewer = lycatra("tool", "call", "open_pot", "--as", "@bob:hs.test")
    as_stranger = lycatra("tool", "call", "list_pots", "--as", "@bob:elsewhere.org")

    assert as_admin.code == 0
    assert (as_viewer.code, as_viewer.out) == (1, "")
    assert "@alice:hs.test" in as_viewer.err  # who could do it
    assert as_stranger.code == 1


def test_a_call_is_in_the_audit_of_the_service_and_told_from_one_in_a_room(
    lycatra: Lycatra, installed: Path
) -> None:
    lycatra("tool", "call", "list_pots")
    assert not (installed / "data" / "lycatra.db").exists()  # there is no service yet
    assert lycatra("migrate").code == 0

    lycatra("tool", "call", "list_pots", "--as", "@bob:hs.test")
    lycatra("tool", "call", "open_pot", "--as", "@bob:hs.test")

    done, refused = map(json.loads, lycatra("audit", "--json").out.splitlines())
    assert (done["person"], done["tool"], done["outcome"]) == ("@bob:hs.test", "list_pots", "ok")
    assert (refused["tool"], refused["outcome"]) == ("open_pot", "not_allowed")
    assert done["trigger"].startswith("shell:")
    assert done["trigger"] != refused["trigger"]


def test_without_an_admin_the_person_is_asked_for(lycatra: Lycatra, folder: Path) -> None:
    write_config(folder, SMALLEST)

    outcome = lycatra("tool", "call", "help")

    assert outcome.code == 1
    assert "whose rights should it have? Say --as @you:hs.test" in outcome.err
    assert lycatra("tool", "call", "help", "--as", "@bob:hs.test").code == 0


def test_a_tool_that_changes_something_is_not_run_without_an_approval(
    lycatra: Lycatra, installed: Path
) -> None:
    text = tool("wash_pot", body="raise AssertionError('ran')", more="effect=Effect.CHANGE,")
    (installed / "own" / "pots" / "wash_pot.py").write_text(text)

    outcome = lycatra("tool", "call", "wash_pot")

    assert (outcome.code, outcome.out) == (1, "")
    assert "approv" in outcome.err
    assert "ran" not in outcome.err.split()


@pytest.mark.parametrize(
    ("body", "mistake"),
    [
        ("1 / 0", "ZeroDivisionError"),
        pytest.param(
            "pass",
            "TypeError: run must return a ToolResult, and returned nothing: ",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "return 'found'",
            "TypeError: run must return a ToolResult, and returned a str: ",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_tool_that_crashes_shows_its_traceback_to_who_writes_it(
    installed: Path, body: str, mistake: str
) -> None:
    (installed / "own" / "pots" / "stir_pot.py").write_text(tool("stir_pot", body=body))
    command = [sys.executable, "-m", "lycatra_appservice", "tool", "call", "stir_pot"]

    outcome = subprocess.run(command, cwd=installed, capture_output=True, text=True, check=False)

    assert outcome.returncode == 1
    assert "tool_crashed" in outcome.stderr
    assert mistake in outcome.stderr
    assert "stir_pot.py" in outcome.stderr
    assert outcome.stderr.endswith("\nlycatra: the tool failed by a mistake in it: see above\n")
    assert outcome.stdout == ""


def test_secrets_of_the_configuration_are_not_shown_as_in_a_room(
    lycatra: Lycatra, installed: Path
) -> None:
    write_config(installed, CONFIG + "databases: {crm: {url: 'postgresql://a:zeisig@db/crm'}}\n")
    body = "return ToolResult(data=1, markdown='no login with zeisig')"
    (installed / "own" / "pots" / "stir_pot.py").write_text(tool("stir_pot", body=body))

    assert lycatra("tool", "call", "stir_pot").out == "no login with ***\n"


def test_progress_goes_beside_the_answer(lycatra: Lycatra, installed: Path) -> None:
    body = 'ctx.progress("looking"); return ToolResult(data=1, markdown="found")'
    (installed / "own" / "pots" / "stir_pot.py").write_text(tool("stir_pot", body=body))

    outcome = lycatra("tool", "call", "stir_pot")

    assert (outcome.out, outcome.err) == ("found\n", "… looking\n")


_LATER = """from datetime import datetime, timezone
    when = datetime(2027, 1, 2, 3, 4, tzinfo=timezone.utc)
    async def look():
        return [args.word]
    found = await ctx.step("look", look)
    await ctx.timer("oven", when, "done")
    return ToolResult(data=found, markdown="I will.")"""


def test_what_would_be_said_later_goes_beside_the_answer(
    lycatra: Lycatra, installed: Path
) -> None:
    (installed / "own" / "pots" / "stir_pot.py").write_text(tool("stir_pot", body=_LATER))

    outcome = lycatra("tool", "call", "stir_pot")

    assert (outcome.out, outcome.code) == ("I will.\n", 0)
    assert outcome.err == "… would say at 2027-01-02 03:04 UTC: done\n"


async def test_a_trial_keeps_what_would_be_said_later(installed: Path) -> None:
    file = installed / "own" / "pots" / "stir_pot.py"
    file.write_text(tool("stir_pot", body=_LATER))
    trial = Trial(file, kept={"look": ["kept"]})

    result = await trial.call(word="anew")

    assert result.data == ["kept"]
    assert [(each.when, each.text) for each in trial.timers.values()] == [
        (datetime(2027, 1, 2, 3, 4, tzinfo=UTC), "done")
    ]


@pytest.mark.parametrize("word", ["new", "list", "show", "lint", "call"])
def test_every_word_has_help(lycatra: Lycatra, word: str) -> None:
    outcome = lycatra("tool", word, "--help")

    assert outcome.code == 0
    assert f"lycatra tool {word}" in outcome.out
