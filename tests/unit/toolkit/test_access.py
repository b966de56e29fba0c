"""Who may do what, by the entries of the configuration."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lycatra_appservice.errors import SettingsError
from lycatra_appservice.matrix.standing import NOWHERE, Standing
from lycatra_appservice.model import Caller, Face, Level, RoomID, UserID
from lycatra_appservice.toolkit.access import Access
from lycatra_appservice.words.catalogue import in_english
from tests.support.toolbench import Lists, a_tool

OPS, OTHER_ROOM = RoomID("!ops:example.org"), RoomID("!ops")
LEVELS: Mapping[str, Level] = {
    "admin": Level.ADMIN,
    "operator": Level.OPERATOR,
    "viewer": Level.VIEWER,
}
# Servers that look like the first one, and are others.
LOOKALIKES = [
    "example.org",
    "Example.org",
    "EXAMPLE.ORG",
    "example.org.",
    "example.org:8448",
    "example.org:443",
    "ex\u0430mple.org",  # the third letter is Cyrillic
    "xn--exmple-4uf.org",  # the same as DNS writes it
    "example\u3002org",  # an ideographic full stop
    "example.org.evil.net",
    "evil-example.org",
    "sub.example.org",
    "[::1]",
    "[::1]:8448",
]
WRITABLE = [server for server in LOOKALIKES if server.isascii()]

localparts = st.text("abcdefghijklmnopqrstuvwxyz0123456789._=-/", min_size=1, max_size=12)
servers = st.from_regex(r"[a-z0-9]{1,8}(\.[a-z0-9]{1,8}){0,2}(:[0-9]{2,5})?", fullmatch=True)
user_ids = st.builds(lambda name, server: f"@{name}:{server}", localparts, servers)
entries = st.one_of(user_ids, servers.map(lambda server: f"*:{server}"), st.just("*"))
entry_lists = st.lists(entries, max_size=4)

# Few names, so that many of them meet.
near_people = st.builds(
    lambda name, server: f"@{name}:{server}",
    st.sampled_from(["ann", "ben"]),
    st.sampled_from(LOOKALIKES),
)
near_entries = st.one_of(
    st.builds(
        lambda name, server: f"{name}:{server}",
        st.sampled_from(["@ann", "@ben", "*"]),
        st.sampled_from(WRITABLE),
    ),
    st.sampled_from(["*", f"room:{OPS}", f"room:{OTHER_ROOM}"]),
    st.sampled_from(["power:0", "power:50", "power:100", f"power:50 in {OPS}"]),
)
near_lists = st.lists(near_entries, max_size=4)
standings = st.builds(
    Standing,
    room_id=st.sampled_from([None, OPS, OTHER_ROOM]),
    is_joined=st.sampled_from([None, True, False]),
    power=st.sampled_from([None, -1, 0, 50, 99, 100, 2**53]),
)


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
        ("@chief:example.org.", Level.NONE),
        ("@chief:ex\u0430mple.org", Level.NONE),
        ("@chief:evil-example.org", Level.NONE),
        ("@x:evil.net:example.org", Level.NONE),
        ("@anyone:sub.example.org", Level.NONE),
        # What is no user id at all.
        ("chief:example.org", Level.NONE),
        ("*:example.org", Level.NONE),
        ("@:example.org", Level.NONE),
        ("@chief:", Level.NONE),
        ("*", Level.NONE),
        ("room:!ops", Level.NONE),
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

    assert access.level(UserID(user), NOWHERE) is level


def at(room: RoomID | None, *, joined: bool | None = True, power: int | None = 0) -> Standing:
    return Standing(room_id=room, is_joined=joined, power=power)


@pytest.mark.parametrize(
    ("standing", "level"),
    [
        (at(OPS), Level.OPERATOR),
        (at(OPS, power=99), Level.OPERATOR),
        (at(OPS, power=100), Level.ADMIN),  # a power level in one room is more than being there
        (at(OTHER_ROOM, power=49), Level.NONE),
        (at(OTHER_ROOM, power=50), Level.VIEWER),
        (at(OTHER_ROOM, power=2**53), Level.VIEWER),  # a creator of a room of version 12
        # Not in the room, or not any more: the room still names a power level.
        (at(OPS, joined=False, power=100), Level.NONE),
        (at(OTHER_ROOM, joined=False, power=100), Level.NONE),
        # What nobody knows.
        (Standing.unknown(OPS), Level.NONE),
        (at(OPS, joined=None, power=100), Level.NONE),
        (at(OTHER_ROOM, power=None), Level.NONE),
        # Who was invited by somebody knows that he is a member, and no more.
        (Standing.of_inviter(OPS), Level.OPERATOR),
        (Standing.of_inviter(OTHER_ROOM), Level.NONE),
        # Outside of any room, whatever else is claimed.
        (NOWHERE, Level.NONE),
        (at(None, power=100), Level.NONE),
    ],
)
def test_what_a_room_gives_holds_in_that_room_for_its_members(
    standing: Standing, level: Level
) -> None:
    lists = Lists(
        admin=[f"power:100 in {OPS}"],
        operator=[f"room:{OPS}"],
        viewer=["power:50"],
    )

    assert Access(lists).level(UserID("@member:elsewhere.org"), standing) is level


@pytest.mark.parametrize(
    ("lists", "level"),
    [
        (Lists(viewer=["@ann:hs"], operator=[f"power:0 in {OPS}"]), Level.VIEWER),
        (Lists(viewer=[f"power:50 in {OPS}"], operator=[f"room:{OPS}"]), Level.VIEWER),
        (Lists(viewer=[f"room:{OPS}"], operator=["power:50"]), Level.VIEWER),
        (Lists(viewer=["power:100"], operator=["power:50"]), Level.VIEWER),
        (Lists(viewer=["power:50"], operator=["*:hs"]), Level.VIEWER),
        (Lists(viewer=["*:hs"], operator=["*"]), Level.VIEWER),
        (Lists(viewer=["*"], operator=["power:50"]), Level.OPERATOR),
    ],
)
def test_person_goes_before_room_before_power_before_server_before_everybody(
    lists: Lists, level: Level
) -> None:
    assert Access(lists).level(UserID("@ann:hs"), at(OPS, power=100)) is level


@pytest.mark.parametrize(
    ("denial", "standing"),
    [
        (f"room:{OPS}", at(OPS)),
        (f"room:{OPS}", Standing.unknown(OPS)),
        ("power:50", at(OPS, power=50)),
        ("power:50", at(OPS, power=None)),
        (f"power:50 in {OPS}", at(OPS, joined=None, power=None)),
        ("@ann:HS", NOWHERE),
        ("*:Hs.", NOWHERE),
    ],
)
def test_a_denial_reaches_whom_it_may_mean(denial: str, standing: Standing) -> None:
    access = Access(Lists(admin=["@ann:hs"], none=[denial]))

    assert access.level(UserID("@ann:hs"), standing) is Level.NONE


@pytest.mark.parametrize(
    ("denial", "standing"),
    [
        (f"room:{OPS}", at(OTHER_ROOM)),
        (f"room:{OPS}", at(OPS, joined=False)),
        (f"room:{OPS}", NOWHERE),
        ("power:50", at(OPS, power=49)),
        ("*:hs:8448", NOWHERE),
        ("@Ann:hs", NOWHERE),
    ],
)
def test_a_denial_reaches_nobody_else(denial: str, standing: Standing) -> None:
    access = Access(Lists(admin=["@ann:hs"], none=[denial]))

    assert access.level(UserID("@ann:hs"), standing) is Level.ADMIN


def test_the_highest_level_counts_for_somebody_listed_twice() -> None:
    twice = "@twice:example.org"
    access = Access(Lists(admin=[twice], viewer=[twice]))
    assert access.level(UserID(twice), NOWHERE) is Level.ADMIN


@settings(deadline=None)
@given(user_ids, standings)
def test_an_empty_list_is_nobody(user: str, standing: Standing) -> None:
    nobody = Access(Lists(admin=[], operator=[], viewer=[], none=[]))
    assert nobody.level(UserID(user), standing) is Level.NONE


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

    assert access.level(UserID(user), NOWHERE) is Level.NONE
    caller = Caller(user_id=UserID(user), face=Face.MCP)
    assert not access.may(caller, a_tool(), NOWHERE).allowed


@settings(deadline=None)
@given(localparts, servers, servers)
def test_a_grant_to_a_server_reaches_only_that_very_server(
    name: str, granted: str, asking: str
) -> None:
    access = Access(Lists(admin=[f"*:{granted}"], operator=[], viewer=[]))
    has = access.level(UserID(f"@{name}:{asking}"), NOWHERE)
    assert has is (Level.ADMIN if asking == granted else Level.NONE)


# --- against a second reading of the rules, written as they are told


def kind_of(entry: str) -> int:
    """How specific an entry is."""
    if entry.startswith("@"):
        return 6000
    if entry.startswith("power:") and " in " in entry:
        return 5000 + int(entry[6:].split()[0])
    if entry.startswith("room:"):
        return 4000
    if entry.startswith("power:"):
        return 3000 + int(entry[6:])
    return 2000 if entry.startswith("*:") else 1000


def names(entry: str, user: str, standing: Standing, *, doubt: bool) -> bool:
    """Whether an entry names somebody; `doubt` is what counts for what is not known."""

    def known(fact: bool | None) -> bool:
        return doubt if fact is None else fact

    if entry == "*":
        return True
    if entry.startswith(("@", "*:")):
        local, _, server = user.partition(":")
        told_local, _, told_server = entry.partition(":")
        if doubt:
            server, told_server = (each.lower().rstrip(".") for each in (server, told_server))
        return server == told_server and told_local in {"*", local}
    if standing.room_id is None:
        return False
    if entry.startswith("room:"):
        return standing.room_id == entry[5:] and known(standing.is_joined)
    power, _, room = entry[6:].partition(" in ")
    has = None if standing.power is None else standing.power >= int(power)
    return room in {"", standing.room_id} and known(standing.is_joined) and known(has)


def level_as_told(
    lists: Mapping[str, Sequence[str]], none: Sequence[str], user: str, standing: Standing
) -> Level:
    if any(names(entry, user, standing, doubt=True) for entry in none):
        return Level.NONE
    naming = [
        (kind_of(entry), LEVELS[name])
        for name, listed in lists.items()
        for entry in listed
        if names(entry, user, standing, doubt=False)
    ]
    return max(naming)[1] if naming else Level.NONE


@settings(deadline=None, max_examples=1000)
@given(near_people, standings, near_lists, near_lists, near_lists, near_lists)
def test_the_level_is_what_the_rules_say(
    user: str,
    standing: Standing,
    admin: list[str],
    operator: list[str],
    viewer: list[str],
    none: list[str],
) -> None:
    lists = {"admin": admin, "operator": operator, "viewer": viewer}
    access = Access(Lists(admin=admin, operator=operator, viewer=viewer, none=none))

    has = access.level(UserID(user), standing)

    assert has is level_as_told(lists, none, user, standing)


@settings(deadline=None, max_examples=300)
@given(near_people, standings, near_lists, near_lists)
def test_nobody_has_more_who_is_listed_nowhere_and_nobody_more_by_a_denial(
    user: str, standing: Standing, granted: list[str], none: list[str]
) -> None:
    plain = Access(Lists(admin=granted, operator=[], viewer=[])).level(UserID(user), standing)
    denied = Access(Lists(admin=granted, operator=[], viewer=[], none=none))

    assert denied.level(UserID(user), standing) <= plain
    if not any(names(entry, user, standing, doubt=False) for entry in granted):
        assert plain is Level.NONE


@settings(deadline=None, max_examples=300)
@given(near_people, standings, near_lists, st.sampled_from(["is_joined", "power", "room_id"]))
def test_knowing_less_never_gives_more(
    user: str, standing: Standing, granted: list[str], forgotten: str
) -> None:
    access = Access(Lists(admin=granted, operator=[], viewer=[]))
    less = Standing(
        room_id=None if forgotten == "room_id" else standing.room_id,
        is_joined=None if forgotten == "is_joined" else standing.is_joined,
        power=None if forgotten == "power" else standing.power,
    )

    assert access.level(UserID(user), less) <= access.level(UserID(user), standing)


@settings(deadline=None, max_examples=300)
@given(near_people, standings, near_lists, near_lists)
def test_a_room_that_does_not_matter_need_not_be_looked_at(
    user: str, standing: Standing, granted: list[str], none: list[str]
) -> None:
    access = Access(Lists(admin=granted, operator=[], viewer=[], none=none))
    if standing.room_id is None or access.minds(standing.room_id):
        return

    assert access.level(UserID(user), standing) is access.level(UserID(user), NOWHERE)


@pytest.mark.parametrize(
    "entry",
    [
        "example.org",
        "@*:example.org",
        "*:",
        "@:x",
        "@me",
        "*:*",
        "*.example.org",
        "",
        "*:ex\u0430mple.org",
        "@a b\n:example.org",
        "room:#ops:example.org",
        "room:ops:example.org",
        "room:!",
        "room:*",
        "!ops:example.org",
        "power:",
        "power:moderator",
        "power:-1",
        "power:50 in #ops:example.org",
        "power:50 in",
        "power:50in !ops",
    ],
)
def test_an_entry_that_means_nothing_is_refused_by_name(entry: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Access(Lists(operator=[entry]))
    assert f"access.operator: {entry!r} should" in caught.value.problems[0]


def test_a_room_alias_is_refused_with_the_reason() -> None:
    with pytest.raises(SettingsError) as caught:
        Access(Lists(operator=["room:#ops:example.org"]))
    assert "an alias can be moved to another room" in caught.value.problems[0]


@pytest.mark.parametrize(
    ("lists", "room", "who"),
    [
        (
            Lists(operator=["@d:x.org", "@b:x.org", "@a:x.org"], admin=["@c:x.org"]),
            None,
            "These could do it: @a:x.org, @b:x.org, @c:x.org.",
        ),
        (
            Lists(operator=["@a:x.org", "@b:x.org"], none=["@a:x.org"]),
            OPS,
            "These could do it: @b:x.org.",
        ),
        (Lists(operator=["*:crew.org"]), None, "People of crew.org could do it."),
        (Lists(operator=["*"]), None, "Most other people here could do it."),
        (Lists(operator=[f"room:{OPS}"]), OPS, "These could do it: members of this room."),
        (
            Lists(operator=[f"room:{OPS}"]),
            OTHER_ROOM,
            "Members of `!ops:example.org` could do it, in that room.",
        ),
        (
            Lists(operator=["power:100", "power:50"]),
            OPS,
            "These could do it: people with power level 50 here.",
        ),
        (
            Lists(operator=["@a:x.org", f"room:{OPS}", f"power:50 in {OPS}"]),
            OPS,
            "These could do it: @a:x.org or members of this room or people with power level 50 "
            "here.",
        ),
        (
            Lists(operator=["@a:x.org", f"power:50 in {OPS}", "power:100"]),
            OTHER_ROOM,
            "These could do it: @a:x.org or people with power level 100 here.",
        ),
        (
            Lists(operator=["power:50"]),
            None,
            "Nobody is an operator yet: whoever runs this service can add people under "
            "`access.operator` in its configuration.",
        ),
        (
            Lists(operator=[]),
            None,
            "Nobody is an operator yet: whoever runs this service can add people under "
            "`access.operator` in its configuration.",
        ),
    ],
)
def test_a_refusal_says_what_is_missing_and_who_could(
    lists: Lists, room: RoomID | None, who: str
) -> None:
    caller = Caller(user_id=UserID("@viewer:example.org"), face=Face.COMMAND, room_id=room)
    tool = a_tool(name="search_logs", level=Level.OPERATOR)

    decision = Access(lists).may(caller, tool, at(room, joined=False))

    assert not decision.allowed
    assert not decision.hidden
    why, who_could = in_english(decision.why), in_english(decision.who_could)
    assert why == "`search_logs` needs an operator, and you are a viewer here."
    assert who_could == who
