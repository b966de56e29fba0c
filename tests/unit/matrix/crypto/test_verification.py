"""Emoji verification as a person's device lives through it."""

import asyncio
import base64
from collections.abc import Mapping
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from nio.crypto.device import OlmDevice
from nio.crypto.sas import Sas as NioSas

from lycatra_appservice.matrix.crypto.emoji import EMOJI
from lycatra_appservice.matrix.crypto.verification import (
    OwnKeys,
    VerificationMessage,
    Verifications,
    message_between_devices,
    message_in_room,
)
from lycatra_appservice.model import JSON, RoomID, UserID
from tests.support.sas_peer import ANNA, STEP, V2, SasPeer, Wire, random_key

OURS = UserID("@lycatra:hs.test")
ROOM = RoomID("!room:hs.test")
MINUTE_MS = 60_000


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wire() -> Wire:
    return Wire(
        own=OwnKeys(
            user_id=OURS,
            device_id="OURDEVICE",
            device_key=random_key(),
            master_key="+" + random_key()[1:],  # comes before the device in a sorted list
        )
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def verifications(wire: Wire, clock: Clock) -> Verifications:
    return Verifications(wire, clock)


@pytest.fixture(params=[None, ROOM], ids=["between_devices", "in_a_room"])
def peer(request: pytest.FixtureRequest, wire: Wire) -> SasPeer:
    return known(wire, SasPeer(ours=OURS, room_id=request.param))


@pytest.fixture
def device(wire: Wire) -> SasPeer:
    return known(wire, SasPeer(ours=OURS))


def known(wire: Wire, peer: SasPeer) -> SasPeer:
    wire.device_keys[peer.user_id, peer.device_id] = peer.device_key
    return peer


async def until_accepted(verifications: Verifications, wire: Wire, peer: SasPeer) -> None:
    await verifications.heard(OURS, peer.request())
    await verifications.heard(OURS, peer.start())
    peer.accepted = wire.content_of("accept")


async def until_shown(verifications: Verifications, wire: Wire, peer: SasPeer) -> None:
    await until_accepted(verifications, wire, peer)
    await verifications.heard(OURS, peer.key())
    peer.take_key(wire.content_of("key")["key"], wire.own.device_id)


# A whole run


async def test_a_person_sees_our_emoji_and_can_believe_our_keys(
    verifications: Verifications, wire: Wire, peer: SasPeer
) -> None:
    await until_shown(verifications, wire, peer)

    assert wire.shown == [(peer.room_id, [EMOJI[number] for number in peer.emoji_numbers()])]
    assert peer.believes(wire.content_of("mac"), wire.own)

    await verifications.heard(OURS, peer.mac())
    await verifications.heard(OURS, peer.said("done", {}))

    assert wire.steps == ["ready", "accept", "key", "mac", "done"]


async def test_every_answer_says_which_verification_it_belongs_to(
    verifications: Verifications, wire: Wire, peer: SasPeer
) -> None:
    await until_shown(verifications, wire, peer)
    await verifications.heard(OURS, peer.mac())

    relation = {"rel_type": "m.reference", "event_id": "$request"}
    for _, content in wire.sent:
        assert content.get("transaction_id") == (None if peer.room_id else "$request")
        assert content.get("m.relates_to") == (relation if peer.room_id else None)
    assert set(wire.to) == {(ROOM, "") if peer.room_id else (ANNA, "ANNASPHONE")}


async def test_a_request_is_answered_by_the_device_that_will_be_verified(
    verifications: Verifications, wire: Wire, peer: SasPeer
) -> None:
    await verifications.heard(OURS, peer.request(methods=["m.qr_code.scan.v1", "m.sas.v1"]))

    ready = wire.content_of("ready")
    assert (ready["from_device"], ready["methods"]) == ("OURDEVICE", ["m.sas.v1"])


async def test_our_key_is_the_one_that_we_were_bound_to_by_the_start_as_it_came(
    verifications: Verifications, wire: Wire, peer: SasPeer
) -> None:
    await until_shown(verifications, wire, peer)

    assert peer.is_bound()
    assert ("m.relates_to" in peer.start_content) == (peer.room_id is not None)


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["hkdf-hmac-sha256", V2], V2),
        ([V2], V2),
        (["hkdf-hmac-sha256"], "hkdf-hmac-sha256"),
    ],
)
async def test_the_macs_are_of_the_better_kind_that_is_offered(
    verifications: Verifications, wire: Wire, device: SasPeer, offered: list[str], chosen: str
) -> None:
    device.macs = offered
    await until_shown(verifications, wire, device)
    await verifications.heard(OURS, device.mac())

    assert wire.content_of("accept")["message_authentication_code"] == chosen
    assert device.believes(wire.content_of("mac"), wire.own)
    assert wire.steps[-1] == "done"


