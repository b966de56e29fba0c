"""Tools of the configuration stand beside all others; what is wrong with one disables it alone."""

from pathlib import Path
from typing import Any

from lycatra_appservice.app.tool_secrets import secrets_in
from lycatra_appservice.settings import OwnTools
from lycatra_appservice.targets import Target
from lycatra_appservice.toolkit.base import Level, ToolSettings
from lycatra_appservice.toolkit.own.found import FoundTools
from lycatra_appservice.toolkit.own.search import find_tools
from tests.support.own_tools import pots
from tests.unit.test_settings_http_json import PLAIN

OTHER = {
    **PLAIN,
    "name": "count_things",
    "url": "http://other.internal:8080/{kind}?q={text}",
    "title": "How many things",
}


def found_with(*tools: dict[str, Any], paths: list[Path] | None = None) -> FoundTools:
    settings = OwnTools.model_validate(
        {"packages": False, "http_json": tools, "paths": paths or []}
    )
    return find_tools(settings)


def test_each_becomes_a_tool_of_the_namespace_that_it_names() -> None:
    found = found_with(PLAIN, OTHER, {**PLAIN, "name": "list_more", "namespace": "more_things"})

    assert found.problems == ()
    assert [each.name for each in found.registry.tools_of("web")] == [
        "count_things",
        "list_things",
    ]
    more = found.registry.namespace("more_things")
    assert more is not None
    assert (more.display_name, more.summary) == ("Lycatra More Things", "Things.")
    assert found.origins["list_more"] == "own_tools.http_json"
    assert found.own == {"web", "more_things"}


def test_a_model_is_told_the_arguments_and_of_pages_only_when_there_are_some() -> None:
    tool = found_with(PLAIN).registry.tool("list_things")

    assert tool is not None
    assert tool.schema()["properties"]["kind"] == {
        "enum": ["big", "small"],
        "type": "string",
        "description": "Which.",
    }
    assert tool.schema()["required"] == ["kind"]
    assert tool.schema()["properties"]["page"]["x-told-later"] is True
    assert (tool.level, tool.example) == (Level.VIEWER, "list things big")


def test_a_namespace_may_reach_the_hosts_of_its_own_tools_and_no_others() -> None:
    found = found_with(PLAIN, {**OTHER, "namespace": "others"})

    reached = {}
    for name in ("web", "others"):
        home = found.registry.namespace(name)
        assert home is not None
        settings = home.settings()
        assert isinstance(settings, ToolSettings)
        reached[name] = list(settings.allowed_targets)

    assert reached == {
        "web": [Target("things.example", 443)],
        "others": [Target("other.internal", 8080)],
    }


def test_a_name_that_is_there_already_disables_the_tool_alone() -> None:
    found = found_with({**PLAIN, "name": "list_updates"}, OTHER)

    [problem] = found.problems
    assert str(problem) == (
        "web/list_updates is disabled: own_tools.http_json: "
        "the name 'list_updates' is taken by a tool of Lycatra itself"
    )
    assert found.registry.tool("count_things") is not None
    assert found.registry.namespace_of("list_updates").name == "updates"


def test_a_namespace_that_ships_cannot_be_taken() -> None:
    found = found_with({**PLAIN, "namespace": "services"}, {**OTHER, "namespace": "settings"})

    assert [each.reason for each in found.problems] == [
        "the namespace 'services' is there already, from Lycatra itself",
        "'settings' is a word that steers Lycatra and cannot be a namespace",
    ]
    assert found.registry.tool("list_things") is None
    assert found.registry.tool("get_service_status") is not None


def test_a_folder_of_the_same_name_says_who_has_it(tmp_path: Path) -> None:
    found = found_with({**PLAIN, "namespace": "pots"}, paths=[pots(tmp_path)])

    [problem] = found.problems
    assert "'pots' is there already, from own_tools.http_json" in problem.reason
    assert found.registry.tool("list_things") is not None


def test_an_example_that_is_none_is_told() -> None:
    [problem] = found_with({**PLAIN, "example": "show things"}).problems

    assert "the example must start with the tool's words" in problem.reason


def test_replicas_notice_that_one_of_them_has_other_tools() -> None:
    assert found_with(PLAIN).registry.digest == found_with(PLAIN).registry.digest
    assert found_with(PLAIN).registry.digest != found_with(PLAIN, OTHER).registry.digest


def test_the_secrets_of_headers_are_known_to_what_masks_them() -> None:
    headers = [{"name": "Authorization", "before": "Bearer ", "value": "tracker-secret"}]
    settings = OwnTools.model_validate({"http_json": [{**PLAIN, "headers": headers}]})

    assert list(secrets_in(settings)) == ["tracker-secret"]
