"""Whatever a tool or a model writes: nothing runs, nothing rings, nothing is fetched."""

import json
import re
from typing import Any, get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lycatra_appservice.matrix.render import MAX_CONTENT_BYTES, encoded_size
from lycatra_appservice.matrix.tables import TableLook
from lycatra_appservice.model import UserID
from tests.unit.matrix.html_reader import SPECIFIED, SPECIFIED_ATTRIBUTES, ReadHtml
from tests.unit.matrix.rendering import ALICE, BOB, body, html, only, render

CORPUS = [
    "<img src=x onerror=alert(1)>",
    "<<img onerror>img onerror=x>",
    "<!-- <!-- --> <script>alert(1)</script> -->",
    "<!--> <img src=x onerror=1> -->",
    '<a href="jav&#x09;ascript:alert(1)">x</a>',
    "[x](jav&#x09;ascript:alert(1))",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:x)",
    "[x](file:///etc/passwd)",
    "[x](//evil.example/x)",
    "[x](/relative)",
    "[x](https://e.org 'onmouseover=alert(1)')",
    "<javascript:alert(1)>",
    "![x](data:image/svg+xml;base64,AAAA)",
    "![x](https://evil.example/track.png)",
    "![x](mxc://hs.test/abc)",
    "[![x](https://evil.example/i.png)](https://e.org)",
    "<b><i><unclosed",
    "<div style='position:fixed'><table><td>",
    "<svg><script>alert(1)</script></svg>",
    "<math><mtext><style><img src=x onerror=1>",
    "</p></div><script>",
    '```html" onload="x\n<script>\n```',
    "```<script>\nx\n```",
    "| <img src=x> | @room |\n|--|--|\n| [x](javascript:1) | `@room` |",
    "evil\u202etxt.exe\u2066hidden\u2069",
    "&#x202e;reversed",
    "nul\x00 and &#0; and \x1b[31mred",
    "lone \ud800 surrogate \udfff",
    "\x85\x0b\x0c",
    ">" * 3000 + " deep",
    "- " * 3000 + "deep",
    "*a **b " * 400 + "c** d*" * 400,
    "[" * 3000 + "x" + "](https://e.org)" * 3000,
    "x" * 70_000,
    "<" * 70_000,
    "@room @ROOM @Room, @room.",
    "@ro**om** @ro[om](/x) @ro![om](y:z) \\@room &#64;room @ro\u202eom @\u2067room",
    "`@room` ```@room``` <@room>",
    "[@room](https://e.org/@room)",
]
PEOPLE = [
    f"{BOB}",
    f"hi {BOB}, {BOB}: ({BOB}) '{BOB}'",
    "@bo**b**:hs.test",
    "&#64;bob:hs.test",
    f"[b](https://matrix.to/#/{BOB})",
    "[b](https://matrix.to/#/%40bob%3Ahs.test)",
    "[b](https://matrix.to/#/%2540bob%253Ahs.test)",
    "[b](HTTPS://MATRIX.TO/#/@bob:hs.test?via=hs.test)",
    "[b](https://app.element.io/#/user/@bob:hs.test)",
    "[b](https://app.element.io/#/user/%2540bob%253Ahs.test)",
    "[b](matrix:u/bob:hs.test)",
    "[b](MATRIX:u/bob:hs.test?action=chat)",
    "[b](matrix://hs.test/u/bob:hs.test)",
    "[b](matrix:user/bob:hs.test)",
    f"[b][r]\n\n[r]: https://matrix.to/#/{BOB}",
    f"<https://matrix.to/#/{BOB}>",
    f"https://matrix.to/#/{BOB}",
    "https://matrix.to/#/%40bob%3Ahs.test",
    "matrix:u/bob:hs.test",
    f"![b](https://matrix.to/#/{BOB})",
]


def check_safe(content: dict[str, object], *, mentioned: frozenset[UserID] = frozenset()) -> None:
    """What holds for every content, whatever was to be said."""
    assert encoded_size(content) <= MAX_CONTENT_BYTES
    json.dumps(content, ensure_ascii=False).encode()  # no lone surrogate
    text = content["body"]
    assert isinstance(text, str)
    assert text.strip()
    assert not re.search(r"@room\b", text, re.IGNORECASE)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    assert not text.strip().startswith(("!", "/"))
    expected = {"user_ids": sorted(mentioned)} if mentioned else {}
    assert content["m.mentions"] in ({}, expected)
    formatted = content.get("formatted_body")
    if formatted is None:
        assert "format" not in content
        return
    assert isinstance(formatted, str)
    check_html(ReadHtml(formatted), mentioned)


def check_html(read: ReadHtml, mentioned: frozenset[UserID]) -> None:
    assert read.tags <= SPECIFIED - {"img"}
    assert read.attributes <= SPECIFIED_ATTRIBUTES
    assert read.oddities == []
    assert read.deepest <= 100
    for link in read.links:
        assert re.match(r"(https?|mailto|matrix):", link, re.IGNORECASE), link
    for name in read.classes:
        assert re.fullmatch(r"language-[\w+#.-]+", name), name
    for text in read.texts:
        assert not re.search(r"@room\b", text, re.IGNORECASE)
    for link in read.links:
        assert all(person in mentioned for person in re.findall(r"@[^\s/?]+:[\w.]+", link)), link


@pytest.mark.parametrize("markdown", CORPUS, ids=range(len(CORPUS)))
def test_the_known_attacks_come_to_nothing(markdown: str) -> None:
    for content in render(markdown):
        check_safe(content)


