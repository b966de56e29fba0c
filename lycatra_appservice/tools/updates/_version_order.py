"""Which of two versions is the newer one, and when two are the same; pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_FORM: Final = re.compile(
    r"[vV]?(?P<numbers>\d{1,9}(?:\.\d{1,9}){0,4})"
    r"(?:-(?P<pre>[0-9A-Za-z.-]+)|(?P<letters>[A-Za-z][0-9A-Za-z.-]*))?"
    r"(?:\+[0-9A-Za-z.-]+)?"
)
_SURE: Final = re.compile(r"[vV](\d{1,9}\.\d{1,9}\.\d{1,9}(?:[-+].*)?)")


@dataclass(frozen=True, slots=True, order=True)
class Order:
    """Sorts as semantic versions do; what stands behind `+` counts for nothing."""

    numbers: tuple[int, ...]
    is_final: bool
    pre: tuple[tuple[bool, int, str], ...] = ()


def order_of(version: str) -> Order | None:
    """Where a version stands; None for a name that nobody can say that of."""
    found = _FORM.fullmatch(version)
    if found is None:
        return None
    numbers = [int(each) for each in found["numbers"].split(".")]
    while len(numbers) > 1 and not numbers[-1]:
        numbers.pop()
    pre = found["pre"] or found["letters"] or ""
    return Order(
        numbers=tuple(numbers),
        is_final=not pre,
        pre=tuple(_part(each) for each in pre.split(".")) if pre else (),
    )


def is_newer(version: str, other: str) -> bool | None:
    """Whether it is newer than the other one; None where nobody can say."""
    mine, its = order_of(version), order_of(other)
    return None if mine is None or its is None else mine > its


def plain(version: str) -> str:
    """`1.2.0` for `v1.2.0`, which surely is the same; everything else as it is."""
    found = _SURE.fullmatch(version)
    return found[1] if found else version


def newest_first(versions: Sequence[str]) -> list[str]:
    """Sorted; what has no place in the order comes last, as it came."""
    known = [(order, each) for each in versions if (order := order_of(each)) is not None]
    known.sort(key=lambda each: each[0], reverse=True)
    named = [each for _, each in known]
    return [*named, *(each for each in versions if order_of(each) is None)]


def _part(text: str) -> tuple[bool, int, str]:
    # Numbers come before words.
    return (False, int(text), "") if text.isdecimal() and len(text) < 10 else (True, 0, text)
