"""Who follows docs/OWN_TOOLS.md to the letter has a tool that works."""

from pathlib import Path

from tests.support.config_folder import SMALLEST, write_config
from tests.support.lesson import blocks_of, follow
from tests.support.own_tools import write
from tests.unit.cli.conftest import Lycatra

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
    python, yaml = blocks_of("OWN_TOOLS.md", "What a tool is given")
    made = lycatra("tool", "new", "people/get_person", "--folder", "own-tools")
    write(folder, {"own-tools/people/__init__.py": python.text, "secrets/crm-token": "x" * 9})

    write_config(folder, SMALLEST + "own_tools: {paths: [own-tools]}\n" + yaml.text)
    outcome = lycatra("check")

    assert made.code == 0
    assert outcome.code == 0
    assert "disabled" not in outcome.err
    assert "people" in outcome.out
