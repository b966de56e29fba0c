from datetime import date
from pathlib import Path

import pytest

from lycatra_appservice.model import JSON
from tests.transcripts.facts import holds, not_told
from tests.transcripts.judging import differences
from tests.transcripts.playing import Played
from tests.transcripts.stand_ins import Made
from tests.transcripts.transcript import (
    Call,
    Fact,
    Transcript,
    WrongTranscriptError,
    load,
    shipped,
)

STATUS = Call.model_validate({"call": "get_service_status", "with": {"service": "wiki"}})


def entry(**more: object) -> Transcript:
    """A transcript with one call, unless `more` says otherwise."""
    fields = {"name": "x", "question": "?", "answer": "Up.", "calls": [STATUS], **more}
    return Transcript.model_validate(fields)


def made(
    call: Call | None = STATUS, *, arguments: JSON = None, mistake: str | None = None
) -> Made:
    given = {"service": "wiki"} if arguments is None else arguments
    return Made(tool="get_service_status", arguments=given, expected=call, mistake=mistake)


def played(answer: str, *calls: Made, failed: str | None = None) -> Played:
    return Played(answer=answer, made=calls, asked_people=(), failed=failed)


@pytest.mark.parametrize(
    ("answer", "fact"),
    [
        ("shop **2.3.0** is out", "2.3.0"),
        ("It was 2.3.0.", "2.3.0"),
        ("zwei Rechnungen", "rechnung*"),
        ("on the 21st of November", {"day": "2026-11-21"}),
        ("am 21. November", {"day": "2026-11-21"}),
        ("Nov 21, 2026", {"day": "2026-11-21"}),
        ("am 21.11.", {"day": "2026-11-21"}),
        ("2026-11-21T10:12", {"day": "2026-11-21"}),
        ("at 4:12 am", {"time": "04:12"}),
        ("um 16:40 Uhr", {"time": "16:40"}),
        ("at 4:40 PM", {"time": "16:40"}),
        ("three times", {"number": 3}),
        ("dreimal? Nein: drei", {"number": 3}),
        ("I do not know", ["unknown", "do not know"]),
    ],
)
def test_a_fact_is_found_however_it_is_said(answer: str, fact: object) -> None:
    assert holds(answer, Fact.model_validate(fact))


@pytest.mark.parametrize(
    ("answer", "fact"),
    [
        ("shop 2.3.0", "2.3"),
        ("shop 12.3.0", "2.3.0"),
        ("shopping", "shop"),
        ("on 1 November", {"day": "2026-11-21"}),
        ("at 14:12", {"time": "04:12"}),
        ("30 times", {"number": 3}),
    ],
)
def test_a_fact_is_not_found_in_something_else(answer: str, fact: object) -> None:
    assert not holds(answer, Fact.model_validate(fact))


def test_what_nothing_told_is_seen() -> None:
    told = ['{"version": "2.3.0", "date": "2026-11-21T16:40:00+01:00", "by": "@a:x.org"}']
    answer = """\
1. shop 2.3.0 and 2.4.0 on 21 November at 4:40 pm and 17:00, by @a:x.org and @b:x.org,
   see https://x.org/made-up."""
    assert not_told(answer, told, ()) == ["17:00", "2.4.0", "@b:x.org", "https://x.org/made-up"]
    known = [Fact(time="17:00"), Fact(any=("2.4.0",)), Fact(any=("@b:x.org",))]
    assert not_told(answer, told, known) == ["https://x.org/made-up"]


def test_a_good_play_has_no_differences() -> None:
    assert differences(entry(facts=["up"]), played("It is up.", made())) == []


@pytest.mark.parametrize(
    ("transcript", "play", "difference"),
    [
        (entry(), played("", failed="The model is away."), "no answer: The model is away."),
        (entry(), played("Up."), 'did not call get_service_status {"service": "wiki"}'),
        (
            entry(),
            played("Up.", made(), made(None, arguments={})),
            "called get_service_status {}, which nobody expects",
        ),
        (entry(facts=["wiki"]), played("Up.", made()), "does not say: wiki"),
        (entry(never=["down"]), played("Down.", made()), "must not say: down"),
        (entry(), played("Since 12:34.", made()), "says 12:34, which nothing told it"),
        (
            entry(),
            played("Das Wiki läuft nicht und ist kaputt.", made()),
            "answers in de, not en",
        ),
        (entry(asks_back=True), played("Up.", made()), "does not ask back"),
    ],
)
def test_each_difference_is_told(transcript: Transcript, play: Played, difference: str) -> None:
    assert differences(transcript, play) == [difference]


def test_a_call_that_the_gate_sent_back_may_be_repaired() -> None:
    assert differences(entry(), played("Up.", made(None, mistake="No."), made())) == []


def test_one_of_several_calls_is_enough() -> None:
    instead = Call.model_validate({"call": "get_service_status", "instead": True})
    transcript = entry(calls=[STATUS, instead])
    assert differences(transcript, played("Up.", made(instead))) == []


def test_arguments_fit_by_value_and_not_by_how_they_are_written() -> None:
    call = Call.model_validate(
        {"call": "x", "with": {"since": ["7"], "limit?": {"least": 2, "most": 9}}}
    )
    defaults = {"since": None, "limit": 10, "query": None}
    assert call.fits({**defaults, "since": "7"}, defaults)
    assert call.fits({**defaults, "since": "7", "limit": 5}, defaults)
    assert not call.fits(defaults, defaults)
    assert not call.fits({**defaults, "since": "7", "limit": 1}, defaults)
    assert not call.fits({**defaults, "since": "7", "query": "shop"}, defaults)


@pytest.mark.parametrize(
    "text",
    [
        "- {name: a, question: q, answer: x, unknown: 1}",
        "- {name: a, question: q, answer: x, calls: [{call: t, beside: true}]}",
        "- {name: a, question: q, answer: x, facts: [{day: soon}]}",
        "- {name: a, question: q, answer: x}\n- {name: a, question: q, answer: x}",
        "- just words",
    ],
)
def test_a_mistake_in_a_file_names_the_entry(tmp_path: Path, text: str) -> None:
    (tmp_path / "some.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(WrongTranscriptError, match="a"):
        load(tmp_path)


def test_sunday_is_what_the_transcripts_call_today() -> None:
    assert {each.now.date() for each in shipped()} >= {date(2026, 11, 22)}
    assert date(2026, 11, 22).strftime("%A") == "Sunday"
