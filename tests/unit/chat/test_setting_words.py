"""What somebody wants who writes `!settings …`."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lycatra_appservice.chat.room_settings import RoomSettings
from lycatra_appservice.chat.setting_words import (
    Choose,
    Setting,
    ShowAll,
    ShowOne,
    UnknownSetting,
    UnknownValue,
    make_settings,
    read_wish,
)
from lycatra_appservice.model import JSON
from lycatra_appservice.settings import Rooms
from lycatra_appservice.words.catalogue import load_catalogue

SETTINGS = make_settings(load_catalogue().languages, ["home", "cloud"])
BY_NAME = {setting.name: setting for setting in SETTINGS}
ROOMS_PAGE = Path(__file__).parents[3] / "docs" / "ROOMS.md"


@pytest.mark.parametrize(
    ("written", "name", "value"),
    [
        ("reply plain", "reply", "plain"),
        ("reply=plain", "reply", "plain"),
        ("reply = plain", "reply", "plain"),
        ("reply: plain", "reply", "plain"),
        ("Reply Plain", "reply", "plain"),
        ("  reply   thread  ", "reply", "thread"),
        ("`reply plain`", "reply", "plain"),
        ("reply `plain`", "reply", "plain"),
        ("reply 'auto'.", "reply", "auto"),
        ("reply default", "reply", None),
        ("reply=DEFAULT", "reply", None),
        ("virtual_users label", "virtual_users", "label"),
        ("virtual users on demand", "virtual_users", "on_demand"),
        ("virtual-users: on-demand", "virtual_users", "on_demand"),
        ("VirtualUsers=all", "virtual_users", "all"),
        ("stream off", "stream", "off"),
        ("tables list", "tables", "list"),
        ("language de", "language", "de"),
        ("language deutsch", "language", "de"),
        ("language English", "language", "en"),
        ("language auto", "language", "auto"),
        ("quiet welcome", "quiet", ["welcome"]),
        ("quiet edited, welcome", "quiet", ["welcome", "edited"]),
        ("quiet welcome edited", "quiet", ["welcome", "edited"]),
        ("quiet=welcome,too old", "quiet", ["welcome", "too_old"]),
        ("quiet too old", "quiet", ["too_old"]),
        ("quiet welcome,", "quiet", ["welcome"]),
        ("quiet none", "quiet", []),
        ("quiet default", "quiet", None),
        ("model cloud", "model", "cloud"),
        ("model: auto", "model", "auto"),
        ("local_only on", "local_only", "on"),
        ("local only off", "local_only", "off"),
    ],
)
def test_people_write_a_change_in_many_ways(written: str, name: str, value: JSON) -> None:
    assert read_wish(written, SETTINGS) == Choose(BY_NAME[name], value)


@pytest.mark.parametrize("written", ["", "  ", "``"])
def test_without_a_name_all_are_shown(written: str) -> None:
    assert read_wish(written, SETTINGS) == ShowAll()


@pytest.mark.parametrize("written", ["reply", "reply:", "`reply`", "Reply ="])
def test_a_name_alone_is_explained(written: str) -> None:
    assert read_wish(written, SETTINGS) == ShowOne(BY_NAME["reply"])


@pytest.mark.parametrize(
    ("written", "word", "likely"),
    [
        ("replay plain", "replay", "reply"),
        ("strem=off", "strem", "stream"),
        ("virtual label", "virtual", "virtual_users"),
        ("replyplain", "replyplain", "reply"),
        ("nonsense `x` y", "nonsense", None),
        ("=", "=", None),
    ],
)
def test_an_unknown_name_gets_the_likely_one(written: str, word: str, likely: str | None) -> None:
    assert read_wish(written, SETTINGS) == UnknownSetting(word, likely)


@pytest.mark.parametrize(
    ("written", "name", "word", "likely"),
    [
        ("reply plian", "reply", "plian", "plain"),
        ("reply in a thread please", "reply", "in a thread please", None),
        ("reply none", "reply", "none", None),
        ("language fr", "language", "fr", None),
        ("language germn", "language", "germn", None),
        ("quiet welcom", "quiet", "welcom", "welcome"),
        ("model clowd", "model", "clowd", "cloud"),
        ("model gpt-9", "model", "gpt-9", None),
        ("quiet welcome, hint", "quiet", "hint", "hints"),
        ("stream `a` b", "stream", "a' b", None),
    ],
)
def test_an_unknown_value_gets_the_likely_one(
    written: str, name: str, word: str, likely: str | None
) -> None:
    assert read_wish(written, SETTINGS) == UnknownValue(BY_NAME[name], word, likely)


@given(st.text(max_size=60))
def test_whatever_is_written_is_read_as_something_that_can_be_stored(written: str) -> None:
    for text in (written, f"reply {written}", f"quiet {written}"):
        wish = read_wish(text, SETTINGS)
        if isinstance(wish, Choose) and wish.value is not None:
            chosen = {wish.setting.name: wish.value}
            assert wish.setting.is_chosen(chosen, RoomSettings.of(RoomSettings(), chosen))


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_each_setting_can_hold_each_of_its_values(setting: Setting) -> None:
    for value in setting.values:
        stored = [value] if setting.several else value
        chosen = {setting.name: stored}
        assert setting.shown(RoomSettings.of(RoomSettings(), chosen)) == value


def test_the_configuration_knows_the_same_settings_values_and_defaults() -> None:
    # The first of the configured models is the default already.
    assert set(BY_NAME) - {"model"} == set(Rooms.model_fields)
    assert RoomSettings.of(Rooms(), {}) == RoomSettings()
    for setting in (each for each in SETTINGS if each.name != "model"):
        for value in setting.values:
            rooms = Rooms.model_validate({setting.name: [value] if setting.several else value})
            assert setting.shown(RoomSettings.of(rooms, {})) == value


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"reply": "of a newer version", "quiet": "welcome", "tables": None},
        {"reply": 3, "virtual_users": [], "stream": {}, "language": "german"},
        {"quiet": {"welcome": True}, "language": ["de"]},
        {"model": 3, "local_only": True},
        {"a_setting_of_a_newer_version": "on"},
    ],
)
def test_what_cannot_be_read_is_the_default(chosen: dict[str, JSON]) -> None:
    defaults = RoomSettings(reply="thread", language="de", quiet=frozenset({"hints"}))

    holds = RoomSettings.of(defaults, chosen)

    assert holds == defaults
    assert not any(setting.is_chosen(chosen, holds) for setting in SETTINGS)


def test_without_a_choice_of_models_there_is_nothing_to_choose() -> None:
    languages = load_catalogue().languages
    names = [
        {each.name for each in make_settings(languages, models)} & {"model", "local_only"}
        for models in ([], ["model"], ["home", "cloud"])
    ]
    assert names == [set(), {"local_only"}, {"model", "local_only"}]


def test_a_model_that_is_not_offered_any_more_counts_as_not_chosen() -> None:
    chosen = {"model": "gone"}
    holds = RoomSettings.of(RoomSettings(), chosen)
    assert BY_NAME["model"].shown(holds) == "auto"
    assert not BY_NAME["model"].is_chosen(chosen, holds)


def test_of_several_values_those_that_are_known_hold() -> None:
    holds = RoomSettings.of(RoomSettings(), {"quiet": ["welcome", "of a newer version", 7]})

    assert holds.quiet == {"welcome"}


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_the_page_for_people_in_rooms_has_each_setting_with_its_values(setting: Setting) -> None:
    rows = ROOMS_PAGE.read_text("utf-8").splitlines()

    (row,) = [row for row in rows if row.startswith(f"| `{setting.name}` |")]

    assert all(value in row for value in setting.values)
    assert f"**{setting.shown(RoomSettings())}**" in row
