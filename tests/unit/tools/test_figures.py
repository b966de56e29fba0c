"""Figures in units that keep them short."""

import pytest

from lycatra_appservice.tools._figures import scale_of, shown


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (12.5, "", "12.5"),
        (12.5, "%", "12.5 %"),
        (1234.0, "", "1234"),
        (1234567.0, "", "1.235 M"),
        (12345.0, "req/s", "12.35 kreq/s"),
        (0.0, "B", "0 B"),
        (1023.0, "B", "1023 B"),
        (1.5 * 1024**3, "bytes", "1.5 GiB"),
        (2048.0, "B/s", "2 KiB/s"),
        (0.0, "s", "0 s"),
        (0.0123, "s", "12.3 ms"),
        (0.000002, "seconds", "2 µs"),
        (90.0, "s", "90 s"),
        (600.0, "s", "10 min"),
        (93600.0, "s", "26 h"),
        (864000.0, "s", "10 d"),
        (-2048.0, "B", "-2 KiB"),
        (5e12, "bit/s", "5 Tbit/s"),
        (3e25, "", "3e+10 P"),
        (float("nan"), "s", "no number"),
        (float("inf"), "s", "∞"),
    ],
)
def test_a_figure_is_shown_in_the_unit_that_keeps_it_short(
    value: float, unit: str, words: str
) -> None:
    assert shown(value, unit) == words


def test_a_whole_picture_has_one_unit_that_of_its_largest_value() -> None:
    scale = scale_of([0.001, 2.0, float("inf")], "s")

    assert (scale.factor, scale.unit) == (1.0, "s")
