"""What is wrong with a tool of an address is told where it is written."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lycatra_appservice.settings import OwnTools
from lycatra_appservice.toolkit.guard import outbound
from tests.support.config_folder import SMALLEST, load, mistakes

PLAIN: dict[str, Any] = {
    "name": "list_things",
    "title": "Things",
    "summary": "Lists the things that are there. Use it when somebody asks for one of them.",
    "url": "https://things.example/{kind}?q={text}",
    "arguments": [
        {"name": "kind", "kind": "choice", "choices": ["big", "small"], "description": "Which."},
        {"name": "text", "optional": True, "description": "Words."},
    ],
    "fields": [{"key": "name"}],
}
KIND, TEXT = PLAIN["arguments"]


def test_a_plain_one_is_taken_as_it_is() -> None:
    [tool] = OwnTools.model_validate({"http_json": [PLAIN]}).http_json

    assert (tool.namespace, tool.level, tool.page_size, tool.has_paging) == (
        *("web", "viewer", 20),
        False,
    )
    assert tool.fields[0].title == "name"


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"url": "https://{kind}.example/{text}"}, "behind the host"),
        ({"url": "https://x.example:{kind}/{text}"}, "address beginning with|behind the host"),
        ({"url": "https://me:pw@things.example/{kind}{text}"}, "no user, password"),
        ({"url": "https://things.example/{kind}?q={text}#{kind}"}, "no user, password or '#'"),
        ({"url": "ftp://things.example/{kind}{text}"}, "http:// or https://"),
        ({"url": "/etc/{kind}{text}"}, "http:// or https://"),
        ({"url": "https://things.example/{kind}?a={text}&b={other}"}, "{other}"),
        ({"url": "https://things.example/{kind}"}, "the argument text, which its url has no"),
        ({"url": "https://things.example/{kind}/{text}"}, "{text} in its path"),
        ({"arguments": [KIND, {**TEXT, "optional": False, "default": 7}]}, "does not take"),
        ({"arguments": [{**KIND, "default": "huge"}, TEXT]}, "does not take"),
        ({"arguments": [{**KIND, "default": "big", "optional": True}, TEXT]}, "need not be"),
        ({"arguments": [{**KIND, "choices": []}, TEXT]}, "choices if, and only if"),
        ({"arguments": [KIND, {**TEXT, "kind": "number", "least": 5, "most": 1}]}, "above most"),
        ({"arguments": [KIND, TEXT, TEXT]}, "two arguments called text"),
        ({"arguments": [KIND, {**TEXT, "name": "page"}]}, "name that is taken"),
        ({"arguments": [KIND, {**TEXT, "name": "copy"}]}, "name that is taken"),
        ({"arguments": [KIND, {**TEXT, "name": "model_x"}]}, "name that is taken"),
        ({"fields": []}, "nothing to tell"),
        ({"fields": [{"key": "name"}, {"key": "x.name"}]}, "two fields called name"),
        ({"headers": [{"name": "Host", "value": "a"}]}, "that the request does not have"),
        ({"headers": [{"name": "X", "value": "a\nb"}]}, "no line breaks"),
        ({"headers": [{"name": "X", "value": "a", "before": "b\nc"}]}, "pattern"),
        ({"items": "a..b"}, "pattern"),
        ({"summary": "Too short."}, "at least 40"),
        ({"level": "none"}, "viewer"),
    ],
)
def test_what_cannot_work_is_refused(more: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        OwnTools.model_validate({"http_json": [{**PLAIN, **more}]})


@pytest.mark.parametrize("name", sorted(outbound._OURS))
def test_a_header_that_the_guard_would_refuse_is_refused_at_once(name: str) -> None:
    with pytest.raises(ValidationError):
        OwnTools.model_validate(
            {"http_json": [{**PLAIN, "headers": [{"name": name, "value": "x"}]}]}
        )


def test_two_of_one_name_are_a_mistake() -> None:
    with pytest.raises(ValidationError, match="two tools are called 'list_things'"):
        OwnTools.model_validate({"http_json": [PLAIN, PLAIN]})


def test_words_may_be_of_numbers_and_switches_as_yaml_reads_them() -> None:
    words = {True: "works", 0: "none", "x": "y"}
    fields = [{"key": "name", "words": words}]

    [tool] = OwnTools.model_validate({"http_json": [{**PLAIN, "fields": fields}]}).http_json

    assert tool.fields[0].words == {"true": "works", "0": "none", "x": "y"}


def test_a_mistake_names_its_line_and_its_key_and_no_secret(tmp_path: Path) -> None:
    text = """\
own_tools:
  http_json:
    - name: list_things
      title: Things
      summary: Lists the things that are there. Use it when somebody asks for one of them.
      url: https://things.example/
      headers: [{name: Authorization, value: "hid\\nden-value"}]
      fields: [{key: name, lable: Name}]
"""
    found = mistakes(tmp_path, SMALLEST + text)

    assert [line.partition(": ")[0] for line in found] == ["config.yaml:13", "config.yaml:14"]
    assert "did you mean 'label'?" in found[1]
    assert "den-value" not in str(found)


def test_secrets_come_from_files_and_all_of_it_from_a_variable(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-a-file\n")
    text = """\
own_tools:
  http_json:
    - name: list_things
      title: Things
      summary: Lists the things that are there. Use it when somebody asks for one of them.
      url: https://things.example/
      headers: [{name: Authorization, before: 'Bearer ', value_file: key}]
      fields: [{key: name}]
"""
    [of_file] = load(tmp_path, SMALLEST + text).own_tools.http_json
    variable = (
        '[{"name": "list_other", "title": "Other", "url": "http://other.example", '
        '"summary": "Lists the things that are there. Use it when somebody asks for one.", '
        '"fields": [{"key": "name"}]}]'
    )
    environ = {"LYCATRA_OWN_TOOLS__HTTP_JSON": variable}
    [of_variable] = load(tmp_path, environ=environ).own_tools.http_json

    assert of_file.headers[0].value.get_secret_value() == "from-a-file"
    assert of_file.headers[0].before == "Bearer "
    assert "from-a-file" not in repr(of_file)
    assert of_variable.name == "list_other"