async def test_between_devices_no_request_is_needed(
    verifications: Verifications, wire: Wire, device: SasPeer
) -> None:
    await verifications.heard(OURS, device.start())
    device.accepted = wire.content_of("accept")
    await verifications.heard(OURS, device.key())
    device.take_key(wire.content_of("key")["key"], wire.own.device_id)
    await verifications.heard(OURS, device.mac())

    assert wire.steps == ["accept", "key", "mac", "done"]


async def test_a_request_that_comes_twice_is_answered_once(
    verifications: Verifications, wire: Wire, peer: SasPeer
) -> None:
    await verifications.heard(OURS, peer.request())
    await verifications.heard(OURS, peer.start())
    await verifications.heard(OURS, peer.request())

    assert wire.steps == ["ready", "accept"]


# Somebody else's client (matrix-nio on vodozemac)


async def test_nio_sees_the_same_emoji_and_believes_our_device(
    verifications: Verifications, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    # nio 0.26 calls them the old ones, but vodozemac's have the base64 of v2.
    monkeypatch.setattr(NioSas, "_mac_v1", [V2])
    ours = OlmDevice(OURS, "OURDEVICE", {"ed25519": wire.own.device_key})
    nio_key = wire.device_keys[ANNA, "NIO"] = random_key()
    sas: Any = NioSas(ANNA, "NIO", nio_key, ours)

    await verifications.heard(OURS, from_nio(sas.start_verification()))
    accept = wire.content_of("accept")
    # nio compares the digest in hex, against the specification.
    digest = base64.b64decode(accept["commitment"] + "=").hex()
    sas.receive_accept_event(nio_event({**accept, "commitment": digest}))
    await verifications.heard(OURS, from_nio(sas.share_key()))
    sas.receive_key_event(nio_event(wire.content_of("key")))
    sas.accept_sas()
    sas.receive_mac_event(nio_event(wire.content_of("mac")))
    await verifications.heard(OURS, from_nio(sas.get_mac()))

    # nio's own get_emoji reads vodozemac's seven numbers as if they were six bytes.
    numbers = sas.established_sas.bytes(sas._extra_info).emoji_indices
    assert wire.shown == [(None, [EMOJI[number] for number in numbers])]
    assert sas.verified
    assert sas.verified_devices == ["OURDEVICE"]
    assert wire.steps[-1] == "done"


def from_nio(message: Any) -> VerificationMessage:
    step = message_between_devices(ANNA, message.type, message.content)
    assert step is not None
    return step


def nio_event(content: Mapping[str, JSON]) -> SimpleNamespace:
    return SimpleNamespace(**content, sender=OURS)


def test_the_pictures_are_those_of_other_clients() -> None:
    assert [picture for picture, _ in EMOJI] == [picture for picture, _ in NioSas.emoji]


# Keys that do not fit


async def test_a_person_whose_device_key_is_another_one_is_told_of_it(
    verifications: Verifications, wire: Wire, peer: SasPeer
) -> None:
    await until_shown(verifications, wire, peer)
    wire.device_keys[ANNA, peer.device_id] = random_key()

    await verifications.heard(OURS, peer.mac())

    assert wire.cancels == ["m.key_mismatch"]
    assert "done" not in wire.steps


async def test_a_list_of_keys_that_was_changed_on_the_way_is_refused(
    verifications: Verifications, wire: Wire, peer: SasPeer
) -> None:
    await until_shown(verifications, wire, peer)
    mac = peer.mac()
    del mac.content["mac"]["ed25519:master"]

    await verifications.heard(OURS, mac)

    assert wire.cancels == ["m.key_mismatch"]


async def test_keys_that_we_cannot_know_are_passed_over(
    verifications: Verifications, wire: Wire, peer: SasPeer
) -> None:
    wire.device_keys.clear()
    await until_shown(verifications, wire, peer)

    await verifications.heard(OURS, peer.mac())

    assert wire.steps[-1] == "done"


async def test_somebody_between_the_devices_makes_other_emoji(
    verifications: Verifications, wire: Wire, peer: SasPeer
) -> None:
    await until_accepted(verifications, wire, peer)
    intruder = SasPeer(ours=OURS, room_id=peer.room_id)

    await verifications.heard(OURS, intruder.key())
    peer.take_key(intruder.sas.pubkey, wire.own.device_id)

    assert wire.shown[0][1] != [EMOJI[number] for number in peer.emoji_numbers()]
    assert not peer.is_bound()


async def test_a_second_key_is_refused_even_if_our_answer_to_the_first_was_lost(
    verifications: Verifications, wire: Wire, device: SasPeer
) -> None:
    await until_accepted(verifications, wire, device)
    wire.broken = True
    with pytest.raises(ConnectionError):
        await verifications.heard(OURS, device.key())
    wire.broken = False

    await verifications.heard(OURS, SasPeer(ours=OURS).key())

    assert wire.steps == ["ready", "accept", "cancel"]
    assert not wire.shown


async def test_a_request_whose_answer_could_not_be_sent_may_come_again(
    verifications: Verifications, wire: Wire, peer: SasPeer
) -> None:
    wire.broken = True
    with pytest.raises(ConnectionError):
        await verifications.heard(OURS, peer.request())
    wire.broken = False

    await verifications.heard(OURS, peer.request())

    assert wire.steps == ["ready"]


# What we do not take part in


async def test_a_request_without_emoji_is_told_so(
    verifications: Verifications, wire: Wire, peer: SasPeer
) -> None:
    await verifications.heard(OURS, peer.request(methods=["m.qr_code.scan.v1"]))

    assert wire.cancels == ["m.unknown_method"]
    assert wire.steps == ["cancel"]


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "m.reciprocate.v1"},
        {"key_agreement_protocols": ["curve25519"]},
        {"hashes": ["md5"]},
        {"message_authentication_codes": ["hmac-sha256"]},
        {"short_authentication_string": ["decimal"]},
    ],
    ids=lambda changes: next(iter(changes)),
)
async def test_a_start_in_which_one_thing_cannot_be_agreed_is_told_so(
    verifications: Verifications, wire: Wire, peer: SasPeer, changes: dict[str, JSON]
) -> None:
    await verifications.heard(OURS, peer.request())
    await verifications.heard(OURS, peer.start(**changes))

    assert wire.steps == ["ready", "cancel"]
    assert wire.cancels == ["m.unknown_method"]


