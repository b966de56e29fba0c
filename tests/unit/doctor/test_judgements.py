"""What is said about a homeserver, from what it says about itself."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from lycatra_appservice.doctor.address import NoHomeserverError, Seen
from lycatra_appservice.doctor.findings import (
    Finding,
    Level,
    as_json,
    error,
    has_errors,
    lines_of,
    masked,
    ok,
    skipped,
    summary,
    warning,
)
from lycatra_appservice.doctor.homeserver import judge_address, judge_clock, judge_encryption
from lycatra_appservice.doctor.synapse_version import (
    NEWEST_TRIED,
    OLDEST,
    Software,
    judge_version,
)

SEEN = Seen(
    url="http://hs",
    took=timedelta(milliseconds=12),
    features={},
    server="Synapse/1.163.2",
    clock_ahead=timedelta(0),
)
BAD = error("b", "broken", why="it matters", fix="key: value")


@pytest.mark.parametrize(
    ("software", "level"),
    [
        (Software("Synapse", OLDEST), Level.OK),
        (Software("Synapse", NEWEST_TRIED), Level.OK),
        (Software("Synapse", (OLDEST[0], OLDEST[1] - 1)), Level.ERROR),
        (Software("Synapse", (NEWEST_TRIED[0], NEWEST_TRIED[1] + 9)), Level.OK),
        (Software("Synapse", (NEWEST_TRIED[0] + 1, 0)), Level.WARNING),
        (Software("Dendrite", None), Level.WARNING),
        (Software("", None), Level.WARNING),
    ],
)
def test_a_version_is_held_against_the_supported_range(software: Software, level: Level) -> None:
    finding = judge_version(software)
    assert finding.level is level
    assert "1.141" in f"{finding.what}{finding.why}{finding.fix}" or level is Level.OK


def test_the_newest_version_tried_is_the_one_that_the_tests_install() -> None:
    pinned = (Path(__file__).parents[3] / "requirements" / "synapse.txt").read_text("utf-8")
    major, minor = NEWEST_TRIED
    assert f"\nmatrix-synapse=={major}.{minor}." in f"\n{pinned}"


@pytest.mark.parametrize(
    ("ahead", "level", "words"),
    [
        (timedelta(seconds=2), Level.OK, "agree"),
        (timedelta(seconds=-29), Level.OK, "agree"),
        (timedelta(seconds=90), Level.WARNING, "90 s ahead of this one"),
        (timedelta(minutes=-5), Level.WARNING, "300 s behind this one"),
        (None, Level.OK, "does not tell"),
    ],
)
def test_clocks_that_differ_are_told_with_the_difference(
    ahead: timedelta | None, level: Level, words: str
) -> None:
    finding = judge_clock(replace(SEEN, clock_ahead=ahead))
    assert (finding.level, words in finding.what) == (level, True)


@pytest.mark.parametrize("preset", ["private", "trusted_private"])
def test_encryption_by_default_names_the_line_of_homeserver_yaml(preset: str) -> None:
    seen = replace(SEEN, features={f"io.element.e2ee_forced.{preset}": True})
    finding = judge_encryption(seen)
    assert finding.level is Level.WARNING
    assert "encryption_enabled_by_default_for_room_type" in str(finding.fix)
    assert judge_encryption(SEEN).level is Level.OK


def test_an_address_is_well_slow_or_wrong() -> None:
    assert judge_address(SEEN).what == "http://hs answers in 12 ms"
    assert judge_address(replace(SEEN, took=timedelta(seconds=4))).level is Level.WARNING
    assert "homeserver.url" in str(judge_address(NoHomeserverError("http://hs is gone")).fix)


def test_people_read_what_why_and_what_to_do() -> None:
    assert lines_of(BAD).splitlines() == [
        "error      b: broken",
        "           why: it matters",
        "           do:  key: value",
    ]
    assert lines_of(ok("a", "fine")) == "ok         a: fine"


def test_findings_are_counted_and_only_errors_fail() -> None:
    found = [ok("a", "fine"), skipped("s", "not asked"), warning("w", "odd", why="x", fix="y")]
    assert (summary(found), has_errors(found)) == ("no errors, 1 warning", False)
    assert (summary([*found, BAD, BAD]), has_errors([BAD])) == ("2 errors, 1 warning", True)


def test_programs_read_json() -> None:
    read = json.loads(as_json([ok("a", "fine"), BAD]))
    assert read["ok"] is False
    assert read["findings"] == [
        {"check": "a", "level": "ok", "what": "fine", "why": None, "fix": None},
        {
            "check": "b",
            "level": "error",
            "what": "broken",
            "why": "it matters",
            "fix": "key: value",
        },
    ]


def test_a_secret_is_masked_wherever_it_stands() -> None:
    finding = Finding(check="c", level=Level.OK, what="a S", why="b S", fix="c S")
    shown = masked(finding, lambda text: text.replace("S", "***"))
    assert (shown.what, shown.why, shown.fix) == ("a ***", "b ***", "c ***")
