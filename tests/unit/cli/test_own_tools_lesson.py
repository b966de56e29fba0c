"""Who follows docs/OWN_TOOLS.md to the letter has a tool that works."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from lycatra_appservice.toolkit.base import ToolFailedError
from lycatra_appservice.toolkit.trial import Trial
from tests.support.config_folder import SMALLEST, write_config
from tests.support.lesson import blocks_of, follow
from tests.support.own_tools import namespace, write
from tests.unit.cli.conftest import Lycatra

pytestmark = pytest.mark.slow

LESSON = "The lesson: who has this email address?"


def test_the_lesson_works_word_for_word(folder: Path) -> None:
    write_config(folder, SMALLEST + "access: {admin: '@you:hs.test'}\n")

    *done, refused = follow("OWN_TOOLS.md", LESSON, folder)

    assert [each for each in done if each.code] == []
    assert "Ran 2 tests" in next(each.err for each in done if "unittest" in each.command)
    assert refused.code == 1
    assert "@you:hs.test" in refused.err
    assert "Alice" not in refused.out + refused.err


def test_the_example_of_settings_is_right(lycatra: Lycatra, folder: Path) -> None:
    _, python, yaml = blocks_of("OWN_TOOLS.md", "What a tool is given")
    made = lycatra("tool", "new", "people/get_person", "--folder", "own-tools")
    write(folder, {"own-tools/people/__init__.py": python.text, "secrets/crm-token": "x" * 9})

    write_config(folder, SMALLEST + "own_tools: {paths: [own-tools]}\n" + yaml.text)
    outcome = lycatra("check")

    assert made.code == 0
    assert outcome.code == 0
    assert "disabled" not in outcome.err
    assert "people" in outcome.out


async def test_the_example_of_a_change_does_what_its_plan_says(tmp_path: Path) -> None:
    [python] = blocks_of("OWN_TOOLS.md", "Changing something")
    files = {"bikes/__init__.py": namespace("bikes"), "bikes/lend_bike.py": python.text}
    file = write(tmp_path, files) / "bikes" / "lend_bike.py"
    with closing(sqlite3.connect(tmp_path / "bikes.db")) as bikes, bikes:
        bikes.execute("CREATE TABLE bike (id INTEGER, name TEXT, lent_to TEXT)")
        bikes.execute("INSERT INTO bike VALUES (7, 'Rosinante', NULL)")

    done = await Trial(file).call(bike=7, person="Alice")

    assert done.markdown == "Bike 7 is lent to Alice."
    with pytest.raises(ToolFailedError, match="was lent in the meantime"):
        await Trial(file).call(bike=7, person="Bob")


async def test_the_example_of_steps_goes_on_after_a_crash(tmp_path: Path) -> None:
    [python] = blocks_of("OWN_TOOLS.md", "Slow work, crashes, and later")
    files = {"things/__init__.py": namespace("things"), "things/roll_out.py": python.text}
    file = write(tmp_path, files) / "things" / "roll_out.py"

    at_once = await Trial(file).call(version="2.1")
    resumed = Trial(file, kept={"remember": "2.0"}, cut_off={"apply"})
    after = await resumed.call(version="2.1")

    assert at_once.markdown == "2.1 runs, before it was None."
    assert after.markdown == "2.1 runs, before it was 2.0."
    assert resumed.progress == ["rolling out 2.1"]
