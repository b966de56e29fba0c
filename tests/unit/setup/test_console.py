"""Asking in a terminal, and telling without one."""

from io import StringIO

import pytest

from lycatra_appservice.setup.answers import SetupError
from lycatra_appservice.setup.console import Console


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def console(typed: str) -> tuple[Console, StringIO]:
    shown = StringIO()
    return Console(StringIO(typed), shown), shown


def a_number(text: str) -> int:
    if not text.isdecimal():
        raise SetupError("it should be a number")
    return int(text)


def test_an_answer_that_does_not_fit_is_asked_for_again() -> None:
    asks, shown = console("many\n12\n")
    assert asks.ask("How many", None, a_number) == 12
    assert "it should be a number" in shown.getvalue()
    assert shown.getvalue().count("How many: ") == 2


def test_enter_takes_the_default_and_insists_where_there_is_none() -> None:
    assert console("\n")[0].ask("How many", "3", a_number) == 3
    asks, shown = console("\n\n4\n")
    assert asks.ask("How many", None, a_number) == 4
    assert shown.getvalue().count("How many") == 3


@pytest.mark.parametrize(("typed", "chosen"), [("\n", 1), ("1\n", 0), ("7\nx\n3\n", 2)])
def test_a_choice_is_taken_by_its_number(typed: str, chosen: int) -> None:
    assert console(typed)[0].choose("Which?", ["a", "b", "c"], 1) == chosen


@pytest.mark.parametrize(
    ("typed", "answer"), [("\n", True), ("n\n", False), ("maybe\nYES\n", True)]
)
def test_yes_and_no_are_taken_in_words_and_letters(typed: str, answer: bool) -> None:
    assert console(typed)[0].confirm("Really?", default=True) is answer


def test_an_input_that_ends_says_how_to_answer_instead() -> None:
    with pytest.raises(SetupError, match="as options"):
        console("")[0].ask("How many", "3", a_number)


def test_a_log_shows_progress_only_when_it_changes() -> None:
    shown = StringIO()
    tells = Console(None, shown)
    for seconds in range(3):
        tells.show_progress("waiting", seconds)
    tells.show_progress("almost", 3)
    tells.say("done")
    assert shown.getvalue() == "  waiting …\n  almost …\ndone\n"


def test_a_terminal_shows_the_seconds_in_one_line_and_clears_it() -> None:
    shown = Terminal()
    tells = Console(None, shown)
    tells.show_progress("waiting", 1)
    tells.show_progress("waiting", 2)
    tells.say("done")
    assert shown.getvalue().count("\n") == 1
    assert "waiting … 2 s\r\x1b[2Kdone\n" in shown.getvalue()
