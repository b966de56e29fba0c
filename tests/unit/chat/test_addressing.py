"""Whom a message is meant for, by its words alone."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lycatra_appservice.chat.addressing import Addressing
from lycatra_appservice.chat.small_talk import BLANKS
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, UserID
from tests.unit.chat.conversing import (
    ADDRESSING,
    DOCS,
    MAIN,
    PERSON,
    SERVICES,
    TALK,
    UPDATES,
    Named,
    inbound,
    pill,
)

MENTION: JSON = {"user_ids": [UPDATES]}


@pytest.mark.parametrize("at", ["", "@"])
@pytest.mark.parametrize(
    ("name", "user"),
    [
        ("lycatra", MAIN),
        ("Lycatra", MAIN),
        ("LYCATRA", MAIN),
        ("lycatra:hs.test", MAIN),
        ("lycatra_updates", UPDATES),
        ("Lycatra_Updates", UPDATES),
        ("lycatra_updates:hs.test", UPDATES),
        ("Lycatra Updates", UPDATES),
        ("lycatra updates", UPDATES),
        ("lycatra services", SERVICES),
        ("docs", DOCS),
    ],
)
@pytest.mark.parametrize(
    ("after", "words"),
    [
        ("", ""),
        (" what is new?", "what is new?"),
        (": what is new?", "what is new?"),
        (":what is new?", "what is new?"),
        (", what is new?", "what is new?"),
        ("\nwhat is new?", "what is new?"),
        ("\u00a0what is new?", "what is new?"),
        (" : what is new?", "what is new?"),
        (":", ""),
    ],
)
def test_a_name_at_the_beginning_is_enough(
    at: str, name: str, user: UserID, after: str, words: str
) -> None:
    addressed = ADDRESSING.of(inbound(f"{at}{name}{after}"))

    assert addressed.users == (user,)
    assert addressed.words == words


@pytest.mark.parametrize(
    "body",
    [
        "I like lycatra",
        "ask @lycatra about it",
        "ask Lycatra Updates about it",
        "`lycatra` is its name",
        "```\nlycatra: hello\n```",
        "`@lycatra:hs.test` is its id",
        "```\n@lycatra:hs.test\n```",
        "```\n@lycatra:hs.test",
        "> lycatra: hello",
        "> @lycatra:hs.test: hello\n\nwhat do you mean?",
        '"lycatra: hello" is what I wrote',
        "https://hs.test/lycatra is down",
        "see https://matrix.to/#/@lycatra:hs.test",
        "see https://hs.test/@lycatra:hs.test",
        "lycatra.org is down",
        "lycatras are nice",
        "lycatra's answer was right",
        "lycatra-appservice has a new release",
        "lycatra/updates",
        "@lycatra2 hello",
        "lycatra2: hello",
        "lycatra_updates_x: hello",
        "lycatra_upd: hello",
        "lycatra_sender: hello",
        "@lycatra:elsewhere.org hello",
        "@lycatra:hs.test.elsewhere.org hello",
        "@lycatra_updates:elsewhere.org: hello",
        "hello @lycatra:hs.test.elsewhere.org",
        "hello @lycatra:hs.test:8448",
        "hello @lycatra:hs.test-2",
        "hello x@lycatra:hs.test",
        "hello @lycatra_nope:hs.test",
        "ask @lycatra2:hs.test",
        "@lycatra_sender:hs.test hello",
        "",
        " ",
        "@",
        ":",
    ],
)
def test_what_only_looks_like_a_name_is_none(body: str) -> None:
    assert ADDRESSING.of(inbound(body)).users == ()


@pytest.mark.parametrize(
    "body",
    [
        "ask @lycatra_updates:hs.test",
        "ask @lycatra_updates:hs.test.",
        "ask @lycatra_updates:hs.test, please",
        "ask @Lycatra_Updates:hs.test!",
        "(@lycatra_updates:hs.test)",
        "is it up,@lycatra_updates:hs.test?",
        "<@lycatra_updates:hs.test>",
        "`code` and @lycatra_updates:hs.test",
        "> a quotation\n\nwhat does @lycatra_updates:hs.test say?",
        "*@lycatra_updates:hs.test* what is new?",
    ],
)
def test_a_whole_id_names_its_user_anywhere(body: str) -> None:
    addressed = ADDRESSING.of(inbound(body))

    assert addressed.users == (UPDATES,)
    assert addressed.words == body


def test_leading_space_does_not_hide_a_name() -> None:
    assert ADDRESSING.of(inbound("  \n lycatra: hello")).users == (MAIN,)


@pytest.mark.parametrize(
    ("body", "users", "words"),
    [
        ("@lycatra_updates @lycatra_services what is new?", [UPDATES, SERVICES], "what is new?"),
        ("lycatra_services, lycatra_updates: what?", [SERVICES, UPDATES], "what?"),
        ("lycatra: @Lycatra Updates what?", [MAIN, UPDATES], "what?"),
        ("lycatra_updates ask @lycatra:hs.test", [UPDATES, MAIN], "ask @lycatra:hs.test"),
        ("lycatra_updates lycatra_updates: hi", [UPDATES], "hi"),
        ("@lycatra_updates @lycatra2 hi", [UPDATES], "@lycatra2 hi"),
        # Behind a name a display name may be an ordinary word.
        ("lycatra docs of the web shop", [MAIN], "docs of the web shop"),
        ("lycatra, docs?", [MAIN], "docs?"),
    ],
)
def test_several_users_are_named_in_their_order(
    body: str, users: Sequence[UserID], words: str
) -> None:
    addressed = ADDRESSING.of(inbound(body))

    assert addressed.users == tuple(users)
    assert addressed.words == words


@pytest.mark.parametrize(
    "html",
    [
        pill(UPDATES),
        pill("%40lycatra_updates%3Ahs.test"),
        pill("@lycatra_updates%3Ahs.test"),
        pill("@lycatra_updates:hs.test?via=hs.test"),
        pill("@lycatra_updates:hs.test/$event"),
        f"<p>ask <b>{pill(UPDATES)}</b></p>",
        f"<code>x</code> {pill(UPDATES)}",
        f"</code></pre>{pill(UPDATES)}",
        f"<blockquote>x</blockquote>{pill(UPDATES)}",
        "<A class='x' HREF='https://matrix.to/#/@lycatra_updates:hs.test'>x</A>",
        "<a href='https://matrix.to/#/&#64;lycatra_updates:hs.test'>x</a>",
        '<a href="matrix:u/lycatra_updates:hs.test">x</a>',
        f"<![foo[ <a <!-- & {pill(UPDATES)}",
    ],
)
def test_a_pill_names_its_user(html: str) -> None:
    assert ADDRESSING.of(inbound("ask somebody", html)).users == (UPDATES,)


@pytest.mark.parametrize(
    "html",
    [
        f"<code>{pill(UPDATES)}</code>",
        f"<pre><code>x</code>{pill(UPDATES)}</pre>",
        f"<blockquote><p>{pill(UPDATES)}</p></blockquote>",
        f"<mx-reply><blockquote>{pill(UPDATES)}</blockquote></mx-reply>",
        pill("@lycatra_updates:elsewhere.org"),
        pill("@lycatra_updates_x:hs.test"),
        pill("!room:hs.test"),
        pill(""),
        pill("%00"),
        pill("%ff"),
        '<a href="https://elsewhere.org/#/@lycatra_updates:hs.test">x</a>',
        '<a data-href="https://matrix.to/#/@lycatra_updates:hs.test">x</a>',
        "https://matrix.to/#/@lycatra_updates:hs.test",
        "<a>x</a>",
        "<a href>x</a>",
        "<![foo[",
        "<",
    ],
)
def test_a_link_in_code_or_quotes_or_to_others_names_nobody(html: str) -> None:
    assert ADDRESSING.of(inbound("ask somebody", html)).users == ()


@pytest.mark.parametrize(
    ("mentions", "users"),
    [
        (MENTION, [UPDATES]),
        ({"user_ids": [PERSON, SERVICES]}, [SERVICES]),
        ({"user_ids": [PERSON]}, []),
        ({"user_ids": UPDATES}, []),
        ({"user_ids": [7, None, [], UPDATES]}, [UPDATES]),
        ({"room": True}, []),
        ([UPDATES], []),
        ("x", []),
        (None, []),
    ],
)
def test_mentions_name_their_users(mentions: JSON, users: Sequence[UserID]) -> None:
    assert ADDRESSING.of(inbound("what is new?", m_mentions=mentions)).users == tuple(users)


def test_who_is_named_at_the_beginning_comes_before_who_is_mentioned() -> None:
    addressed = ADDRESSING.of(inbound("lycatra_services: x", m_mentions=MENTION))

    assert addressed.users == (SERVICES, UPDATES)


REPLY: JSON = {"m.in_reply_to": {"event_id": "$earlier"}}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("> <@lycatra:hs.test> all is up\n> really\n\nlycatra: and now?", "and now?"),
        ("> * <@lycatra:hs.test> waves\n\nlycatra: and now?", "and now?"),
        ("lycatra: and now?", "and now?"),
    ],
)
def test_the_quoted_lines_of_a_reply_are_not_read(body: str, words: str) -> None:
    message = inbound(body, m_relates_to=REPLY)

    assert ADDRESSING.of(message).words == words
    assert ADDRESSING.of(message).users == (MAIN,)


def test_what_a_person_quotes_himself_stays_in_the_question() -> None:
    body = "> disk full\n\nwhat does this mean?"

    assert inbound(body, m_relates_to=REPLY).body == body


def test_the_quoted_lines_of_what_is_no_reply_stay() -> None:
    assert inbound("> <@lycatra:hs.test> x\n\ny").body == "> <@lycatra:hs.test> x\n\ny"


@pytest.mark.parametrize("name", ["lycatra_serv\u0131ces", "\u212aate", "\u017fervice"])
def test_letters_that_are_equal_only_without_case_do_no_harm(name: str) -> None:
    users = VirtualUsers(
        server_name="hs.test",
        namespaces=[Named("services", "Kate"), Named("other", "Service")],
    )

    assert set(Addressing(users).of(inbound(f"{name}: hello")).users) <= set(users.all)


@pytest.mark.parametrize(
    ("shown", "written"),
    [
        ("Lycatra \u2728", "lycatra \u2728: hello"),
        ("Ly\u2764\ufe0f", "ly\u2764: hello"),
        ("Ly\u2764", "ly\u2764\ufe0f hello"),
        ("M\u00f6we", "@M\u00f6we hello"),
        ("M\u00f6we", "mo\u0308we, hello"),
        ("Mo\u0308we", "M\u00d6WE hello"),
        ("Die Schl\u00fcssel", "die  schl\u00fcssel hello"),
        ("C++ (new)", "c++ (new) hello"),
        ("Hi Bot", "hi bot hello"),
    ],
)
def test_display_names_may_hold_anything(shown: str, written: str) -> None:
    users = VirtualUsers(server_name="hs.test", namespaces=[], display_name=shown)

    addressed = Addressing(users, TALK.before_a_name).of(inbound(written))

    assert addressed.users == (users.main,)
    assert addressed.words == "hello"


NAMES = st.sampled_from([MAIN, UPDATES, "lycatra", "Lycatra Updates", "docs", "@", ":", ",", ">"])
ANYTHING = st.lists(st.one_of(NAMES, st.text(max_size=20), st.just("\n")), max_size=8)


@given(ANYTHING)
def test_the_words_are_always_the_end_of_what_was_written(pieces: Sequence[str]) -> None:
    body = "".join(pieces)

    addressed = ADDRESSING.of(inbound(body, body))

    assert body.rstrip(BLANKS).endswith(addressed.words)


@pytest.mark.parametrize(
    "piece",
    ["<a", "<a ", "<code>", "<!--", "<![", "&#", '<a href="', "`", "```", "> ", "@lycatra ", "@"],
)
def test_a_message_as_long_as_can_be_is_read_like_any_other(piece: str) -> None:
    # What grew with the square of the length would take minutes here.
    body = (piece * 65_000)[:65_000]

    assert set(ADDRESSING.of(inbound(body, body)).users) <= {MAIN}