@pytest.mark.parametrize("age_ms", [10 * MINUTE_MS, 10**13, -6 * MINUTE_MS])
async def test_a_request_of_another_time_is_not_answered(
    verifications: Verifications, wire: Wire, device: SasPeer, age_ms: int
) -> None:
    await verifications.heard(OURS, device.request(age_ms=age_ms))

    assert not wire.sent


async def test_in_a_room_a_request_is_as_old_as_the_homeserver_says(
    verifications: Verifications, wire: Wire
) -> None:
    early = SasPeer(ours=OURS, room_id=ROOM, transaction_id="$early")
    late = SasPeer(ours=OURS, room_id=ROOM, transaction_id="$late")

    await verifications.heard(OURS, early.request(age_ms=10 * MINUTE_MS))
    await verifications.heard(OURS, late.request(age_ms=10 * MINUTE_MS - 1))

    assert [content["m.relates_to"]["event_id"] for _, content in wire.sent] == ["$late"]


async def test_verifications_of_others_in_the_room_are_left_alone(
    verifications: Verifications, wire: Wire
) -> None:
    others = SasPeer(ours=OURS, room_id=ROOM)
    others.accepted = {"message_authentication_code": V2}

    await verifications.heard(OURS, others.request(to="@berta:hs.test"))
    for step in (others.start(), others.key(), others.said("mac", {})):
        await verifications.heard(OURS, step)

    assert not wire.sent


async def test_what_we_said_ourselves_is_not_heard(
    verifications: Verifications, wire: Wire
) -> None:
    await verifications.heard(OURS, SasPeer(ours=OURS, user_id=OURS, room_id=ROOM).request())

    assert not wire.sent


# The end


