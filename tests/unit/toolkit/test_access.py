"""Who may do what."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lycatra_appservice.errors import SettingsError
from lycatra_appservice.model import Caller, Face, Level, UserID
from lycatra_appservice.toolkit.access import Access
from lycatra_appservice.words.catalogue import in_english
from tests.support.toolbench import Lists, a_tool

HOME = "example.org"

localparts = st.text("abcdefghijklmnopqrstuvwxyz0123456789._=-/", min_size=1, max_size=12)
servers = st.from_regex(r"[a-z0-9]{1,8}(\.[a-z0-9]{1,8}){0,2}(:[0-9]{2,5})?", fullmatch=True)
user_ids = st.builds(lambda name, server: f"@{name}:{server}", localparts, servers)
entries = st.one_of(user_ids, servers.map(lambda server: f"*:{server}"), st.just("*"))
entry_lists = st.lists(entries, max_size=4)


@pytest.mark.parametrize(
    ("user", "level"),
    [
        ("@chief:example.org", Level.ADMIN),
        ("@crew:example.org", Level.OPERATOR),
        ("@anyone:example.org", Level.VIEWER),
        ("@guest:partner.net", Level.VIEWER),
        ("@lowered:partner.net", Level.VIEWER),
        ("@other:partner.net", Level.OPERATOR),
        ("@banned:example.org", Level.NONE),
        ("@named:banned.net", Level.NONE),
        ("@anyone:elsewhere.org", Level.NONE),
        # Servers that only look like ours.
        ("@chief:example.org.evil.net", Level.NONE),
        ("@chief:example.org:8448", Level.NONE),
        ("@chief:Example.org", Level.NONE),
        ("@chief:ex\u0430mple.org", Level.NONE),  # the third letter is Cyrillic
        ("@x:evil.net:example.org", Level.NONE),
        ("@anyone:sub.example.org", Level.NONE),
        # What is no user id at all.
        ("chief:example.org", Level.NONE),
        ("*:example.org", Level.NONE),
        ("@:example.org", Level.NONE),
        ("@chief:", Level.NONE),
        ("*", Level.NONE),
        ("", Level.NONE),
    ],
)
def test_a_level_is_that_of_the_most_specific_entry_and_deny_wins(user: str, level: Level) -> None:
    access = Access(
        Lists(
            admin=["@chief:example.org", "@named:banned.net"],
            operator=["@crew:example.org", "*:partner.net"],
            viewer=["*:example.org", "@lowered:partner.net", "@guest:partner.net"],
            none=["@banned:example.org", "*:banned.net"],
        )
    )

    assert access.level(UserID(user)) is level


def test_the_highest_level_counts_for_somebody_listed_twice() -> None:
    twice = "@twice:example.org"
    assert Access(Lists(admin=[twice], viewer=[twice])).level(UserID(twice)) is Level.ADMIN


@settings(deadline=None)
@given(user_ids)
def test_an_empty_list_is_nobody(user: str) -> None:
    nobody = Access(Lists(admin=[], operator=[], viewer=[], none=[]))
    assert nobody.level(UserID(user)) is Level.NONE


@settings(deadline=None)
@given(user_ids, entry_lists, entry_lists, entry_lists, entry_lists, st.integers(0, 2))
def test_a_denied_person_may_nothing_whatever_else_is_listed(
    user: str,
    admin: list[str],
    operator: list[str],
    viewer: list[str],
    none: list[str],
    denied_by: int,
) -> None:
    server = user.partition(":")[2]
    denial = [user, f"*:{server}", "*"][denied_by]
    access = Access(
        Lists(admin=[user, *admin], operator=operator, viewer=viewer, none=[*none, denial])
    )

    assert access.level(UserID(user)) is Level.NONE
    caller = Caller(user_id=UserID(user), face=Face.MCP)
    assert not access.may(caller, a_tool()).allowed


@settings(deadline=None)
@given(localparts, servers, servers)
def test_a_grant_to_a_server_reaches_only_that_very_server(
    name: str, granted: str, asking: str
) -> None:
    access = Access(Lists(admin=[f"*:{granted}"], operator=[], viewer=[]))
    has = access.level(UserID(f"@{name}:{asking}"))
    assert has is (Level.ADMIN if asking == granted else Level.NONE)


@pytest.mark.parametrize(
    "entry", ["example.org", "@*:example.org", "*:", "@:x", "@me", "*:*", "*.example.org", ""]
)
def test_an_entry_that_means_nothing_is_refused_by_name(entry: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Access(Lists(operator=[entry]))
    assert f"access.operator: {entry!r}" in caught.value.problems[0]


@pytest.mark.parametrize(
    ("lists", "who"),
    [
        (
            Lists(operator=["@d:x.org", "@b:x.org", "@a:x.org"], admin=["@c:x.org"]),
            "@a:x.org, @b:x.org, @c:x.org could do it.",
        ),
        (Lists(operator=["@a:x.org", "@b:x.org"], none=["@a:x.org"]), "@b:x.org could do it."),
        (Lists(operator=["*:crew.org"]), "People of crew.org could do it."),
        (Lists(operator=["*"]), "Most other people here could do it."),
        (
            Lists(operator=[]),
            "Nobody is an operator yet: whoever runs this service can add people under "
            "`access.operator` in its configuration.",
        ),
    ],
)
def test_a_refusal_says_what_is_missing_and_who_could(lists: Lists, who: str) -> None:
    caller = Caller(user_id=UserID("@viewer:example.org"), face=Face.COMMAND)

    decision = Access(lists).may(caller, a_tool(name="search_logs", level=Level.OPERATOR))

    assert not decision.allowed
    assert not decision.hidden
    why, who_could = in_english(decision.why), in_english(decision.who_could)
    assert why == "`search_logs` needs an operator, and you are a viewer here."
    assert who_could == who


def test_a_hidden_tool_is_hidden_from_an_admin_too() -> None:
    chief = Caller(user_id=UserID("@chief:example.org"), face=Face.COMMAND)
    access = Access(Lists(admin=["*"]), hidden_tools={"say_something"})

    decision = access.may(chief, a_tool())

    assert decision.hidden
    assert not decision.allowed
    assert decision.why == decision.who_could == ""
