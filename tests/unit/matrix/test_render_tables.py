"""Tables: drawn, in columns, and as lists where nobody draws them."""

import pytest

from lycatra_appservice.matrix.render import (
    MAX_CONTENT_BYTES,
    MAX_EDIT_BYTES,
    as_edit,
    encoded_size,
)
from lycatra_appservice.model import JSON
from tests.unit.matrix.rendering import ALICE, BOB, body, html, render

SMALL = "| name | version |\n|:--|--:|\n| api | **1.2** |\n| database | 3 |"
LONG_CELL = "which says a lot about itself " * 4
LONG = f"| name | state | about |\n|--|--|--|\n| api | up | {LONG_CELL} |\n| db | down | slow |"


def as_list(markdown: str) -> dict[str, JSON]:
    (content,) = render(markdown, tables="list")
    return content


def test_a_table_is_a_table_and_reads_as_one_in_the_body() -> None:
    assert body(SMALL) == "name     | version\n---------+--------\napi      | 1.2\ndatabase | 3"
    assert "<td>api</td>" in html(SMALL)
    assert "style" not in html(SMALL)


def test_letters_of_full_width_and_emoji_keep_the_columns_straight() -> None:
    source = "| what | n |\n|--|--|\n| 日本 | 1 |\n| ✅ ok | 2 |\n| e\u0301 | 3 |"

    assert body(source) == ("what  | n\n------+--\n日本  | 1\n✅ ok | 2\ne\u0301     | 3")


def test_a_table_wider_than_a_terminal_is_a_list_in_the_body_and_a_table_still() -> None:
    assert body(LONG) == (
        f"- api\n  state: up\n  about: {LONG_CELL.strip()}\n- db\n  state: down\n  about: slow"
    )
    assert "<td>api</td>" in html(LONG)


def test_a_room_without_tables_gets_a_line_for_each_row() -> None:
    content = as_list(SMALL)

    assert content["formatted_body"] == (
        "<ul>\n<li><strong>api</strong> · version: <strong>1.2</strong></li>\n"
        "<li><strong>database</strong> · version: 3</li>\n</ul>"
    )
    assert content["body"] == "- api · version: 1.2\n- database · version: 3"


def test_long_rows_get_a_line_for_each_value() -> None:
    shown = as_list(LONG)["formatted_body"]

    assert "<table" not in shown
    assert "<li><strong>db</strong><br>\nstate: down<br>\nabout: slow</li>" in shown


@pytest.mark.parametrize(
    ("markdown", "plain"),
    [
        ("| a | b |\n|--|--|\n| 1 | |\n| | 2 |", "- 1\n- b: 2"),
        ("| | b |\n|--|--|\n| 1 | 2 |", "- 1 · b: 2"),
        ("| a | |\n|--|--|\n| 1 | 2 |", "- 1 · 2"),
        ("| a | b |\n|--|--|", "- a · b"),
        ("| a |\n|--|\n| 1 |", "- 1"),
        ("| a | b |\n|--|--|\n| | |\n| 1 | 2 |", "- 1 · b: 2"),
        ("| | |\n|--|--|\n| | |\n\nafter", "after"),
        ("| | |\n|--|--|\n| | |", "(no text)"),
        ("| a | b |\n|--|--|\n| `x` | [d](https://e.org) |", "- `x` · b: d (https://e.org)"),
        ("before\n\n| a | b |\n|--|--|\n| 1 | 2 |\n\nafter", "before\n\n- 1 · b: 2\n\nafter"),
        ("> | a | b |\n> |--|--|\n> | 1 | 2 |", "> - 1 · b: 2"),
        ("- item\n\n  | a | b |\n  |--|--|\n  | 1 | 2 |", "- item\n\n  - 1 · b: 2"),
    ],
)
def test_a_list_says_what_the_rows_say_and_nothing_of_empty_cells(
    markdown: str, plain: str
) -> None:
    assert as_list(markdown)["body"] == plain


def test_a_line_break_in_a_cell_is_one() -> None:
    source = "| a | b |\n|--|--|\n| 1 | x<br>y<br/>z |"

    assert "<td>x<br>\ny<br>\nz</td>" in html(source)
    assert body(source) == "a | b\n--+------\n1 | x y z"
    assert body("`<br>`") == "`<br>`"


def test_a_list_that_is_cut_goes_on_in_the_next_part() -> None:
    rows = "".join(f"| {n} | value {n} |\n" for n in range(3000))
    contents = render(f"| number | text |\n|---|---|\n{rows}\nafter", tables="list")

    assert len(contents) > 1
    lines = [line for content in contents for line in content["body"].splitlines()]
    assert lines[:3000] == [f"- {n} · text: value {n}" for n in range(3000)]
    for content in contents:
        assert "<th>" not in content["formatted_body"]
        assert content["formatted_body"].startswith("<ul>\n<li><strong>")
        assert encoded_size(content) <= MAX_CONTENT_BYTES


def test_an_edit_has_the_list_too() -> None:
    (content,) = render(SMALL, tables="list", max_bytes=MAX_EDIT_BYTES)

    assert "<li><strong>api</strong>" in as_edit(content)["m.new_content"]["formatted_body"]


def test_a_list_names_nobody_whom_the_table_did_not_name() -> None:
    source = f"| @bob | {BOB} |\n|--|--|\n| @room | hs.test |\n| {BOB} | {ALICE} |"
    (content,) = render(source, tables="list", mentions=[ALICE])

    shown = content["body"] + content["formatted_body"]
    assert ALICE in shown
    assert BOB not in shown
    assert "@room" not in shown
