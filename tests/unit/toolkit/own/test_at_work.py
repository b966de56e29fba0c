"""Tools that the configuration gives nothing to do are as if they were not there."""

from pathlib import Path

import pytest

from lycatra_appservice.toolkit.base import NoSettings
from lycatra_appservice.toolkit.own.found import FoundTools
from lycatra_appservice.toolkit.own.search import find_tools, look_into
from lycatra_appservice.tools.logs._settings import LogsSettings
from tests.support.own_tools import pots, tool, write
from tests.unit.toolkit.own.test_search import Places

SHOP = {"sources": [{"name": "shop", "kind": "file", "path": "shop.log"}]}
# Two pots are work for one of two tools, three for both.
SETTINGS = """
from lycatra_appservice.toolkit.base import Namespace, ToolSettings


class Pots(ToolSettings):
    number: int = 0


NAMESPACE = Namespace(name="pots", display_name="Pots", summary="Made by a test.", settings=Pots)
"""


@pytest.fixture
def found(tmp_path: Path) -> FoundTools:
    files = {
        "pots/__init__.py": SETTINGS,
        "pots/list_pots.py": tool("list_pots", more="has_work=lambda pots: pots.number >= 2,"),
        "pots/fill_pots.py": tool("fill_pots", more="has_work=lambda pots: pots.number >= 3,"),
    }
    return look_into(write(tmp_path, files))


def working(found: FoundTools, number: int) -> FoundTools:
    home = found.registry.namespace("pots")
    assert home is not None
    return found.at_work({"pots": home.settings.model_validate({"number": number})})


def tools_of(found: FoundTools) -> list[str]:
    return [each.name for each in found.registry.tools_of("pots")]


def test_all_tools_that_have_work_are_there(found: FoundTools) -> None:
    on = working(found, 3)

    assert tools_of(on) == ["fill_pots", "list_pots"]
    assert on.idle == {}
    assert on.registry.digest == found.registry.digest


def test_a_tool_without_work_goes_and_the_others_of_its_namespace_stay(found: FoundTools) -> None:
    on = working(found, 2)

    assert tools_of(on) == ["list_pots"]
    assert on.idle == {"fill_pots": "pots"}
    assert on.registry.namespace("pots") is not None
    assert on.registry.digest != found.registry.digest  # a replica that has it answers otherwise


def test_a_namespace_in_which_no_tool_has_work_goes_as_a_whole(found: FoundTools) -> None:
    on = working(found, 1)

    assert on.registry.namespace("pots") is None
    assert on.idle == {"fill_pots": "pots", "list_pots": "pots"}
    assert on.problems == ()  # nothing is wrong


def test_tools_that_always_have_work_ask_nobody(tmp_path: Path) -> None:
    on = look_into(pots(tmp_path)).at_work({"pots": NoSettings()})

    assert tools_of(on) == ["list_pots"]


def test_a_namespace_whose_settings_are_wrong_is_not_asked(found: FoundTools) -> None:
    on = found.with_wrong_settings({"pots": ["number: should be a number"]}).at_work({})

    assert on.registry.namespace("pots") is None
    assert on.idle == {}


@pytest.mark.parametrize("section", [{}, SHOP])
def test_logs_are_there_when_one_is_configured(section: dict[str, object]) -> None:
    settings = {"logs": LogsSettings.model_validate(section)}

    on = find_tools(Places()).at_work(settings)

    is_there = bool(section)
    assert (on.registry.namespace("logs") is not None) is is_there
    assert (on.registry.tool("search_logs") is not None) is is_there
    assert on.idle == ({} if is_there else {"search_logs": "logs"})