async def test_after_a_cancel_nothing_more_is_said(
    verifications: Verifications, wire: Wire, peer: SasPeer
) -> None:
    await until_accepted(verifications, wire, peer)

    await verifications.heard(OURS, peer.said("cancel", {"code": "m.user", "reason": "no"}))
    for step in (peer.key(), peer.start(), peer.request()):
        await verifications.heard(OURS, step)

    assert wire.steps == ["ready", "accept"]


async def test_a_step_of_an_unknown_verification_is_answered_once(
    verifications: Verifications, wire: Wire, device: SasPeer
) -> None:
    for step in (device.key(), device.said("mac", {}), device.key()):
        await verifications.heard(OURS, step)

    assert wire.cancels == ["m.unknown_transaction"]
    assert wire.to == [(ANNA, "*")]


@pytest.mark.parametrize("step", ["cancel", "done"])
async def test_an_end_is_never_answered(
    verifications: Verifications, wire: Wire, peer: SasPeer, step: str
) -> None:
    await verifications.heard(OURS, peer.said(step, {}))

    assert not wire.sent


async def test_a_step_of_somebody_else_does_not_belong_to_a_verification(
    verifications: Verifications, wire: Wire, device: SasPeer
) -> None:
    await until_accepted(verifications, wire, device)
    stranger = SasPeer(ours=OURS, user_id=UserID("@mallory:hs.test"))

    await verifications.heard(OURS, stranger.key())
    await verifications.heard(OURS, device.key())

    assert wire.steps == ["ready", "accept", "cancel", "key", "mac"]
    assert wire.to[2] == ("@mallory:hs.test", "*")


async def test_another_device_cannot_go_on_with_what_one_has_requested(
    verifications: Verifications, wire: Wire, peer: SasPeer
) -> None:
    await verifications.heard(OURS, peer.request())
    await verifications.heard(OURS, peer.start(from_device="ANNASTABLET"))

    assert wire.cancels == ["m.unexpected_message"]


@pytest.mark.parametrize("step", ["ready", "accept", "key", "mac"])
async def test_a_step_out_of_turn_ends_the_verification(
    verifications: Verifications, wire: Wire, peer: SasPeer, step: str
) -> None:
    await verifications.heard(OURS, peer.request())
    await verifications.heard(OURS, peer.said(step, {}))
    await verifications.heard(OURS, peer.start())

    assert wire.steps == ["ready", "cancel"]
    assert wire.cancels == ["m.unexpected_message"]


async def test_ten_minutes_after_the_request_it_is_forgotten(
    verifications: Verifications, wire: Wire, clock: Clock
) -> None:
    early = SasPeer(ours=OURS, room_id=ROOM, transaction_id="$early")
    late = SasPeer(ours=OURS, room_id=ROOM, transaction_id="$late")
    await verifications.heard(OURS, early.request(age_ms=9 * MINUTE_MS))
    await verifications.heard(OURS, late.request(age_ms=8 * MINUTE_MS))
    clock.now += 60

    await verifications.heard(OURS, early.start())
    await verifications.heard(OURS, late.start())

    assert wire.steps == ["ready", "ready", "accept"]
    assert wire.content_of("accept")["m.relates_to"]["event_id"] == "$late"


async def test_a_device_that_took_too_long_is_told_so(
    verifications: Verifications, wire: Wire, clock: Clock, device: SasPeer
) -> None:
    await until_accepted(verifications, wire, device)
    clock.now += 600

    await verifications.heard(OURS, device.key())

    assert wire.steps == ["ready", "accept", "cancel"]
    assert wire.cancels == ["m.unknown_transaction"]


# Steps at the same time


async def test_a_step_waits_for_our_answer_to_the_one_before(
    verifications: Verifications, wire: Wire, peer: SasPeer
) -> None:
    await until_accepted(verifications, wire, peer)
    wire.may_show.clear()
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        tasks.create_task(verifications.heard(OURS, peer.key()))
        await wire.is_showing.wait()
        peer.take_key(wire.content_of("key")["key"], wire.own.device_id)
        tasks.create_task(verifications.heard(OURS, peer.mac()))
        wire.may_show.set()

    assert wire.steps == ["ready", "accept", "key", "mac", "done"]


