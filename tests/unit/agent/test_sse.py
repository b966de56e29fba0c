import json

import pytest

from lycatra_appservice.agent.sse import MAX_EVENT_BYTES, EventReader, GarbledAnswerError


def read(*chunks: bytes) -> list[str]:
    reader = EventReader()
    return [*(data for chunk in chunks for data in reader.feed(chunk)), *reader.finish()]


@pytest.mark.parametrize(
    "stream",
    [
        b"data: one\n\ndata: two\n\n",
        b"data:one\n\ndata:two\n\n",
        b"data: one\r\n\r\ndata: two\r\n\r\n",
        b"data: one\r\rdata: two\r\r",
        b": keep-alive\n\nevent: x\nid: 1\ndata: one\n\n:\n\ndata: two",
        b"data: one\ndata: two\n",
        b"\n\ndata: one\n\ndata:\n\ndata: two\n\n",
    ],
)
def test_every_way_of_writing_events_is_read_wherever_it_is_cut(stream: bytes) -> None:
    assert read(stream) == ["one", "two"]
    assert read(*(stream[at : at + 1] for at in range(len(stream)))) == ["one", "two"]


def test_a_character_cut_by_the_network_arrives_whole() -> None:
    event = "data: grün 😀\n\n".encode()
    for cut in range(len(event)):
        assert read(event[:cut], event[cut:]) == ["grün 😀"]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x0b", "\x1c"])
def test_a_line_separator_inside_a_string_ends_no_line(separator: str) -> None:
    text = json.dumps(f"a{separator}b", ensure_ascii=False)
    assert read(f"data: {text}\n\n".encode()) == [text]


def test_an_endless_line_is_refused() -> None:
    reader = EventReader()
    block = b"x" * (1024 * 1024)
    for _ in range(MAX_EVENT_BYTES // len(block)):
        reader.feed(block)
    with pytest.raises(GarbledAnswerError):
        reader.feed(block)


def test_an_error_field_is_an_error_object() -> None:
    assert read(b'error: {"code":500}\n\n') == ['{"error": {"code":500}}']
