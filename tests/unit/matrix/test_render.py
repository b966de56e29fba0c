"""How a reply looks: HTML, plain body, place, mentions, edits."""

import pytest

from lycatra_appservice.matrix.render import MAX_EDIT_BYTES, as_edit, encoded_size, render_message
from lycatra_appservice.model import Address, EventID, Reply, RoomID, UserID
from tests.unit.matrix.rendering import ADDRESS, ALICE, BOB, MARKER, body, html, only, render


def test_a_reply_has_everything_that_a_client_needs() -> None:
    assert only("**Up**, _well_.") == {
        "msgtype": "m.text",
        "body": "Up, well.",
        "format": "org.matrix.custom.html",
        "formatted_body": "<p><strong>Up</strong>, <em>well</em>.</p>",
        "m.mentions": {},
        "m.relates_to": {"m.in_reply_to": {"event_id": "$question"}},
        "org.lycatra.reply": {"to": "$question", "kind": "answer", "part": 1, "of": 1},
    }


def test_a_notice_does_not_ring() -> None:
    (content,) = render("done", notice=True)
    assert content["msgtype"] == "m.notice"


def test_a_plain_address_relates_to_nothing() -> None:
    (content,) = render("hi", address=Address(room_id=RoomID("!r")))
    assert "m.relates_to" not in content


@pytest.mark.parametrize(
    ("reply_to", "is_falling_back", "shown_to"),
    [("$q2", False, "$q2"), ("$root", True, "$root"), (None, True, "$root")],
    ids=["to a message in it", "to its root", "to nothing"],
)
def test_in_a_thread_an_answer_is_a_genuine_reply_to_a_message_in_it(
    reply_to: str | None, is_falling_back: bool, shown_to: str
) -> None:
    place = Address(
        room_id=RoomID("!r"),
        reply_to=EventID(reply_to) if reply_to else None,
        thread=EventID("$root"),
    )
    (content,) = render("hi", address=place)

    assert content["m.relates_to"] == {
        "rel_type": "m.thread",
        "event_id": "$root",
        "is_falling_back": is_falling_back,
        "m.in_reply_to": {"event_id": shown_to},
    }


def test_a_reply_quotes_nobody() -> None:
    (content,) = render("hi")

    assert content["body"] == "hi"
    assert "mx-reply" not in content["formatted_body"]


def test_who_is_mentioned_is_named_once_and_may_be_linked() -> None:
    text = f"[Alice](https://matrix.to/#/{ALICE}), {ALICE}: done. Ask {BOB}."
    content = only(text, mentions=[ALICE, ALICE])

    assert content["m.mentions"] == {"user_ids": [ALICE]}
    assert f'<a href="https://matrix.to/#/{ALICE}">Alice</a>' in content["formatted_body"]
    assert content["body"].startswith(f"Alice, {ALICE}: done.")
    assert BOB not in content["body"] + content["formatted_body"]


@pytest.mark.parametrize(
    ("markdown", "plain"),
    [
        ("# Title\n\ntext", "Title\n\ntext"),
        ("one\ntwo  \nthree", "one\ntwo\nthree"),
        ("- a\n- b\n  - c\n\n3. x\n4. y", "- a\n- b\n  - c\n\n3. x\n4. y"),
        ("- a\n\n  more\n\n- b", "- a\n\n  more\n- b"),
        ("> q\n>> r\n\nafter", "> q\n>\n> > r\n\nafter"),
        ("~~no~~ `!help` ``a`b``", "no `!help` `` a`b ``"),
        ("[docs](https://e.org/x)", "docs (https://e.org/x)"),
        ("<https://e.org> <me@e.org>", "https://e.org me@e.org"),
        ("![graph](https://e.org/g.png)", "graph (https://e.org/g.png)"),
        ("![](https://e.org/g.png)", "https://e.org/g.png"),
        ("a\n\n---\n\nb", "a\n\n---\n\nb"),
        ("```py title=x\nprint(1)\n```", "```py\nprint(1)\n```"),
        ("    indented\n    code", "```\nindented\ncode\n```"),
        ("````\n```\n````", "````\n```\n````"),
        ("a &lt; b &amp; c", "a < b & c"),
        ("<b>raw</b>", "<b>raw</b>"),
    ],
)
def test_the_plain_body_reads_well_alone(markdown: str, plain: str) -> None:
    assert body(markdown) == plain


def test_lines_stay_lines_in_html() -> None:
    assert html("one\ntwo") == "<p>one<br>\ntwo</p>"


@pytest.mark.parametrize(
    "markdown", ["", "   ", "\n\n", "\u200b", "[](https://e.org)[]()", "[a]: https://e.org", "**"]
)
def test_a_body_is_never_empty(markdown: str) -> None:
    content = only(markdown)
    assert content["body"].strip("\u200b\u200d ")
    assert content["formatted_body"]


@pytest.mark.parametrize(
    "markdown", ["!redact all", "/kick bob", "  !x", "\n/x", "\\!x", "&#33;x"]
)
def test_no_reply_begins_like_a_command_for_another_bot(markdown: str) -> None:
    assert not body(markdown).strip().startswith(("!", "/"))


def test_a_command_in_code_can_still_be_copied() -> None:
    assert body("`!help` lists them") == "`!help` lists them"
    assert "<code>!help</code>" in html("`!help` lists them")


def test_an_edit_replaces_without_ringing_again() -> None:
    (content,) = render("better", mentions=[ALICE], max_bytes=MAX_EDIT_BYTES)
    edit = as_edit(content)

    assert edit["body"] == "* better"
    assert edit["msgtype"] == "m.text"
    assert edit["m.mentions"] == {}
    assert edit["m.relates_to"] == {"rel_type": "m.replace"}
    assert edit["m.new_content"]["body"] == "better"
    assert edit["m.new_content"]["formatted_body"] == "<p>better</p>"
    assert "m.relates_to" not in edit["m.new_content"]
    assert edit["org.lycatra.reply"] == content["org.lycatra.reply"]


def test_the_longest_edit_fits_into_an_event() -> None:
    (content, *_) = render('"&' * 40_000, max_bytes=MAX_EDIT_BYTES)

    assert encoded_size(as_edit(content)) < 60_000


def test_rendering_is_the_same_each_time() -> None:
    reply = Reply(markdown="# a\n\n- b " * 900, sender=UserID("@l:hs.test"), mentions=[BOB, ALICE])

    assert render_message(reply, ADDRESS, MARKER) == render_message(reply, ADDRESS, MARKER)
