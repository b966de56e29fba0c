"""What each kind of event is to us."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lycatra_appservice.intake.classify import (
    Classifier,
    Heartbeat,
    LiveEcho,
    Malformed,
    Never,
    Ours,
    Verdict,
)
from lycatra_appservice.model import JSON, EventID, LaneKind, RoomID
from tests.unit.chat.conversing import MAIN, PERSON, READER, UPDATES, USERS, pill

CLASSIFIER = Classifier(USERS, READER)
ROOM = "!v12-has-no-server"
NOPE = "@lycatra_nope:hs.test"


def classify(event: JSON, *, crowd: bool = False) -> Verdict:
    return CLASSIFIER.classify(event, lambda room_id: crowd and room_id == RoomID(ROOM))


def event(kind: str = "m.room.message", content: JSON = None, **more: JSON) -> dict[str, JSON]:
    return {
        "type": kind,
        "event_id": "$event",
        "room_id": ROOM,
        "sender": PERSON,
        "content": {} if content is None else content,
        **more,
    }


def text(body: JSON, **content: JSON) -> dict[str, JSON]:
    """A text message; `m_relates_to` and the like as keywords."""
    named = {key.replace("m_", "m.", 1): value for key, value in content.items()}
    return event(content={"msgtype": "m.text", "body": body, "m.mentions": {}, **named})


def ours(kind: LaneKind, *, surely: bool, lane: str | None = None) -> Ours:
    return Ours(lane or f"{ROOM}|{kind}", kind, surely)


ASKED = ours(LaneKind.ASK, surely=True)
MAYBE_ASKED = ours(LaneKind.ASK, surely=False)
COMMANDED = ours(LaneKind.COMMAND, surely=True)
MAYBE_COMMANDED = ours(LaneKind.COMMAND, surely=False)
CONTROL = ours(LaneKind.CONTROL, surely=True)
MAYBE_CONTROL = ours(LaneKind.CONTROL, surely=False)
NOT_ADDRESSED = Never("not addressed")
REPLY: JSON = {"m.in_reply_to": {"event_id": "$other"}}
THREAD: JSON = {"rel_type": "m.thread", "event_id": "$root"}
EDIT: JSON = {"rel_type": "m.replace", "event_id": "$other"}


@pytest.mark.parametrize(
    ("message", "alone", "in_a_crowd"),
    [
        (text("good morning"), MAYBE_ASKED, NOT_ADDRESSED),
        (text("who is lycatra?"), MAYBE_ASKED, NOT_ADDRESSED),
        (text("lycatra: good morning"), ASKED, ASKED),
        (text("lycatra"), COMMANDED, COMMANDED),
        (text(f"ask {MAIN}"), ASKED, ASKED),
        (text("x", formatted_body=pill(UPDATES)), ASKED, ASKED),
        (text("x", m_mentions={"user_ids": [UPDATES]}), ASKED, ASKED),
        (text("x", m_mentions={"user_ids": [PERSON]}), MAYBE_ASKED, NOT_ADDRESSED),
        # A relation may lead to us, which only the database knows.
        (text("x", m_relates_to=REPLY), MAYBE_ASKED, MAYBE_ASKED),
        # A thread has a lane of its own.
        (
            text("x", m_relates_to=THREAD),
            ours(LaneKind.ASK, surely=False, lane=f"{ROOM}|$root|ask"),
            ours(LaneKind.ASK, surely=False, lane=f"{ROOM}|$root|ask"),
        ),
        (
            text("lycatra: x", m_relates_to=THREAD),
            ours(LaneKind.ASK, surely=True, lane=f"{ROOM}|$root|ask"),
            ours(LaneKind.ASK, surely=True, lane=f"{ROOM}|$root|ask"),
        ),
        # Commands do not wait behind questions.
        (text("!list updates"), COMMANDED, COMMANDED),
        (text("/help"), COMMANDED, COMMANDED),
        (text("lycatra: !list updates"), COMMANDED, COMMANDED),
        (text("lycatra_updates: list"), COMMANDED, COMMANDED),
        (text("lycatra_updates: list updates"), COMMANDED, COMMANDED),
        (text("lycatra_updates: list of updates"), ASKED, ASKED),
        (text("lycatra: list updates"), ASKED, ASKED),
        (text("!list updates", m_relates_to=THREAD), COMMANDED, COMMANDED),
        # Another bot's command, unless this is a DM.
        (text("!weather"), MAYBE_COMMANDED, NOT_ADDRESSED),
        (text("lycatra: !weather"), COMMANDED, COMMANDED),
        (text("!"), MAYBE_ASKED, NOT_ADDRESSED),
        # An edit is about something that may be ours.
        (text("* x", m_relates_to=EDIT), MAYBE_CONTROL, MAYBE_CONTROL),
        (
            text("x", m_relates_to={"rel_type": "m.replace", "event_id": 7}),
            MAYBE_ASKED,
            NOT_ADDRESSED,
        ),
        # Wrong types read as absent.
        (text(7), MAYBE_ASKED, NOT_ADDRESSED),
        (text(None), MAYBE_ASKED, NOT_ADDRESSED),
        (text("x", m_relates_to="y"), MAYBE_ASKED, NOT_ADDRESSED),
        (text("x", m_mentions=7, formatted_body=[]), MAYBE_ASKED, NOT_ADDRESSED),
        (text("<![foo[", formatted_body="<![foo[ matrix.to"), MAYBE_ASKED, NOT_ADDRESSED),
        (text("lycatra_serv\u0131ces: x"), ASKED, ASKED),
    ],
)
def test_a_text_message(message: JSON, alone: Verdict, in_a_crowd: Verdict) -> None:
    assert classify(message) == alone
    assert classify(message, crowd=True) == in_a_crowd


@pytest.mark.parametrize(
    ("content", "verdict"),
    [
        ({"msgtype": "m.emote", "body": "waves"}, MAYBE_ASKED),
        ({"msgtype": "m.notice", "body": "lycatra: hello"}, Never("a bot's")),
        (
            {"msgtype": "m.notice", "body": "!help", "m.mentions": {"user_ids": [MAIN]}},
            Never("a bot's"),
        ),
        ({"msgtype": "m.text", "body": "lycatra: x", "org.lycatra.reply": {}}, Never("a bot's")),
        # The body of a picture is the name of its file; in a DM it is meant for us all the same.
        ({"msgtype": "m.image", "body": "lycatra.png"}, MAYBE_ASKED),
        ({"msgtype": "m.image", "body": "x", "m.mentions": {"user_ids": [MAIN]}}, ASKED),
        ({"msgtype": "m.image", "body": "lycatra: x", "filename": "a.png"}, ASKED),
        ({"msgtype": "m.image", "body": "!list updates", "filename": "a.png"}, COMMANDED),
        ({"msgtype": "m.audio", "body": "lycatra: x"}, MAYBE_ASKED),
        ({"msgtype": "m.file", "body": "lycatra: x", "filename": 7}, MAYBE_ASKED),
        ({"msgtype": "m.location", "body": "lycatra: x", "filename": "a"}, MAYBE_ASKED),
        ({"msgtype": "org.example.new", "body": "lycatra: x"}, Never("msgtype")),
        (
            {"msgtype": "org.example.new", "body": "x", "formatted_body": pill(MAIN)},
            Never("msgtype"),
        ),
        ({"msgtype": "m.key.verification.request", "body": "lycatra: x"}, Never("msgtype")),
        ({"msgtype": 7, "body": "lycatra: x"}, Never("msgtype")),
        ({"body": "lycatra: x"}, Never("msgtype")),
        ({}, Never("msgtype")),
    ],
)
def test_other_messages(content: JSON, verdict: Verdict) -> None:
    assert classify(event(content=content)) == verdict


@pytest.mark.parametrize("sender", [*USERS.all, USERS.sender, NOPE])
@pytest.mark.parametrize(
    "kind", ["m.room.message", "m.reaction", "m.room.redaction", "m.room.encrypted"]
)
def test_what_our_own_users_sent_is_not_for_us(sender: str, kind: str) -> None:
    content = {"msgtype": "m.text", "body": "lycatra: !help"}

    assert classify(event(kind, content, sender=sender)) == Never("own echo")


LIVE: dict[str, JSON] = {"org.matrix.msc4357.live": {}}
REPLACES = {"m.relates_to": {"rel_type": "m.replace", "event_id": "$draft"}}


def test_our_own_unfinished_edit_is_looked_at_and_no_other_event_of_ours() -> None:
    def of_ours(content: dict[str, JSON], sender: str = MAIN) -> Verdict:
        return classify(event("m.room.message", {"body": "* x", **content}, sender=sender))

    assert of_ours({**LIVE, **REPLACES}) == LiveEcho(EventID("$draft"))
    assert of_ours(LIVE) == Never("own echo")
    assert of_ours(REPLACES) == Never("own echo")
    assert of_ours({**LIVE, "m.relates_to": {"rel_type": "m.replace"}}) == Never("own echo")
    assert not isinstance(of_ours({**LIVE, **REPLACES}, sender=PERSON), LiveEcho)


def member(user: str, membership: JSON, sender: str = PERSON) -> dict[str, JSON]:
    content = {"membership": membership}
    return event("m.room.member", content, state_key=user, sender=sender)


INVITED = ours(LaneKind.JOB, surely=True, lane=f"job|join|{ROOM}")


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        (member(MAIN, "invite"), INVITED),
        (member(UPDATES, "invite", sender=MAIN), INVITED),
        (member(USERS.sender, "invite"), INVITED),
        (member(NOPE, "invite"), INVITED),  # not acted upon, but logged by the worker
        (member(MAIN, "join", sender=MAIN), CONTROL),
        (member(MAIN, "leave"), CONTROL),
        (member(MAIN, "ban"), CONTROL),
        (member(MAIN, 7), CONTROL),
        (member(PERSON, "invite"), MAYBE_CONTROL),
        (member(PERSON, "join"), MAYBE_CONTROL),
        (member(PERSON, "leave"), MAYBE_CONTROL),
        (member("@lycatra2:hs.test", "invite"), MAYBE_CONTROL),
        (member("@lycatra:elsewhere.org", "invite"), MAYBE_CONTROL),
        (member("", "invite"), MAYBE_CONTROL),
        (member("\0", None), MAYBE_CONTROL),
        (event("m.room.name", {"name": "x"}, state_key=""), MAYBE_CONTROL),
        (event("m.room.name", {"name": "x"}, state_key="", sender=MAIN), MAYBE_CONTROL),
        (event("m.room.encryption", state_key=""), MAYBE_CONTROL),
        (event("m.room.create", state_key=""), MAYBE_CONTROL),
        (event("m.room.power_levels", state_key=""), MAYBE_CONTROL),
        (event("m.room.tombstone", state_key=""), MAYBE_CONTROL),
        (event("m.room.topic", {"topic": "lycatra: x"}, state_key=""), Never("state")),
        (event("org.example.state", state_key="x"), Never("state")),
        (
            event("m.room.message", {"msgtype": "m.text", "body": "!help"}, state_key=""),
            Never("state"),
        ),
        (event("m.room.member", {"membership": "join"}), Never("type")),
    ],
)
@pytest.mark.parametrize("crowd", [False, True])
def test_state(changed: JSON, verdict: Verdict, crowd: bool) -> None:
    assert classify(changed, crowd=crowd) == verdict


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        ("m.reaction", MAYBE_CONTROL),
        ("m.room.redaction", MAYBE_CONTROL),
        ("m.room.encrypted", MAYBE_CONTROL),
        ("m.sticker", Never("type")),
        ("m.call.invite", Never("type")),
        ("org.example.unknown", Never("type")),
    ],
)
@pytest.mark.parametrize("crowd", [False, True])
def test_events_of_other_types(kind: str, verdict: Verdict, crowd: bool) -> None:
    assert classify(event(kind), crowd=crowd) == verdict


@pytest.mark.parametrize(
    ("beat", "verdict"),
    [
        (event("org.lycatra.heartbeat", {"nonce": "abc"}, sender=MAIN), Heartbeat("abc")),
        (event("org.lycatra.heartbeat", {"nonce": 7}, sender=MAIN), Heartbeat("")),
        (event("org.lycatra.heartbeat", {}, sender=MAIN), Heartbeat("")),
        (
            event("org.lycatra.heartbeat", {"nonce": "abc"}, sender=PERSON),
            Never("foreign heartbeat"),
        ),
        (
            event("org.lycatra.heartbeat", {"nonce": "abc"}, sender=UPDATES),
            Never("foreign heartbeat"),
        ),
    ],
)
def test_heartbeats(beat: JSON, verdict: Verdict) -> None:
    assert classify(beat) == verdict


def without(key: str) -> dict[str, JSON]:
    return {name: value for name, value in text("!help").items() if name != key}


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (None, "not a JSON object"),
        ([], "not a JSON object"),
        ("x", "not a JSON object"),
        (7, "not a JSON object"),
        ({}, "no usable event_id"),
        (without("event_id"), "no usable event_id"),
        (without("room_id"), "no usable room_id"),
        (without("sender"), "no usable sender"),
        (without("type"), "no usable type"),
        (without("content"), "no content object"),
        ({**text("!help"), "content": None}, "no content object"),
        ({**text("!help"), "content": []}, "no content object"),
        ({**text("!help"), "content": "x"}, "no content object"),
        ({**text("!help"), "event_id": 7}, "no usable event_id"),
        ({**text("!help"), "event_id": "$a\0"}, "no usable event_id"),
        ({**text("!help"), "event_id": "$\ud800"}, "no usable event_id"),
        ({**text("!help"), "event_id": "$" + "x" * 255}, "no usable event_id"),
        ({**text("!help"), "room_id": {}}, "no usable room_id"),
        ({**text("!help"), "room_id": "!a\nb"}, "no usable room_id"),
        ({**text("!help"), "sender": ""}, "no usable sender"),
        ({**text("!help"), "type": ["m.room.message"]}, "no usable type"),
        ({**member(MAIN, "invite"), "state_key": 7}, "state_key is not text"),
        ({**member(MAIN, "invite"), "state_key": None}, "state_key is not text"),
        # Nothing that is pushed may pass for a trigger of another kind.
        ({**text("!help"), "event_id": "cron:retention:1"}, "no usable event_id"),
        ({**text("!help"), "event_id": "mcp:x"}, "no usable event_id"),
        ({**text("!help"), "room_id": "job"}, "no usable room_id"),
        ({**text("!help"), "sender": "lycatra"}, "no usable sender"),
    ],
)
def test_what_cannot_be_told_apart_is_malformed(broken: JSON, reason: str) -> None:
    assert classify(broken) == Malformed(reason)


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=9))
    | st.sampled_from([MAIN, PERSON, ROOM, "$e", "m.text", "m.room.member", "invite", "!help"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["membership", "body", "msgtype", "m.relates_to", "user_ids", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=9,
)
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["m.room.message", "m.room.member", "m.reaction"]) | VALUES,
        "event_id": st.just("$e") | VALUES,
        "room_id": st.just(ROOM) | VALUES,
        "sender": st.sampled_from([PERSON, MAIN]) | VALUES,
        "content": st.dictionaries(
            st.sampled_from(["msgtype", "body", "m.mentions", "m.relates_to", "formatted_body"]),
            VALUES,
        )
        | VALUES,
        "state_key": VALUES,
        "unsigned": VALUES,
    },
)


@given(EVENTS | VALUES, st.booleans())
def test_any_json_gets_a_verdict(anything: JSON, crowd: bool) -> None:
    verdict = classify(anything, crowd=crowd)

    if isinstance(verdict, Ours):
        assert isinstance(anything, Mapping)
        assert "\0" not in verdict.lane
