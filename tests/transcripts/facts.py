"""Whether an answer holds a fact, however it says it, and whether it holds what nobody told it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Final

from tests.transcripts.transcript import Fact

_MONTHS: Final = (
    ("january", "januar"),
    ("february", "februar"),
    ("march", "märz"),
    ("april", "april"),
    ("may", "mai"),
    ("june", "juni"),
    ("july", "juli"),
    ("august", "august"),
    ("september", "september"),
    ("october", "oktober"),
    ("november", "november"),
    ("december", "dezember"),
)
_NUMBERS: Final = {
    0: ("no", "none", "zero", "kein*", "null"),
    1: ("one", "ein*"),
    2: ("two", "both", "zwei", "beide*"),
    3: ("three", "drei"),
    4: ("four", "vier"),
    5: ("five", "fünf"),
    6: ("six", "sechs"),
}
_MARKS: Final = str.maketrans({"*": "", "`": "", "\u00a0": " ", "\u202f": " ", "\u2011": "-"})
_DIGITS: Final = re.compile(r"\d+(?:[.:,]\d+)*")
_PEOPLE: Final = re.compile(r"@[\w.=/-]+:[\w.-]*\w")
_ADDRESS: Final = re.compile(r"https?://[^\s)>\]]*[^\s)>\].,;:!?]")
_LIST_NUMBER: Final = re.compile(r"^\s*\d{1,2}[.)]\s", re.MULTILINE)
_MOMENT: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d))?")
_CLOCK: Final = re.compile(r"(?<!\d)(\d\d):(\d\d)(?!\d)")


def holds(answer: str, fact: Fact) -> bool:
    """Whether the answer says it, in one of the ways."""
    said = _plain(answer)
    return any(re.search(_pattern(way), said) for way in _ways(fact))


def not_told(answer: str, sources: Sequence[str], facts: Sequence[Fact]) -> Sequence[str]:
    """Numbers, versions, people and addresses in an answer that stand in no source.

    That is how a model shows that it has made something up. Facts are sources, too; parts of a
    date and of a time may be said in any form.
    """
    known = {token for source in sources for token in _known_in(source)}
    known |= {token for fact in facts for way in _ways(fact) for token in _known_in(way)}
    said = _LIST_NUMBER.sub(" ", answer)
    return sorted({token for token in _tokens(said) if token not in known})


def _plain(text: str) -> str:
    return " ".join(text.translate(_MARKS).casefold().split())


def _pattern(way: str) -> str:
    """The way as a whole word, so that 2.4 is not found in 2.4.1."""
    stem, star, _ = _plain_fact(way).partition("*")
    end = r"\w*" if star else r"(?![\w%]|[.,:]\d)"
    return rf"(?<!\w)(?<!\d[.,:]){re.escape(stem)}{end}"


def _plain_fact(way: str) -> str:
    return " ".join(way.casefold().split())


def _ways(fact: Fact) -> Sequence[str]:
    if fact.day is not None:
        return list(_days(fact.day))
    if fact.time is not None:
        return list(_times(fact.time))
    if fact.number is not None:
        return [str(fact.number), *_NUMBERS.get(fact.number, ())]
    return fact.any


def _days(day: date) -> Iterator[str]:
    yield f"{day.isoformat()}*"  # with a time behind it, too
    yield f"{day.day}.{day.month}."
    yield f"{day.day:02}.{day.month:02}."
    yield f"{day.day}.{day.month}.{day.year}"
    yield f"{day.day:02}.{day.month:02}.{day.year}"
    for month in _MONTHS[day.month - 1]:
        for name in (month, month[:3]):
            yield from (f"{day.day} {name}*", f"{day.day}. {name}*")
            yield from (f"{day.day}{_th(day)} {name}*", f"{day.day}{_th(day)} of {name}*")
            yield from (f"{name} {day.day}", f"{name}. {day.day}", f"{name} {day.day}{_th(day)}")


def _th(day: date) -> str:
    if day.day in {11, 12, 13}:
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10, "th")


def _times(clock: str) -> Iterator[str]:
    hour, minute = (int(part) for part in clock.split(":"))
    yield from (clock, f"{hour}:{minute:02}", f"{hour}.{minute:02}", clock + ":00")
    half = "am" if hour < 12 else "pm"
    for space in ("", " "):
        yield f"{hour % 12 or 12}:{minute:02}{space}{half}"
        if minute == 0:
            yield f"{hour % 12 or 12}{space}{half}"
    if minute == 0:
        yield f"{hour} uhr"


def _tokens(text: str) -> Iterator[str]:
    for found in (_PEOPLE, _ADDRESS):
        yield from (token.casefold() for token in found.findall(text))
        text = found.sub(" ", text)
    yield from _DIGITS.findall(text)


def _known_in(source: str) -> Iterator[str]:
    yield from _tokens(source)
    yield from _DIGITS.findall(source)
    for moment in _MOMENT.finditer(source):
        yield from _parts_of(moment)
    for hour, minute in _CLOCK.findall(source):
        yield from _clock(int(hour), int(minute))


def _parts_of(moment: re.Match[str]) -> Iterable[str]:
    year, month, day = (int(moment[n]) for n in (1, 2, 3))
    forms = {f"{day}.{month}", f"{day:02}.{month:02}"}
    forms |= {f"{form}.{year}" for form in forms}
    return {str(year), str(month), str(day), f"{month:02}", f"{day:02}", *forms}


def _clock(hour: int, minute: int) -> Iterable[str]:
    early = hour % 12 or 12
    exact = {f"{hour:02}:{minute:02}", f"{hour}:{minute:02}", f"{early}:{minute:02}"}
    return exact | {f"{hour}.{minute:02}"} | ({str(hour), str(early)} if minute == 0 else set())