async def test_a_step_that_waited_is_not_heard_after_a_cancel(
    verifications: Verifications, wire: Wire, peer: SasPeer
) -> None:
    await until_accepted(verifications, wire, peer)
    wire.may_show.clear()
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        tasks.create_task(verifications.heard(OURS, peer.key()))
        await wire.is_showing.wait()
        peer.take_key(wire.content_of("key")["key"], wire.own.device_id)
        tasks.create_task(verifications.heard(OURS, peer.mac()))
        tasks.create_task(verifications.heard(OURS, peer.said("cancel", {})))
        wire.may_show.set()

    assert "done" not in wire.steps
    assert not wire.cancels


# Hostile contents

DEEP: JSON = []
for _ in range(100_000):
    DEEP = [DEEP]

HOSTILE: list[tuple[str, JSON]] = [
    ("request", []),
    ("request", None),
    ("request", {}),
    ("request", {"from_device": 7, "methods": ["m.sas.v1"]}),
    ("request", {"from_device": "", "methods": ["m.sas.v1"]}),
    ("request", {"from_device": "A\ud800", "methods": ["m.sas.v1"]}),
    ("request", {"from_device": "A", "methods": "m.sas.v1"}),
    ("request", {"from_device": "A", "methods": {"m.sas.v1": 1}}),
    ("start", "start"),
    ("start", {}),
    ("start", {"method": ["m.sas.v1"]}),
    ("start", {"from_device": {"a": 1}}),
    ("start", {"hashes": "sha256"}),
    ("start", {"key_agreement_protocols": None}),
    ("start", {"message_authentication_codes": 2}),
    ("start", {"short_authentication_string": "emoji"}),
    ("start", {"x": "\ud800"}),
    ("start", {"x": float("nan")}),
    ("start", {"x": DEEP}),
    ("start", {"x": object()}),
    ("key", 5),
    ("key", {}),
    ("key", {"key": None}),
    ("key", {"key": ["A" * 43]}),
    ("key", {"key": ""}),
    ("key", {"key": "A" * 42}),
    ("key", {"key": "A" * 44}),
    ("key", {"key": "A" * 60_000}),
    ("key", {"key": "!" * 43}),
    ("key", {"key": "é" * 43}),
    ("key", {"key": "\ud800" * 43}),
    ("mac", True),
    ("mac", {}),
    ("mac", {"mac": [], "keys": "a"}),
    ("mac", {"mac": {}, "keys": None}),
    ("mac", {"mac": {"ed25519:\ud800": "a"}, "keys": "a"}),
    ("mac", {"mac": {}, "keys": "\ud800"}),
    ("mac", {"mac": {3: 4, "a": 5}, "keys": "a"}),
]


@pytest.mark.parametrize(
    ("step", "content"), HOSTILE, ids=[f"{step}{at}" for at, (step, _) in enumerate(HOSTILE)]
)
async def test_what_cannot_be_read_ends_the_verification_and_nothing_else(
    verifications: Verifications, wire: Wire, device: SasPeer, step: str, content: JSON
) -> None:
    if step == "start":
        await verifications.heard(OURS, device.request())
        whole = (
            {**device.start().content, **content} if content and content != "start" else content
        )
    else:
        whole = content
    if step == "key":
        await until_accepted(verifications, wire, device)
    if step == "mac":
        await until_shown(verifications, wire, device)
    before = len(wire.sent)

    hostile = VerificationMessage(
        sender=ANNA, type=STEP + step, content=whole, transaction_id=device.transaction_id
    )
    await verifications.heard(OURS, hostile)

    assert wire.steps[before:] == ["cancel"]
    assert wire.cancels == ["m.invalid_message"]
    assert len(wire.shown) == (1 if step == "mac" else 0)


async def test_a_mac_that_is_no_text_is_refused(
    verifications: Verifications, wire: Wire, device: SasPeer
) -> None:
    await until_shown(verifications, wire, device)
    mac = device.mac()
    mac.content["mac"]["ed25519:ANNASPHONE"] = {"a": 1}

    await verifications.heard(OURS, mac)

    assert wire.cancels == ["m.invalid_message"]


