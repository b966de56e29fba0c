"""Tools of the configuration from a shell: checked, listed, shown, and weighed."""

from pathlib import Path

import pytest

from lycatra_appservice.app.parts import secrets_of
from tests.support.config_folder import SMALLEST, load, write_config
from tests.support.lesson import blocks_of
from tests.unit.cli.conftest import Lycatra

ACCESS = "access: {admin: '@alice:hs.test', viewer: '*:hs.test'}\n"
EXAMPLES = ["A status page", "An issue tracker"]


def config_of(title: str) -> str:
    [block] = [each for each in blocks_of("HTTP_JSON.md", title) if each.kind == "yaml"]
    return SMALLEST + ACCESS + block.text


@pytest.fixture
def token(folder: Path) -> Path:
    (folder / "secrets").mkdir()
    file = folder / "secrets" / "tracker-token"
    file.write_text("tracker-secret\n")
    file.chmod(0o600)
    return file


@pytest.mark.parametrize("title", EXAMPLES)
def test_the_examples_of_the_page_are_fine_and_light_enough_for_small_models(
    lycatra: Lycatra, folder: Path, token: Path, title: str
) -> None:
    write_config(folder, config_of(title))

    checked, linted = lycatra("check"), lycatra("tool", "lint")

    assert checked.code == 0, checked.err
    assert "disabled" not in checked.err
    assert linted.out == "1 tool fine, no problems\n", linted.err


def test_they_are_listed_with_where_they_come_from(
    lycatra: Lycatra, folder: Path, token: Path
) -> None:
    write_config(folder, config_of("An issue tracker"))

    listed, shown = lycatra("tool", "list"), lycatra("tool", "show", "list_issues")

    assert "tracker (own_tools.http_json)" in listed.out
    assert "list_issues" in listed.out
    assert "`shop/web`, `shop/api`" in shown.out
    assert "tracker-secret" not in listed.out + shown.out


def test_rules_may_name_them(lycatra: Lycatra, folder: Path, token: Path) -> None:
    rule = "permissions: [{tools: [list_issues], level: operator}]\n"
    write_config(folder, config_of("An issue tracker") + rule)

    assert lycatra("check").code == 0


def test_one_that_is_too_heavy_is_told_by_the_lint(lycatra: Lycatra, folder: Path) -> None:
    text = config_of("A status page").replace("Use it when", "Many words more. " * 25 + "Use")
    write_config(folder, text)

    linted = lycatra("tool", "lint")

    assert linted.code == 1
    assert linted.err.startswith("own_tools.http_json: it costs every prompt about")


def test_the_keys_of_headers_are_masked_everywhere(folder: Path, token: Path) -> None:
    settings = load(folder, config_of("An issue tracker"))

    assert "tracker-secret" in secrets_of(settings)
