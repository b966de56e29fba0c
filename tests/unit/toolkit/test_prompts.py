"""What a ready-made question has to look like, wherever it comes from."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lycatra_appservice.toolkit.base import PromptArgument, PromptTemplate
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.toolkit.naming import prompt_problems
from lycatra_appservice.toolkit.own.search import look_into
from lycatra_appservice.toolkit.registry import Registry
from tests.support.lesson import blocks_of

FIRST = PromptArgument(name="first", description="A day.", required=True)
GOOD = PromptTemplate(
    name="compare_days",
    title="Compare two days",
    summary="What was different on two days.",
    arguments=(FIRST,),
    text="Compare the day {first} with today.",
)
FILE = """
from lycatra_appservice.toolkit.base import PromptArgument, PromptTemplate

PROMPT = PromptTemplate(
    name="{name}",
    title="Compare two days",
    summary="What was different on two days.",
    arguments=(PromptArgument(name="first", description="A day.", required=True),),
    text="Compare the day {{first}} with today.",
)
"""
NAMESPACE = """
from lycatra_appservice.toolkit.base import Namespace

NAMESPACE = Namespace(name="days", display_name="Days", summary="What day it is.")
"""


def test_a_good_one_has_no_problems() -> None:
    assert list(prompt_problems(GOOD, "compare_days")) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"name": "Compare"}, "the file 'compare_days'"),
        ({"title": " "}, "title should be a text"),
        ({"summary": "short"}, "summary should have 20 to 400 characters, not 5"),
        ({"text": "Compare the day {other} with today."}, "'first' should stand both"),
        ({"text": "Compare the day {other} with today."}, "'other' should stand both"),
        ({"text": 3}, "text should be a text"),
        ({"arguments": ["first"]}, "arguments should be a list of PromptArgument"),
        ({"also_called": "words"}, "also_called should be a list"),
        ({"arguments": (FIRST, FIRST)}, "each with a name of its own"),
        ({"arguments": (replace(FIRST, description=""),)}, "have a description"),
        ({"arguments": (replace(FIRST, max_chars=0),)}, "max_chars of 'first'"),
    ],
)
def test_what_is_wrong_is_told(change: dict[str, Any], problem: str) -> None:
    found = list(prompt_problems(replace(GOOD, **change), "compare_days"))
    assert any(problem in each for each in found), found


def test_no_prompt_is_called_as_a_word_that_steers() -> None:
    [problem] = prompt_problems(replace(GOOD, name="settings"), "settings")
    assert "steers Lycatra" in problem


def test_those_that_ship_are_found_with_their_namespaces() -> None:
    registry = discover()
    homes = {each.name: registry.namespace_of_prompt(each.name).name for each in registry.prompts}
    assert homes == {
        "explain_service": "services",
        "incident_report": "services",
        "summarise_updates": "updates",
    }
    assert registry.without(["services"]).prompts == (registry.prompt("summarise_updates"),)
    assert registry.prompt("nothing") is None


def test_the_digest_tells_one_wording_from_another() -> None:
    registry = discover()
    namespaces = list(registry.namespaces)
    tools = {each.name: registry.tools_of(each.name) for each in namespaces}
    one = Registry(namespaces, tools, {"updates": [GOOD]})
    other = Registry(namespaces, tools, {"updates": [replace(GOOD, text="Compare {first}!")]})
    assert one.digest != other.digest
    with pytest.raises(ValueError, match="two tools or prompts"):
        Registry(namespaces, tools, {"updates": [GOOD], "services": [GOOD]})


def _write(folder: Path, **files: str) -> None:
    (folder / "days").mkdir(mode=0o755)
    (folder / "days" / "__init__.py").write_text(NAMESPACE)
    for name, text in files.items():
        (folder / "days" / f"{name}.py").write_text(text)


def test_one_of_the_operators_own_is_found_in_his_folder(tmp_path: Path) -> None:
    _write(tmp_path, compare_days=FILE.format(name="compare_days"))
    found = look_into(tmp_path)
    assert found.problems == ()
    prompt = found.registry.prompt("compare_days")
    assert prompt is not None
    assert prompt.filled({"first": "Monday"}) == 'Compare the day "Monday" with today.'
    assert found.origins["compare_days"] == str(tmp_path)


def test_a_wrong_one_or_one_with_a_taken_name_disables_only_itself(tmp_path: Path) -> None:
    _write(
        tmp_path,
        compare_days=FILE.format(name="compare_nights"),
        summarise_updates=FILE.format(name="summarise_updates"),
        good_days=FILE.format(name="good_days"),
    )
    found = look_into(tmp_path)
    assert [prompt.name for prompt in found.registry.prompts_of("days")] == ["good_days"]
    reasons = {problem.tool: problem.reason for problem in found.problems}
    assert "the file 'compare_days'" in reasons["compare_days"]
    assert "taken by a tool of Lycatra itself" in reasons["summarise_updates"]


def test_the_example_of_the_documentation_works(tmp_path: Path) -> None:
    [python] = blocks_of("OWN_TOOLS.md", "Ready-made questions")
    _write(tmp_path, greet_person=python.text)
    prompt = look_into(tmp_path).registry.prompt("greet_person")
    assert prompt is not None
    assert prompt.filled({"person": "Ada"}).startswith(
        'Write a welcome of three lines to this person: "Ada".\nName what'
    )
