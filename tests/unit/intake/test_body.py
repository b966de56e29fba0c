"""Reading a transaction's body, whatever somebody managed to get into it."""

import contextlib
import json
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lycatra_appservice.intake.body import NotJSONError, read_body, read_one_by_one
from lycatra_appservice.model import JSON

DEEP = b"[" * 100_000 + b"]" * 100_000
ENDLESS = b"9" * 5_000
NO_TEXT = b'{"body": "\xff\xfe"}'
UNSTABLE = "de.sorunome.msc2409.to_device"


def body_with(*events: bytes, **more: bytes) -> bytes:
    """A body whose events stand in it as they are given; `more` comes before them."""
    members = [*more.items(), ("events", b"[" + b",".join(events) + b"]")]
    return b"{" + b", ".join(b'"%s": %s' % (key.encode(), value) for key, value in members) + b"}"


@pytest.mark.parametrize("monster", [b'{"content": ' + DEEP + b"}", DEEP, ENDLESS, NO_TEXT])
def test_a_monstrous_event_costs_only_itself(monster: bytes) -> None:
    read = read_body(body_with(b'{"a": 1}', monster, b'{"b": "]}"}'))

    assert read.events == [{"a": 1}, {"b": "]}"}]
    assert read.unreadable == (monster,)


@pytest.mark.parametrize("name", ["to_device", UNSTABLE])
@pytest.mark.parametrize("monster", [b"{}", DEEP])
def test_messages_between_devices_are_read_beside_anything(name: str, monster: bytes) -> None:
    messages = b'[{"type": "m.room_key"}]'

    assert read_body(body_with(monster, **{name: messages})).keys.to_device == [
        {"type": "m.room_key"}
    ]


def test_a_monstrous_message_between_devices_costs_only_itself() -> None:
    read = read_body(body_with(b'{"a": 1}', **{UNSTABLE: b'[{"b": 1}, ' + DEEP + b"]"}))

    assert read.events == [{"a": 1}]
    assert read.keys.to_device == [{"b": 1}]
    assert read.unreadable == (DEEP,)


def test_the_stable_name_goes_before_the_unstable_one() -> None:
    both = {"to_device": b'["stable"]', UNSTABLE: b'["unstable"]'}

    assert read_body(body_with(**both)).keys.to_device == ["stable"]
    assert read_body(body_with(DEEP, **both)).keys.to_device == ["stable"]


def test_a_list_called_events_further_in_is_not_taken_for_the_events() -> None:
    read = read_body(body_with(b'{"a": 1}', DEEP, ephemeral=b'[{"events": [{"b": 1}]}]'))

    assert read.events == [{"a": 1}]


@pytest.mark.parametrize("monster", [b"", DEEP])
def test_of_two_lists_of_events_the_last_one_counts(monster: bytes) -> None:
    more = [monster] if monster else []

    assert read_body(body_with(b"2", *more, events=b"[1]")).events == [2]


@pytest.mark.parametrize(
    ("event", "read"),
    [
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'{"a": "\\u0000\\ud800"}', {"a": "\0\ud800"}),
        (b'{"a": -Infinity}', {"a": float("-inf")}),
        (b'"text"', "text"),
        (b"null", None),
        (b"\xf0\x9f\x91\x8d".join([b'"', b'"']), "\U0001f44d"),
    ],
)
def test_odd_but_readable_events_are_read(event: bytes, read: JSON) -> None:
    assert read_body(body_with(event)).events == [read]
    assert read_body(body_with(event, DEEP)).events == [read]


def test_a_body_of_many_megabytes_is_read() -> None:
    event = json.dumps({"body": "x" * 60_000}).encode()

    assert len(read_body(body_with(*[event] * 100)).events) == 100
    assert len(read_body(body_with(*[event] * 100, DEEP)).events) == 100


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"x",
        b"{",
        b"[]",
        b"7",
        b"null",
        b"{}",
        b'{"events": {}}',
        b'{"events": null}',
        b'{"events": [',
        b'{"events": [{"a": "',
        b'{"events": [}',
        b"\xff\xfe",
        DEEP,
        b'{"a": ' + DEEP + b"}",
        b'{"events": {"a": ' + DEEP + b"}}",
        b'{"events": [' + DEEP,
        b"{" * 100_000,
        b'{"events": ["' + b'\\"' * 50_000,
        b'{"\xff": [], "events": [' + ENDLESS,
    ],
)
def test_a_body_without_a_list_of_events_is_refused(raw: bytes) -> None:
    with pytest.raises(NotJSONError):
        read_body(raw)


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text())
    | st.floats(allow_nan=False)
    | st.sampled_from(['"', "\\", "[", "]", "{", "}", ",", ":", '\\"', "events"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(
    st.lists(VALUES),
    st.dictionaries(st.text(), VALUES, max_size=4),
    st.booleans(),
    st.sampled_from([None, 1]),
)
def test_ordinary_bodies_read_the_same_one_by_one(
    events: Sequence[JSON], more: Mapping[str, JSON], ascii_only: bool, indent: int | None
) -> None:
    whole = {**more, "events": events, UNSTABLE: events}
    raw = json.dumps(whole, ensure_ascii=ascii_only, indent=indent).encode(errors="replace")

    assert read_one_by_one(raw) == read_body(raw)


@given(st.binary())
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    for text in (raw, b'{"events": [' + raw, b'{"events": [' + raw + b"]}"):
        for read in (read_body, read_one_by_one):
            with contextlib.suppress(NotJSONError):
                assert isinstance(read(text).events, list)
