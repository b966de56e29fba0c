"""Files as the content of events: images as such, everything else as a file, all of it safe."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lycatra_appservice.matrix.files import render_file, safe_name, upload_content
from lycatra_appservice.model import JSON, Address, EventID, File, RoomID
from tests.support.pictures import png
from tests.unit.matrix.rendering import BOB

PLACE = Address(room_id=RoomID("!r"), reply_to=EventID("$question"))
MARKER = {"to": "$question", "kind": "message", "part": 2, "of": 2}


def a_file(
    name: str = "usage.csv",
    content_type: str = "text/csv",
    data: bytes = b"a,b\n",
    description: str = "",
) -> File:
    return File(name=name, content_type=content_type, data=data, description=description)


def shown(file: File, place: Address = PLACE) -> dict[str, JSON]:
    return render_file(file, place, MARKER, "It was not uploaded.")


def test_a_file_is_shown_by_its_name() -> None:
    assert upload_content(a_file()) == {"content_type": "text/csv", "filename": "usage.csv"}
    assert shown(a_file()) == {
        "msgtype": "m.file",
        "body": "usage.csv",
        "filename": "usage.csv",
        "info": {"mimetype": "text/csv", "size": 4},
        "m.mentions": {},
        "org.lycatra.reply": MARKER,
        "org.lycatra.instead": "It was not uploaded.",
    }


def test_an_image_has_its_size_and_says_in_words_what_is_on_it() -> None:
    content = shown(a_file("chart.png", "image/png", png(320, 80), "Tokens a day,\nrising."))

    assert content["msgtype"] == "m.image"
    assert content["body"] == "Tokens a day, rising."
    assert content["filename"] == "chart.png"
    assert content["info"] == {
        "mimetype": "image/png",
        "size": len(png(320, 80)),
        "w": 320,
        "h": 80,
    }


def test_what_only_calls_itself_an_image_is_a_file() -> None:
    svg = a_file("chart.png", "image/png", b"<svg onload='alert(1)'/>")

    assert shown(svg)["msgtype"] == "m.file"
    assert "w" not in shown(svg)["info"]


def test_an_image_that_calls_itself_something_else_is_sent_as_what_it_is() -> None:
    file = a_file("chart", "text/html", png(3, 2))

    assert upload_content(file)["content_type"] == "image/png"
    assert shown(file)["info"]["mimetype"] == "image/png"


@pytest.mark.parametrize(
    ("declared", "sent"),
    [
        ("text/plain; charset=utf-8", "text/plain"),
        ("TEXT/CSV", "text/csv"),
        ("application/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.text"),
        ("", "application/octet-stream"),
        ("text", "application/octet-stream"),
        ("text/plain\r\nX-Evil: 1", "application/octet-stream"),
        ("text/plain\x00", "application/octet-stream"),
        ("x" * 200 + "/y", "application/octet-stream"),
    ],
)
def test_only_a_type_that_is_one_is_sent(declared: str, sent: str) -> None:
    assert upload_content(a_file(content_type=declared))["content_type"] == sent


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("report.csv", "report.csv"),
        ("Über uns (1).pdf", "Über uns (1).pdf"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("../", "file"),
        ("..", "file"),
        ("", "file"),
        (".hidden", "hidden"),
        ("!redact.txt", "redact.txt"),
        ("a\nb\x00c\x1b[31m.txt", "ab_c_[31m.txt"),
        ("evil\u202etxt.exe", "eviltxt.exe"),
        ("a:b?.txt", "a_b_.txt"),
        ("@room.txt", "_room.txt"),
        ("a`b`.txt", "a_b_.txt"),
        ("x" * 300 + ".txt", "x" * 76 + ".txt"),
        ("x." + "y" * 300, "x." + "y" * 19),
    ],
)
def test_a_name_stays_in_its_folder_and_shows_what_it_is(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@given(st.text(st.characters(codec=None), max_size=200))
def test_any_name_becomes_one_that_every_system_takes(name: str) -> None:
    safe = safe_name(name)

    assert 0 < len(safe) <= 80
    assert safe == safe.strip()
    assert not set(safe) & set('/\\<>:"|?*@\n\r\t\x00')
    assert safe not in {".", ".."}
    safe.encode()  # no lone surrogate
    assert safe_name(safe) == safe


def test_a_description_rings_nobody_and_is_no_command() -> None:
    content = shown(a_file(description=f"@room {BOB} " + "x" * 2000))
    assert "@room" not in content["body"]
    assert BOB not in content["body"]
    assert len(content["body"]) < 1010
    assert not shown(a_file(description="!kick all"))["body"].startswith("!")


def test_a_file_stands_in_the_thread_and_is_no_reply_of_its_own() -> None:
    thread = Address(room_id=RoomID("!r"), reply_to=EventID("$q2"), thread=EventID("$root"))

    assert "m.relates_to" not in shown(a_file())
    assert shown(a_file(), thread)["m.relates_to"] == {
        "rel_type": "m.thread",
        "event_id": "$root",
        "is_falling_back": True,
        "m.in_reply_to": {"event_id": "$q2"},
    }
