"""Replies too long for one event."""

import pytest

from lycatra_appservice.matrix.render import MAX_CONTENT_BYTES, encoded_size
from lycatra_appservice.model import JSON, Address, EventID, RoomID
from tests.unit.matrix.rendering import ALICE, render

THREAD = Address(room_id=RoomID("!r"), reply_to=EventID("$q"), thread=EventID("$root"))
PARAGRAPHS = "\n\n".join(f"Paragraph {n} " + "word " * 50 for n in range(300))


def bodies(contents: object) -> list[str]:
    assert isinstance(contents, list)
    return [str(content["body"]) for content in contents]


@pytest.mark.parametrize(
    "markdown",
    [
        PARAGRAPHS,
        "x" * 90_000,
        "é" * 70_000,
        "\U0001f600" * 40_000,
        '"\\&<' * 20_000,
        "word " * 20_000,
        "|a|b|\n|-|-|\n" + "|1|2|\n" * 5000,
        "```py\n" + "print('ü')\n" * 9000 + "```\n",
        "- item\n" * 5000,
        "> quote\n" * 8000,
        "[" * 70_000,
        "*a **b " * 10_000,
        "@room " * 20_000,
    ],
    ids=lambda markdown: markdown[:12],
)
def test_every_part_fits_and_they_count_themselves(markdown: str) -> None:
    contents = render(markdown, mentions=[ALICE])

    assert len(contents) > 1
    assert max(map(encoded_size, contents)) <= MAX_CONTENT_BYTES
    markers = [content["org.lycatra.reply"] for content in contents]
    assert [marker["part"] for marker in markers] == list(range(1, len(contents) + 1))
    assert {marker["of"] for marker in markers} == {len(contents)}
    assert {marker["to"] for marker in markers} == {"$question"}


def test_nothing_is_lost_between_the_parts() -> None:
    joined = "\n\n".join(bodies(render(PARAGRAPHS)))

    assert joined.split() == PARAGRAPHS.split()


def test_parts_end_where_blocks_end() -> None:
    for text in bodies(render(PARAGRAPHS)):
        assert text.startswith("Paragraph ")
        assert text.endswith("word")


def test_only_the_first_part_replies_and_rings() -> None:
    first, *others = render(PARAGRAPHS, mentions=[ALICE])

    assert first["m.relates_to"] == {"m.in_reply_to": {"event_id": "$question"}}
    assert first["m.mentions"] == {"user_ids": [ALICE]}
    for other in others:
        assert "m.relates_to" not in other
        assert other["m.mentions"] == {}


def test_all_parts_stand_in_the_thread() -> None:
    relations = [content["m.relates_to"] for content in render(PARAGRAPHS, address=THREAD)]

    assert len(relations) > 1
    assert {relation["rel_type"] for relation in relations} == {"m.thread"}
    assert {relation["event_id"] for relation in relations} == {"$root"}
    assert {relation["m.in_reply_to"]["event_id"] for relation in relations} == {"$q"}
    genuine = [not relation["is_falling_back"] for relation in relations]
    assert genuine == [True, *([False] * (len(relations) - 1))]


@pytest.mark.parametrize(
    ("before", "opening"),
    [
        ("", "```python"),
        ("text\n\n", "~~~python"),
        ("- item\n\n  ", "```python"),
        ("> ", "```python"),
    ],
)
def test_code_that_is_cut_begins_again_as_code(before: str, opening: str) -> None:
    indent = {"-": "  ", ">": "> "}.get(before[:1], "")
    lines = "".join(f"{indent}line_{n} = {n}\n" for n in range(4500))
    source = f"{before}{opening}\n{lines}{indent}{opening[:3]}\n\nafter **all**"

    contents = render(source)

    assert len(contents) > 1
    for content in contents[1:]:
        assert content["body"].replace("> ", "").startswith("```python\nline_")
        assert '<pre><code class="language-python">line_' in content["formatted_body"][:80]
    joined = "".join(bodies(contents))
    assert [f"line_{n} = {n}" for n in range(4500)] == [
        line.strip("> ") for line in joined.splitlines() if line.strip("> ").startswith("line_")
    ]
    assert contents[-1]["body"].endswith("```\n\nafter all")


@pytest.mark.parametrize("max_bytes", range(400, 500))
def test_a_cut_before_the_end_of_code_leaves_no_empty_code_behind(max_bytes: int) -> None:
    fence = "`" * 40  # so long that a cut falls on it for some of the sizes
    source = f"{fence}\n" + "".join(f"line {n}\n" for n in range(20)) + f"{fence}\n\nafter"

    contents = render(source, max_bytes=max_bytes)

    assert len(contents) > 1
    for content in contents:
        assert "<code></code>" not in content["formatted_body"]
        assert "```\n\n```" not in content["body"]
    assert contents[-1]["body"].endswith("after")


def test_a_table_that_is_cut_repeats_its_head() -> None:
    rows = "".join(f"| {n} | value {n} |\n" for n in range(3000))
    contents = render(f"| number | text |\n|---|---|\n{rows}\nafter")

    assert len(contents) > 1
    for content in contents:
        assert content["body"].startswith("number | text")
        assert "<th>number</th>" in content["formatted_body"]
    numbers = [
        int(line.partition("|")[0])
        for text in bodies(contents)
        for line in text.splitlines()
        if "| value" in line
    ]
    assert numbers == list(range(3000))
    assert contents[-1]["body"].endswith("\n\nafter")


def test_a_link_is_known_in_every_part() -> None:
    source = f"See [the docs][d].\n\n{PARAGRAPHS}\n\n[d]: https://e.org/docs\n"

    first = render(source)[0]

    assert '<a href="https://e.org/docs">the docs</a>' in first["formatted_body"]


def test_a_part_does_not_begin_like_a_command() -> None:
    source = "\n\n".join("!run " + "x" * 500 for _ in range(300))

    assert not [text for text in bodies(render(source)) if text.lstrip().startswith("!")]


def test_what_is_far_too_long_ends_with_a_word_about_it() -> None:
    contents = render("some text\n\n" * 100_000)

    assert len(contents) < 20
    assert "more characters" in contents[-1]["body"]


def test_one_character_goes_out_however_small_the_limit() -> None:
    contents = render("abc", max_bytes=10)

    assert bodies(contents) == ["a", "b", "c"]


def test_definitions_alone_make_one_part_that_says_so() -> None:
    contents: list[dict[str, JSON]] = list(render("[a]: https://e.org/x\n" * 3000))

    assert bodies(contents) == ["(no text)"]