@pytest.mark.parametrize("markdown", PEOPLE)
def test_people_who_are_not_mentioned_are_not_named_in_a_way_that_rings(markdown: str) -> None:
    content = only(markdown, mentions=[ALICE])

    check_safe(content, mentioned=frozenset({ALICE}))
    read = ReadHtml(content["formatted_body"])
    assert read.links == []
    assert str(BOB) not in content["body"]
    assert not [text for text in read.texts if BOB in text or "matrix.to/#/%40" in text]


@pytest.mark.parametrize(
    "markdown",
    [
        f"[b](https://matrix.to/#/{BOB})",
        "[b](https://matrix.to/#/%40bob%3Ahs.test)",
        "[b](matrix:u/bob:hs.test)",
        "[room](https://matrix.to/#/!room:hs.test/$event?via=hs.test)",
        "[room](matrix:r/room:hs.test)",
        "[mail](mailto:bob@hs.test)",
        "[profile](https://medium.com/@writer/article)",
        "[port](https://user@example.org:8080/)",
    ],
)
def test_links_to_whom_was_asked_for_and_to_other_things_stay(markdown: str) -> None:
    assert len(ReadHtml(html(markdown, mentions=[BOB])).links) == 1


@pytest.mark.parametrize(
    "text", ["git clone git@github.com:owner/name", "mail me@example.org", "a@b:c"]
)
def test_what_only_looks_like_a_mention_is_left_alone(text: str) -> None:
    assert body(text) == text


def test_a_user_id_in_code_can_be_copied() -> None:
    assert body(f"`{BOB}`") == f"`{BOB}`"
    assert html(f"`{BOB}`") == f"<p><code>{BOB}</code></p>"


def test_text_too_deep_to_show_is_said_plainly_and_whole() -> None:
    content = only(">" * 300 + " important @room")

    assert "formatted_body" not in content
    assert "important" in content["body"]
    check_safe(content)


FRAGMENTS = st.sampled_from(
    [
        *("@room", "@ro", "om", "@", "@bob:hs.test", "@alice:hs.test", "https://matrix.to/#/"),
        *("[", "](", ")", "](https://e.org)", "](javascript:x)", "![", "<", ">", "<img src=x>"),
        *("*", "**", "_", "~~", "`", "```", "~~~", "\n", "\n\n", "    ", "- ", "1. ", "> ", "# "),
        *("|", "|-|-|\n", "\n|a|@room|\n|-|-|\n|", "<br>", "&#64;", "&lt;", "&#x202e;", "\\"),
        *("\x00", "\ud800", "\u202e", "\r", "@lycatra:hs.test", "lycatra: ", "room|\n", "hs.test"),
        *("!", "/", "matrix:u/", "%40", "http://", "<!--", "-->", "<script>", "]: ", "\u200d"),
    ]
)
TEXTS = st.lists(FRAGMENTS | st.text(max_size=6), max_size=40).map("".join)
# Not after a letter: that is an e-mail address, in which no client sees a user.
STRANGER = re.compile(r"(?<![\w.+-])@(bob|lycatra):hs\.test")
LOOKS = st.sampled_from(get_args(TableLook))


@settings(deadline=None, max_examples=300)
@given(TEXTS, LOOKS)
@example("@ro[om](/x)", "table")
@example("@\u200droom", "table")
@example("|@bob|\n|-|\n|x|", "list")
def test_no_text_becomes_more_than_text(markdown: str, tables: TableLook) -> None:
    contents = render(markdown, tables=tables)

    for content in contents:
        check_safe(content)
    assert render(markdown, tables=tables) == contents


@settings(deadline=None, max_examples=150)
@given(TEXTS, LOOKS)
def test_only_who_was_asked_for_is_mentioned(markdown: str, tables: TableLook) -> None:
    for content in render(markdown, mentions=[ALICE], tables=tables):
        check_safe(content, mentioned=frozenset({ALICE}))
        assert not STRANGER.search(outside_of_code(content))


@settings(deadline=None, max_examples=50)
@given(TEXTS, LOOKS, st.integers(min_value=700, max_value=3000), st.integers(5, 60))
def test_parts_of_any_text_fit_any_size(
    markdown: str, tables: TableLook, max_bytes: int, times: int
) -> None:
    for content in render(markdown * times, max_bytes=max_bytes, tables=tables):
        check_safe(content)
        assert encoded_size(content) <= max_bytes


LINES = st.lists(st.text("ab {}<&>\"'|*_[]é\U0001f600", max_size=40), min_size=1, max_size=60)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(LINES, st.sampled_from(["", "py", "c++"])), min_size=1, max_size=4),
    st.integers(min_value=1500, max_value=4000),
)
def test_code_that_is_cut_anywhere_stays_code_in_every_part(
    blocks: list[tuple[list[str], str]], max_bytes: int
) -> None:
    numbered = [
        [f"{n}.{m} {text}".rstrip() for m, text in enumerate(lines)]
        for n, (lines, _) in enumerate(blocks)
    ]
    source = "\n\nbetween\n\n".join(
        "\n".join([f"```{language}", *lines, "```"])
        for lines, (_, language) in zip(numbered, blocks, strict=True)
    )

    contents = render(source, max_bytes=max_bytes)

    shown: list[str] = []
    for content in contents:
        assert ReadHtml(content["formatted_body"]).oddities == []
        is_code = False
        for line in content["body"].split("\n"):
            if line.startswith("```"):
                is_code = not is_code
            elif is_code:
                shown.append(line)
            else:
                assert line in {"between", ""}
        assert not is_code
    assert shown == [line for lines in numbered for line in lines]


def outside_of_code(content: dict[str, Any]) -> str:
    """What a client could take for a mention: code never is one."""
    html = re.sub(r"<code.*?</code>", "", content.get("formatted_body", ""), flags=re.DOTALL)
    return "".join(ReadHtml(html).texts)