IN_ROOM: dict[str, JSON] = {
    "type": STEP + "key",
    "sender": ANNA,
    "room_id": ROOM,
    "event_id": "$step",
    "content": {"m.relates_to": {"rel_type": "m.reference", "event_id": "$request"}},
}
REQUEST_IN_ROOM: dict[str, JSON] = {"msgtype": STEP + "request", "to": OURS}


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        {},
        IN_ROOM | {"type": None},
        IN_ROOM | {"type": ["m.key.verification.key"]},
        IN_ROOM | {"type": "m.room.message"},
        IN_ROOM | {"type": STEP + "request"},
        IN_ROOM | {"type": STEP + "dance"},
        IN_ROOM | {"sender": 4},
        IN_ROOM | {"room_id": None},
        IN_ROOM | {"content": "content"},
        IN_ROOM | {"content": {}},
        IN_ROOM | {"content": {"m.relates_to": "$request"}},
        IN_ROOM | {"content": {"m.relates_to": {"rel_type": "m.thread", "event_id": "$a"}}},
        IN_ROOM | {"content": {"m.relates_to": {"rel_type": "m.reference", "event_id": 1}}},
        IN_ROOM | {"type": "m.room.message", "content": REQUEST_IN_ROOM, "event_id": {}},
        IN_ROOM | {"type": "m.room.message", "content": {"msgtype": "m.text", "body": "hi"}},
    ],
)
def test_what_is_no_step_in_a_room_is_read_as_none(event: JSON) -> None:
    assert message_in_room(IN_ROOM) is not None
    assert message_in_room(event) is None


@pytest.mark.parametrize("age", [None, "9", True, -5, float("inf"), 10**400])
def test_an_age_that_is_none_is_no_age(age: JSON) -> None:
    step = message_in_room(IN_ROOM | {"unsigned": {"age": age}})

    assert step is not None
    assert step.age == timedelta(0)


@pytest.mark.parametrize(
    ("type_", "content"),
    [
        (STEP + "dance", {"transaction_id": "t"}),
        ("m.room_key", {"transaction_id": "t"}),
        (STEP + "key", {}),
        (STEP + "key", []),
        (STEP + "key", {"transaction_id": ""}),
        (STEP + "key", {"transaction_id": 5}),
        (STEP + "key", {"transaction_id": "t" * 300}),
    ],
)
def test_what_is_no_step_between_devices_is_read_as_none(type_: str, content: JSON) -> None:
    assert message_between_devices(ANNA, type_, content) is None


# Limits


async def test_of_one_persons_verifications_the_last_three_go_on(
    verifications: Verifications, wire: Wire
) -> None:
    peers = [SasPeer(ours=OURS, transaction_id=f"t{n}") for n in range(4)]
    for peer in peers:
        await verifications.heard(OURS, peer.start())
    for peer in peers:
        await verifications.heard(OURS, peer.key())

    said = [(step, content["transaction_id"]) for step, content in wire.sent[4:]]
    assert said[0] == ("cancel", "t0")
    assert [name for step, name in said if step == "key"] == ["t1", "t2", "t3"]


async def test_of_all_verifications_the_last_fifty_go_on(
    verifications: Verifications, wire: Wire
) -> None:
    peers = [SasPeer(ours=OURS, user_id=UserID(f"@person{n}:hs.test")) for n in range(51)]
    for peer in peers:
        await verifications.heard(OURS, peer.start())
    for peer in peers:
        await verifications.heard(OURS, peer.key())

    assert wire.steps.count("key") == 50
    assert wire.to[wire.steps.index("cancel")] == ("@person0:hs.test", "*")


async def test_one_persons_many_requests_end_nobody_elses_verification(
    verifications: Verifications, wire: Wire, device: SasPeer
) -> None:
    await until_accepted(verifications, wire, device)
    for n in range(60):
        loud = SasPeer(ours=OURS, user_id=UserID("@loud:hs.test"), transaction_id=f"t{n}")
        await verifications.heard(OURS, loud.start())

    await verifications.heard(OURS, device.key())

    assert wire.steps[-2:] == ["key", "mac"]


async def test_only_the_last_five_hundred_that_are_over_are_remembered(
    verifications: Verifications, wire: Wire
) -> None:
    peers = [SasPeer(ours=OURS, transaction_id=f"t{n}") for n in range(501)]
    for peer in (*peers, peers[500], peers[1], peers[0]):
        await verifications.heard(OURS, peer.key())

    assert len(wire.cancels) == 502
    assert wire.sent[-1][1]["transaction_id"] == "t0"
