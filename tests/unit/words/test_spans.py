"""Spans of time in words."""

from datetime import timedelta

import pytest

from lycatra_appservice.words.catalogue import load_catalogue
from lycatra_appservice.words.spans import at_least, in_seconds, roughly


@pytest.mark.parametrize(
    ("length", "over", "to_wait"),
    [
        (timedelta(0), "a second", "a second"),
        (timedelta(seconds=1.4), "a second", "2 seconds"),
        (timedelta(seconds=59), "59 seconds", "59 seconds"),
        (timedelta(seconds=60), "a minute", "a minute"),
        (timedelta(seconds=61), "a minute", "2 minutes"),
        (timedelta(minutes=119), "119 minutes", "119 minutes"),
        (timedelta(hours=2, minutes=20), "2 hours", "3 hours"),
        (timedelta(hours=47), "47 hours", "47 hours"),
        (timedelta(days=6, hours=20), "7 days", "7 days"),
    ],
)
def test_a_span_has_one_unit(length: timedelta, over: str, to_wait: str) -> None:
    say = load_catalogue().say

    assert say(roughly(length), "en") == over
    assert say(at_least(length), "en") == to_wait


def test_german_spans_fit_behind_their_prepositions() -> None:
    say = load_catalogue().say

    assert say(roughly(timedelta(minutes=1)), "de") == "einer Minute"
    assert say(roughly(timedelta(days=3)), "de") == "3 Tagen"


def test_a_limit_is_told_as_it_was_set() -> None:
    assert load_catalogue().say(in_seconds(timedelta(seconds=0.5)), "en") == "0.5 seconds"
