"""The quick look at a crowd's talk overlooks nothing that full reading would take for ours."""

from collections.abc import Mapping

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lycatra_appservice.chat.commands import CommandWords
from lycatra_appservice.chat.reading import make_reader
from lycatra_appservice.intake.classify import Classifier, Malformed, Never, Ours, Verdict
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON
from lycatra_appservice.toolkit.discovery import discover

REGISTRY = discover()
USERS = VirtualUsers(server_name="hs.test", namespaces=REGISTRY.namespaces)
TOOLS = {each.name: REGISTRY.tools_of(each.name) for each in REGISTRY.namespaces}
CLASSIFIER = Classifier(USERS, make_reader(USERS, CommandWords(TOOLS, ("!", "/"))))

PIECES = st.sampled_from(
    [
        *USERS.all,
        *(user.upper() for user in USERS.all),
        *(USERS.localpart_of(user) for user in USERS.all),
        *(USERS.display_name(user) for user in USERS.all),
        *("!list updates", "/help", "!", "@", ":", ",", " ", "\n", "> ", "`", "```", "news", "<"),
        *(
            "hey",
            "good morning",
            "thanks",
            "Hallo",
            "stop",
            "?",
            "\u200b",
            "\u200f",
            "\uff20",
            "\uff0c",
        ),
    ]
)
BODIES = st.lists(PIECES, max_size=5).map("".join)
PILLS = (
    f'<a href="https://matrix.to/#/{USERS.main}">Lycatra</a>',
    f"<A HREF='https://matrix.to/#/{USERS.main}'>Lycatra</A>",
)
LINKS = st.sampled_from(
    ["", "<p>news</p>", "<p>lycatra: hello</p>", f"<code>{PILLS[0]}</code>", *PILLS]
)
CONTENTS = st.fixed_dictionaries(
    {"body": BODIES},
    optional={
        "msgtype": st.sampled_from(["m.text", "m.emote", "m.notice", "m.image"]),
        "filename": st.sampled_from(["a.png", "lycatra", 7]),
        "formatted_body": LINKS,
        "m.mentions": st.sampled_from([{}, {"user_ids": [USERS.main]}, {"user_ids": 1}, [], "x"]),
        "m.relates_to": st.sampled_from(
            [
                {},
                {"m.in_reply_to": {"event_id": "$a"}},
                {"rel_type": "m.thread", "event_id": "$a"},
                {"rel_type": "m.replace", "event_id": "$a"},
            ]
        ),
    },
)


def message(content: JSON, **more: JSON) -> dict[str, JSON]:
    return {
        "type": "m.room.message",
        "event_id": "$e",
        "room_id": "!crowd",
        "sender": "@a:hs.test",
        "content": content,
        **more,
    }


def in_a_crowd(event: JSON) -> Verdict:
    return CLASSIFIER.classify(event, lambda _: True)


def in_a_dm(event: JSON) -> Verdict:
    return CLASSIFIER.classify(event, lambda _: False)


@given(CONTENTS)
@example({"msgtype": "m.text", "body": "news", "formatted_body": PILLS[0]})
@example({"msgtype": "m.text", "body": "news", "formatted_body": PILLS[1]})
@example({"msgtype": "m.text", "body": "news", "m.mentions": {"user_ids": [USERS.main]}})
@example({"msgtype": "m.text", "body": f"ask {USERS.main.upper()}"})
@example({"msgtype": "m.text", "body": "updates, what is new?"})
@example({"msgtype": "m.text", "body": " !list updates"})
@example({"msgtype": "m.text", "body": "\u200e!list updates"})
@example({"msgtype": "m.text", "body": "\u200f lycatra: hello"})
@example({"msgtype": "m.text", "body": "hey lycatra"})
@example({"msgtype": "m.text", "body": "Good  Morning, @lycatra"})
@example({"msgtype": "m.text", "body": "", "formatted_body": "<p>lycatra: hello</p>"})
@example({"msgtype": "m.image", "body": "lycatra: what?", "filename": "a.png"})
@example({"msgtype": "m.text", "body": "a", "m.relates_to": {"m.in_reply_to": {"event_id": "$a"}}})
def test_whoever_names_us_in_a_crowd_is_heard_as_in_a_dm(content: Mapping[str, JSON]) -> None:
    fully_read = in_a_dm(message(content))
    if isinstance(fully_read, Ours) and (fully_read.surely or content.get("m.relates_to")):
        assert in_a_crowd(message(content)) == fully_read
    else:
        assert isinstance(in_a_crowd(message(content)), Never)


@pytest.mark.parametrize("body", ["news", "who is lycatra?", "", " !", 7, None])
def test_talk_of_a_crowd_is_forgotten(body: JSON) -> None:
    assert isinstance(in_a_crowd(message({"msgtype": "m.text", "body": body})), Never)


@pytest.mark.parametrize("room", [["!crowd"], {}, 7, None])
def test_a_room_id_of_another_type_is_malformed_not_a_crash(room: JSON) -> None:
    event = message({"msgtype": "m.text", "body": "news"}, room_id=room)

    assert isinstance(in_a_crowd(event), Malformed)
