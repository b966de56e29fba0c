"""What is too long for a chat becomes a file; files follow the answer that they belong to."""

from collections.abc import Sequence
from typing import Any

import pytest

from lycatra_appservice.chat.attachments import long_text_in_file, rows_of
from lycatra_appservice.model import (
    Address,
    EventID,
    File,
    Outgoing,
    Reply,
    RoomID,
    SendKind,
    UserID,
)
from lycatra_appservice.words.catalogue import load_catalogue
from lycatra_appservice.words.text import Said
from tests.support.pictures import png

SENDER = UserID("@lycatra_logs:hs.test")
PERSON = UserID("@person:hs.test")
PLACE = Address(room_id=RoomID("!r"), reply_to=EventID("$question"))
THREAD = Address(room_id=RoomID("!r"), reply_to=EventID("$question"), thread=EventID("$root"))
MARKER = {"to": "$question", "kind": "message"}
LOGS = "**Logs**\n\n```log\n" + "\n".join(f"line {n} of the log" for n in range(900)) + "\n```"
TABLE = "| at | errors |\n|--|--|\n" + "\n".join(f"| 09:{n} | {n} |" for n in range(900))
CHART = File(
    name="chart.png", content_type="image/png", data=png(32, 8), description="Rising, slowly."
)


def rows(
    markdown: Said,
    *files: File,
    place: Address = PLACE,
    subject: str = "search_logs",
    language: str = "en",
) -> Sequence[Outgoing]:
    def say(said: Said) -> str:
        return load_catalogue().say(said, language)

    reply = Reply(
        markdown=markdown, sender=SENDER, files=files, subject=subject, mentions=[PERSON]
    )
    return rows_of(reply, place, MARKER, "table", say)


def contents(found: Sequence[Outgoing]) -> list[dict[str, Any]]:
    return [dict(row.content) for row in found if row.kind is SendKind.MESSAGE]


def test_a_long_text_is_a_summary_and_a_file_with_all_of_it() -> None:
    summary, upload, shown = rows(LOGS)

    body = summary.content["body"]
    assert body.startswith(
        "This is long: 904 lines, 18 kB. You find all of it in the file `search_logs.txt` below."
    )
    assert "line 0 of the log" in body
    assert "line 11 of the log\n```" in body
    assert "line 100 of the log" not in body
    assert upload.kind is SendKind.UPLOAD
    assert upload.content == {"content_type": "text/plain", "filename": "search_logs.txt"}
    assert upload.data == f"{LOGS}\n".encode()
    assert shown.content["msgtype"] == "m.file"
    assert shown.content["body"] == "search_logs.txt"
    assert shown.content["info"] == {"mimetype": "text/plain", "size": len(LOGS) + 1}
    assert {row.sender for row in (summary, upload, shown)} == {SENDER}
    assert shown.rows_back == 1


def test_the_summary_of_a_table_shows_its_first_rows_as_a_table() -> None:
    summary, *_ = contents(rows(TABLE))

    assert "<th>errors</th>" in summary["formatted_body"]
    assert "<td>09:12</td>" in summary["formatted_body"]
    assert "<td>09:13</td>" not in summary["formatted_body"]


@pytest.mark.parametrize(
    ("markdown", "is_long"),
    [
        ("x" * 12_000, False),
        ("x" * 12_001, True),
        ("x\n" * 200, False),
        ("x\n" * 201, True),
    ],
)
def test_what_a_person_can_read_in_a_chat_stays_in_it(markdown: str, is_long: bool) -> None:
    assert (len(rows(markdown)) == 3) is is_long


@pytest.mark.parametrize(
    "markdown", ["x" * 50_000, "x " * 50_000, "\U0001f600" * 50_000, "\n" * 50_000 + "x"]
)
def test_the_summary_is_short_whatever_the_text_is(markdown: str) -> None:
    summary, upload, _ = rows(markdown)

    assert len(summary.content["body"]) < 2000
    assert upload.data == (markdown.strip("\n") + "\n").encode()


def test_a_note_below_a_summary_is_no_part_of_its_code() -> None:
    found = long_text_in_file(Reply(markdown=LOGS, sender=SENDER))
    english = load_catalogue().say(found.markdown, "en")

    (content,) = contents(rows(f"{english}\n\n*more with limit=50*"))

    assert content["formatted_body"].endswith("</code></pre>\n<p><em>more with limit=50</em></p>")


def test_the_summary_is_in_the_language_of_who_asked_and_the_file_as_it_was() -> None:
    summary, upload, shown = rows(LOGS, language="de")

    assert summary.content["body"].startswith("Das ist lang: 904 Zeilen, 18 kB.")
    assert upload.data == f"{LOGS}\n".encode()
    assert "nicht hochladen" in shown.content["org.lycatra.instead"]


def test_files_of_a_tool_follow_the_answer_and_count_as_its_parts() -> None:
    found = rows("Here:", CHART, CHART)

    assert [row.kind for row in found] == [
        SendKind.MESSAGE,
        *[SendKind.UPLOAD, SendKind.MESSAGE] * 2,
    ]
    said, first, second = contents(found)
    assert (said["body"], first["msgtype"]) == ("Here:", "m.image")
    assert first["body"] == second["body"] == "Rising, slowly."
    marks = [content["org.lycatra.reply"] for content in (said, first, second)]
    assert [mark["part"] for mark in marks] == [1, 2, 3]
    assert {mark["of"] for mark in marks} == {3}


def test_the_file_of_a_long_text_comes_before_those_of_the_tool() -> None:
    shown = contents(rows(LOGS, CHART))

    assert [content["msgtype"] for content in shown] == ["m.text", "m.file", "m.image"]


def test_only_the_text_replies_and_mentions_and_all_stands_in_the_thread() -> None:
    said, shown = contents(rows("Here:", CHART))
    assert said["m.mentions"] == {"user_ids": [PERSON]}
    assert shown["m.mentions"] == {}
    assert "m.relates_to" not in shown

    said, shown = contents(rows("Here:", CHART, place=THREAD))
    assert said["m.relates_to"]["is_falling_back"] is False
    assert shown["m.relates_to"]["is_falling_back"] is True
    assert {c["m.relates_to"]["event_id"] for c in (said, shown)} == {"$root"}


def test_the_same_reply_gives_the_same_rows() -> None:
    assert rows(LOGS, CHART) == rows(LOGS, CHART)


def test_a_file_is_named_safely_whatever_it_is_about() -> None:
    _, upload, _ = rows(LOGS, subject="../../etc/@room")

    assert upload.content["filename"] == "_room.txt"


def test_control_characters_of_a_log_do_not_reach_somebodys_terminal() -> None:
    _, upload, _ = rows("\x1b[31mred\x1b[0m\n" * 300)

    assert upload.data is not None
    assert b"\x1b" not in upload.data
