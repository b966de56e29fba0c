"""Reading events that anybody may have sent."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lycatra_appservice.matrix.events import age_of, is_id, read_inbound
from lycatra_appservice.model import JSON

STORED_AT = 1_700_000_000_000


@pytest.mark.parametrize(
    ("value", "usable"),
    [
        ("$event", True),
        ("!room-of-version-12", True),
        ("@ß:hs.test", True),
        ("$" + "x" * 254, True),
        ("$" + "x" * 255, False),
        ("$" + "ß" * 128, False),
        ("", False),
        ("$a\0b", False),
        ("$a\nb", False),
        ("$\ud800", False),
        ("$\u202e", False),
        (7, False),
        (None, False),
        (["$event"], False),
        ({}, False),
        (True, False),
    ],
)
def test_an_id_is_short_printable_text(value: JSON, usable: bool) -> None:
    assert is_id(value) is usable


@pytest.mark.parametrize(
    ("pushed_ms", "origin", "age"),
    [
        (0, None, timedelta(0)),
        (5_000, STORED_AT - 1, timedelta(seconds=5)),  # the homeserver knows better
        (-5_000, None, timedelta(0)),
        (None, STORED_AT - 60_000, timedelta(minutes=1)),
        (None, STORED_AT + 60_000, timedelta(0)),  # a clock that is ahead
        (None, None, timedelta(0)),
        (None, "yesterday", timedelta(0)),
        (None, 1.5, timedelta(0)),
        (10**400, None, timedelta(milliseconds=10**12)),
        (None, -(10**400), timedelta(milliseconds=10**12)),
    ],
)
def test_age_is_the_homeservers_word_else_the_senders_clock(
    pushed_ms: int | None, origin: JSON, age: timedelta
) -> None:
    assert age_of({"origin_server_ts": origin}, pushed_ms, STORED_AT) == age


def read(content: JSON) -> JSON:
    ids = {"event_id": "$a", "room_id": "!r", "sender": "@p:hs.test"}
    return read_inbound({**ids, "content": content}, timedelta(0))


def test_an_edit_is_read_as_its_new_content() -> None:
    inbound = read(
        {
            "msgtype": "m.text",
            "body": "* new",
            "m.mentions": {"user_ids": ["@old:hs.test"]},
            "m.new_content": {
                "msgtype": "m.emote",
                "body": "new",
                "m.mentions": {"user_ids": ["@new:hs.test"]},
            },
            "m.relates_to": {"rel_type": "m.replace", "event_id": "$b"},
        }
    )

    assert inbound.replaces == "$b"
    assert (inbound.msgtype, inbound.body) == ("m.emote", "new")
    assert inbound.mentions == {"@new:hs.test"}


@pytest.mark.parametrize(
    ("falling_back", "reply_to"), [(True, None), (False, "$last"), (None, "$last")]
)
def test_relations_are_told_apart(falling_back: bool | None, reply_to: str | None) -> None:
    relation: dict[str, JSON] = {
        "rel_type": "m.thread",
        "event_id": "$root",
        "m.in_reply_to": {"event_id": "$last"},
    }
    if falling_back is not None:
        relation["is_falling_back"] = falling_back
    thread = read({"m.relates_to": relation})
    annotation = read({"m.relates_to": {"rel_type": "m.annotation", "event_id": "$b"}})

    assert (thread.thread, thread.reply_to, thread.replaces) == ("$root", reply_to, None)
    assert (annotation.thread, annotation.reply_to, annotation.replaces) == (None, None, None)


@pytest.mark.parametrize(("value", "hops"), [(2, 2), (-1, 0), (10**9, 0), ("2", 0), (None, 0)])
def test_a_count_of_hops_that_cannot_be_is_none(value: JSON, hops: int) -> None:
    assert read({"org.lycatra.hops": value}).hops == hops


KEYS = st.sampled_from(
    [
        *("msgtype", "body", "formatted_body", "m.mentions", "user_ids", "m.relates_to"),
        *("rel_type", "event_id", "m.in_reply_to", "m.new_content", "org.lycatra.hops", "x"),
    ]
)
WORDS = st.sampled_from(["m.text", "m.replace", "m.thread", "$a", "@lycatra:hs.test", "> <@a:b>"])
ANY = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9), WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, ANY))
def test_any_content_can_be_read(content: JSON) -> None:
    inbound = read(content)

    assert isinstance(inbound.body, str)
    assert all(is_id(user) for user in inbound.mentions)
