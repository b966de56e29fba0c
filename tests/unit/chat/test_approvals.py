"""A change waits for people: the card, their votes, and one new message at the end."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from lycatra_appservice.model import RoomID
from lycatra_appservice.settings import Approvals
from lycatra_appservice.toolkit.base import Rule
from lycatra_appservice.turns.deciding import Deciding
from tests.support.approving import (
    LISTS,
    OPERATOR,
    RESTART,
    SECOND,
    Services,
    approval_rows,
    ask_restart,
    card_id,
    card_now,
    cards,
    code,
    failing,
    let_time_pass,
    seat_people,
)
from tests.support.homeserver_stub import Failure
from tests.support.scene import (
    EVERYBODY,
    MAIN,
    OTHER,
    PERSON,
    ROOM,
    SERVICES,
    STRANGER,
    UPDATES,
    Scene,
    open_scene,
)
from tests.support.turns import query, turn_states
from tests.unit.chat.approving import results, ruled, vote
from tests.unit.chat.revising import edit, hurry, on_the_homeserver, reaction, take_back

APPROVALS_ROOM = RoomID("!approvals")
FREEZE = ["sun 10:00-14:00", "sun 14:00-16:00"]  # the scene's day is a Sunday


@pytest.fixture
def services() -> Services:
    return Services()


@pytest.fixture
async def scene(tmp_path: Path, services: Services) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path, lists=LISTS, tools=services.tools()) as opened:
        seat_people(opened)
        yield opened


# --- the card ---


async def test_a_change_is_shown_on_a_card_and_not_made(scene: Scene, services: Services) -> None:
    [card] = await scene.ask(RESTART)

    assert services.restarted == []
    assert card.by == SERVICES
    assert card.content["msgtype"] == "m.text"
    assert card.content["m.mentions"] == {"user_ids": [OPERATOR, SECOND]}
    for words in (
        "Restart service: web",
        "runs systemctl restart web",
        "now it is running",
        "service: web",
        "asked by @person:hs.test",
        "Waiting for an operator, until 12:15 (UTC)",
        f"!approve {await code(scene)}",
    ):
        assert words in card.body.replace("`", "").replace("\u200d", "")


async def test_the_card_is_an_answer_in_place_and_offers_both_votes(scene: Scene) -> None:
    asked = scene.message(RESTART)
    await scene.hear(asked)

    event = cards(scene)[-1]
    assert event["content"]["m.relates_to"]["m.in_reply_to"] == {"event_id": asked["event_id"]}
    seeds = [e for e in scene.stub.rooms[ROOM].events if e["type"] == "m.reaction"]
    assert [(e["sender"], e["content"]["m.relates_to"]) for e in seeds] == [
        (
            SERVICES,
            {"rel_type": "m.annotation", "event_id": event["event_id"], "key": key},
        )
        for key in ("✅", "❌")
    ]


async def test_our_own_seeds_are_no_votes(scene: Scene, services: Services) -> None:
    await ask_restart(scene)
    seeds = [e for e in scene.stub.rooms[ROOM].events if e["type"] == "m.reaction"]

    assert await scene.hear(*seeds) == []

    assert services.restarted == []
    assert not await query(scene.database, "SELECT * FROM vote")


async def test_what_cannot_be_is_refused_before_anybody_is_asked(scene: Scene) -> None:
    [said] = await scene.ask("!restart service wbe")

    assert said.body == "I do not know `wbe`."
    assert not cards(scene)


async def test_nobody_is_asked_where_nobody_could_approve(
    tmp_path: Path, services: Services
) -> None:
    async with open_scene(tmp_path, lists=LISTS, tools=services.tools()) as scene:
        scene.seat(*EVERYBODY)
        scene.stub.state[ROOM, "m.room.member", OPERATOR] = {"membership": "invite"}

        [said] = await scene.ask(RESTART)

        assert "needs the approval of an operator" in said.body
        assert "operator:hs.test" in said.body
        assert not await approval_rows(scene)


async def test_questions_go_on_while_a_change_waits(scene: Scene, services: Services) -> None:
    await ask_restart(scene)

    [said] = await scene.ask("!list updates 2")

    assert said.body.startswith("2 updates")
    await vote(scene)
    assert services.restarted == ["web"]


# --- approving ---


@pytest.mark.parametrize("key", ["✅", "👍", "👍🏽", "✔️", "✔"])
async def test_an_approved_change_is_made_once_and_answered_anew(
    scene: Scene, services: Services, key: str
) -> None:
    card = await ask_restart(scene)

    said = await vote(scene, key)

    assert services.restarted == ["web"]
    answer = next(each for each in scene.said() if each.body == "web is back")
    assert answer.content["msgtype"] == "m.text"
    assert answer.content["m.mentions"] == {"user_ids": [PERSON]}
    assert "web is back" in said
    assert "Approved by @operator:hs.test, and done." in card_now(scene, card).replace(
        "`", ""
    ).replace("\u200d", "")


async def test_who_asked_may_approve_too(scene: Scene, services: Services) -> None:
    await ask_restart(scene, sender=OPERATOR)

    await vote(scene, by=OPERATOR)

    assert services.restarted == ["web"]


@pytest.mark.parametrize("key", ["❌", "👎"])
async def test_one_refusal_ends_it(scene: Scene, services: Services, key: str) -> None:
    card = await ask_restart(scene)

    await vote(scene, key)
    await vote(scene)

    assert services.restarted == []
    assert results(scene)[-1].endswith("denied this, so nothing was done.")
    assert "❌ Denied by" in card_now(scene, card)


async def test_who_asked_may_give_it_up_without_being_able_to_approve_it(
    scene: Scene, services: Services
) -> None:
    await ask_restart(scene)

    assert any("does not count" in said for said in await vote(scene, by=PERSON))
    await vote(scene, "❌", by=PERSON)

    assert services.restarted == []
    assert results(scene)[-1].endswith("denied this, so nothing was done.")


async def test_who_may_not_approve_reads_so_once_and_uses_nothing_up(
    scene: Scene, services: Services
) -> None:
    await ask_restart(scene)

    first = await vote(scene, by=OTHER)
    again = await vote(scene, "👍", by=OTHER)
    refused = await vote(scene, "❌", by=OTHER)

    assert len(first) == 1
    assert "Your vote does not count here" in first[0]
    assert again == refused == []
    assert services.restarted == []
    await vote(scene)
    assert services.restarted == ["web"]


async def test_an_operator_who_has_left_does_not_count(scene: Scene, services: Services) -> None:
    await ask_restart(scene)
    event = reaction(scene, card_id(scene), "✅", sender=OPERATOR)

    await scene.hear(scene.member(OPERATOR, "leave", sender=OPERATOR), event)

    assert services.restarted == []


@pytest.mark.parametrize("key", ["🎉", "", "yes", "🛠"])
async def test_other_reactions_are_no_votes(scene: Scene, services: Services, key: str) -> None:
    await ask_restart(scene)

    assert await vote(scene, key) == []

    assert services.restarted == []


async def test_votes_on_other_messages_are_nothing(scene: Scene, services: Services) -> None:
    await ask_restart(scene)
    chat = scene.message("looks good", sender=OTHER)

    await scene.hear(chat, reaction(scene, chat["event_id"], "👍", sender=OPERATOR))

    assert services.restarted == []
    assert not await query(scene.database, "SELECT * FROM vote")


async def test_a_vote_from_another_room_does_not_count(scene: Scene, services: Services) -> None:
    await ask_restart(scene)
    elsewhere = RoomID("!elsewhere")
    scene.seat(OPERATOR, PERSON, MAIN, room_id=elsewhere)
    await scene.ask("!list updates 2", room_id=elsewhere)  # so that it is known who is there
    event = {**reaction(scene, card_id(scene), "✅", sender=OPERATOR), "room_id": elsewhere}

    await scene.hear(event)

    assert services.restarted == []


async def test_stale_and_backdated_votes_do_not_count(scene: Scene, services: Services) -> None:
    await ask_restart(scene)

    await vote(scene, age=timedelta(minutes=11))
    pushed = reaction(scene, card_id(scene), "✅", sender=OPERATOR)
    await scene.hear({**pushed, "unsigned": {}, "origin_server_ts": 1})

    assert services.restarted == []
    await vote(scene, age=timedelta(minutes=1))
    assert services.restarted == ["web"]


async def test_a_vote_that_was_taken_back_does_not_count(tmp_path: Path) -> None:
    services = Services()
    async with ruled(tmp_path, services, quorum=2) as scene:
        await ask_restart(scene)
        first = reaction(scene, card_id(scene), "✅", sender=OPERATOR)
        await scene.hear(first)

        await scene.hear(take_back(scene, first, sender=OPERATOR))
        await vote(scene, by=SECOND)
        assert services.restarted == []

        await vote(scene, by=OPERATOR)
        assert services.restarted == ["web"]


async def test_a_second_approval_changes_nothing(scene: Scene, services: Services) -> None:
    card = await ask_restart(scene)

    await vote(scene)
    assert await vote(scene, by=SECOND, on=card) == []
    assert await vote(scene, "❌", by=SECOND, on=card) == []

    assert services.restarted == ["web"]


async def test_a_failed_change_says_so(scene: Scene, services: Services) -> None:
    services.breaks.append(failing("The unit is masked."))
    card = await ask_restart(scene)

    await vote(scene)

    assert results(scene)[-1] == "⚠️ The unit is masked."
    assert "but it failed" in card_now(scene, card)
    assert services.restarted == ["web"]


async def test_what_would_run_has_to_be_what_was_shown(scene: Scene, services: Services) -> None:
    await ask_restart(scene)
    services.command = "systemctl stop"

    await vote(scene)

    assert services.restarted == []
    assert "is not what was approved" in results(scene)[-1]


async def test_who_may_not_ask_any_more_gets_nothing_done(
    scene: Scene, services: Services, tmp_path: Path
) -> None:
    await ask_restart(scene)
    denied = type(LISTS)(viewer=["*:hs.test"], operator=[OPERATOR], none=[PERSON])

    async with open_scene(
        tmp_path, lists=denied, tools=services.tools(), beside=scene
    ) as restarted:
        card = cards(scene)[-1]["event_id"]
        event = reaction(restarted, card, "✅", sender=OPERATOR)
        await restarted.hear({**event, "event_id": "$vote"})

        assert services.restarted == []
        assert results(restarted)[-1].startswith("⚠️ ")


# --- by word ---


async def test_a_code_approves_in_any_case(scene: Scene, services: Services) -> None:
    await ask_restart(scene)

    said = await scene.ask(f"!approve {(await code(scene)).lower()}", sender=OPERATOR)

    assert services.restarted == ["web"]
    assert "Decided. The card shows how it goes on." in [each.body for each in said]


async def test_one_open_card_needs_no_code(scene: Scene, services: Services) -> None:
    await ask_restart(scene)

    await scene.ask("!deny", sender=OPERATOR)

    assert services.restarted == []
    assert (await approval_rows(scene))[0]["state"] == "denied"


async def test_several_open_cards_are_told_apart_by_their_codes(
    scene: Scene, services: Services
) -> None:
    await scene.ask(RESTART)
    await scene.ask("!restart service database")
    first, second = [row["code"] for row in await approval_rows(scene)]

    [said] = await scene.ask("!approve", sender=OPERATOR)
    assert first in said.body
    assert second in said.body

    await scene.ask(f"!approve {second}", sender=OPERATOR)
    assert services.restarted == ["database"]


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("!approve", "Nothing waits for an approval here."),
        ("!deny XXXX", "I know no request with the code `XXXX`."),
    ],
)
async def test_a_word_about_nothing_says_so(scene: Scene, words: str, answer: str) -> None:
    [said] = await scene.ask(words, sender=OPERATOR)

    assert said.body.startswith(answer)


async def test_who_may_not_approve_by_word_reads_so(scene: Scene, services: Services) -> None:
    await ask_restart(scene)

    [said] = await scene.ask("!approve", sender=OTHER)

    assert "does not count" in said.body
    assert services.restarted == []


async def test_a_word_that_comes_too_late_is_told_so(scene: Scene) -> None:
    await ask_restart(scene)
    written = await code(scene)
    await vote(scene, "❌")

    said = await scene.ask(f"!approve {written}", sender=SECOND)

    assert said[-1].body.startswith("That is over already")


async def test_an_approval_that_was_redacted_does_not_count(tmp_path: Path) -> None:
    services = Services()
    async with ruled(tmp_path, services, quorum=2) as scene:
        await ask_restart(scene)
        word = scene.message("!approve", sender=OPERATOR)
        on_the_homeserver(scene, word)
        [said] = await scene.hear(word)
        assert said.body == "Noted: 1 of 2."

        await scene.hear(take_back(scene, word, sender=OPERATOR))
        await vote(scene, by=SECOND)

        assert services.restarted == []


# --- rules ---


async def test_nobody_approves_his_own_request_where_the_rule_says_so(tmp_path: Path) -> None:
    services = Services()
    async with ruled(tmp_path, services, not_requester=True) as scene:
        await ask_restart(scene, sender=OPERATOR)

        assert any("does not count" in said for said in await vote(scene, by=OPERATOR))
        assert services.restarted == []
        await vote(scene, by=SECOND)

        assert services.restarted == ["web"]


async def test_a_quorum_takes_different_people(tmp_path: Path) -> None:
    services = Services()
    async with ruled(tmp_path, services, quorum=2) as scene:
        card = await ask_restart(scene)

        await vote(scene, "✅", by=OPERATOR)
        await vote(scene, "👍", by=OPERATOR)
        assert services.restarted == []
        await vote(scene, by=SECOND)

        assert services.restarted == ["web"]
        shown = card_now(scene, card)
        assert "operator:hs.test" in shown
        assert "second:hs.test" in shown


async def test_named_people_stand_in_the_place_of_a_level(tmp_path: Path) -> None:
    services = Services()
    async with ruled(tmp_path, services, people=[OTHER]) as scene:
        await ask_restart(scene)

        await vote(scene, by=OPERATOR)
        assert services.restarted == []
        await vote(scene, by=OTHER)

        assert services.restarted == ["web"]


async def test_the_configuration_wins_over_the_tools_author_value_by_value(
    tmp_path: Path,
) -> None:
    services = Services()
    approvals = Approvals.model_validate(
        {"lifetime": "1h", "tools": {"restart_service": {"quorum": 2}}}
    )
    tools = services.tools(Rule(quorum=3, not_requester=True))
    async with open_scene(tmp_path, lists=LISTS, tools=tools, approvals=approvals) as scene:
        seat_people(scene)
        [card] = await scene.ask(RESTART)

        assert "2 operators (not" in card.body
        assert "until 13:00 (UTC)" in card.body


async def test_nothing_is_asked_during_a_freeze(tmp_path: Path) -> None:
    services = Services()
    async with ruled(tmp_path, services, freeze=FREEZE) as scene:
        [said] = await scene.ask(RESTART)

        assert said.body == "Nothing may be changed before 16:00 (UTC). Please ask again then."


async def test_nothing_is_approved_during_a_freeze_that_has_begun_since(tmp_path: Path) -> None:
    services = Services()
    async with ruled(tmp_path, services, freeze=["sun 12:10-12:20"]) as scene:
        await ask_restart(scene)
        scene.now += timedelta(minutes=12)

        [said] = await vote(scene)
        assert "Nothing may be changed before 12:20" in said
        assert services.restarted == []

        scene.now += timedelta(minutes=9)
        await vote(scene, by=SECOND)
        assert services.restarted == ["web"]


async def test_the_card_may_be_shown_in_a_room_of_its_own(tmp_path: Path) -> None:
    services = Services()
    async with ruled(tmp_path, services, room=APPROVALS_ROOM) as scene:
        scene.seat(OPERATOR, MAIN, room_id=APPROVALS_ROOM)

        [said] = await scene.ask(RESTART)
        card = card_id(scene, APPROVALS_ROOM)
        event = {**reaction(scene, card, "✅", sender=OPERATOR), "room_id": APPROVALS_ROOM}
        [answer] = await scene.hear(event)

        assert "another room" in said.body
        assert said.content["org.lycatra.reply"]["kind"] == "progress"
        assert answer.body == "web is back"
        assert "and done" in card_now(scene, card, APPROVALS_ROOM)


async def test_a_room_of_approvals_that_we_are_not_in_is_said(tmp_path: Path) -> None:
    services = Services()
    async with ruled(tmp_path, services, room=APPROVALS_ROOM) as scene:
        [said] = await scene.ask(RESTART)

        assert "I am not in it" in said.body


# --- the other ends ---


async def test_what_nobody_decides_about_expires(scene: Scene, services: Services) -> None:
    card = await ask_restart(scene)
    await let_time_pass(scene)

    assert await vote(scene, "❌") == []
    assert await Deciding(scene.database).expire() == 1
    await scene.work()

    assert services.restarted == []
    assert results(scene)[-1].startswith("Nobody approved this in time")
    assert "Nobody decided in time" in card_now(scene, card)
    assert await Deciding(scene.database).expire() == 0


async def test_stop_takes_a_waiting_change_back(scene: Scene, services: Services) -> None:
    card = await ask_restart(scene)

    said = await scene.ask("!stop")

    assert [each.body for each in said if "new_content" not in str(each.content)] == [
        "I have stopped. Nothing more will come of it."
    ]
    assert "Taken back" in card_now(scene, card)
    assert await vote(scene, on=card) == []
    assert services.restarted == []


async def test_a_stop_sign_on_the_card_takes_it_back(scene: Scene, services: Services) -> None:
    card = await ask_restart(scene)

    [its_end] = await vote(scene, "🛑", by=PERSON)

    assert "Taken back" in its_end
    assert "Taken back" in card_now(scene, card)
    assert services.restarted == []


async def test_an_edit_withdraws_the_card_and_asks_anew(scene: Scene, services: Services) -> None:
    asked = scene.message(RESTART)
    on_the_homeserver(scene, asked)
    await scene.hear(asked)
    old = card_id(scene)

    await scene.hear(edit(scene, asked, "!restart service database"))
    await vote(scene, on=old)
    assert services.restarted == []
    assert "because the request was changed" in card_now(scene, old)

    await vote(scene)
    assert services.restarted == ["database"]


async def test_a_redacted_request_is_forgotten_with_its_card(
    scene: Scene, services: Services
) -> None:
    asked = scene.message(RESTART)
    await scene.hear(asked)
    card = card_id(scene)

    await scene.hear(take_back(scene, asked))
    await hurry(scene)

    redacted = {
        event["content"].get("redacts") or event.get("redacts")
        for event in scene.stub.rooms[ROOM].events
        if event["type"] == "m.room.redaction"
    }
    edits = {
        event["event_id"]
        for event in scene.stub.rooms[ROOM].events
        if event["content"].get("m.relates_to", {}).get("event_id") == card
    }
    assert {card, *edits} <= redacted
    [row] = await approval_rows(scene)
    assert (row["state"], row["args"], row["shown"]) == ("withdrawn", "{}", "{}")
    assert services.restarted == []


async def test_a_removed_card_ends_the_wait(scene: Scene, services: Services) -> None:
    card = await ask_restart(scene)
    [event] = cards(scene)

    await scene.hear(take_back(scene, event, sender=OPERATOR))

    assert results(scene)[-1].startswith("The card for the approval could not be shown")
    await vote(scene, on=card)
    assert services.restarted == []


async def test_the_same_asked_again_leads_from_the_old_card_to_the_new(
    scene: Scene, services: Services
) -> None:
    old = await ask_restart(scene)

    await scene.ask(RESTART, sender=OTHER)
    new = card_id(scene)

    assert new != old
    assert new in str(scene.stub.rooms[ROOM].events)
    assert "A newer request is about the same" in card_now(scene, old)
    await vote(scene, on=old)
    assert services.restarted == []
    await vote(scene, on=new)
    assert services.restarted == ["web"]


async def test_something_else_asked_leaves_the_first_card_as_it_is(scene: Scene) -> None:
    await scene.ask(RESTART)
    await scene.ask("!restart service database")

    assert [row["state"] for row in await approval_rows(scene)] == ["open", "open"]


async def test_a_room_that_we_were_sent_away_from_approves_nothing(
    scene: Scene, services: Services
) -> None:
    await ask_restart(scene)
    ours = [user for user in EVERYBODY if user.startswith("@lycatra")]
    for user in ours:
        scene.stub.rooms[ROOM].members[user] = "leave"

    await scene.hear(*[scene.member(user, "leave", sender=OPERATOR) for user in ours])

    [row] = await approval_rows(scene)
    assert (row["state"], row["why"]) == ("withdrawn", "room_left")
    states = await turn_states(scene.database)
    assert "waiting" not in states.values()
    assert services.restarted == []


async def test_a_room_that_one_of_us_has_left_goes_on_waiting(
    scene: Scene, services: Services
) -> None:
    await ask_restart(scene)
    scene.stub.rooms[ROOM].members[UPDATES] = "leave"

    await scene.hear(scene.member(UPDATES, "leave", sender=OPERATOR))
    await vote(scene)

    assert services.restarted == ["web"]


async def test_a_card_that_cannot_be_sent_ends_the_wait(
    tmp_path: Path, services: Services
) -> None:
    async with open_scene(tmp_path, lists=LISTS, tools=services.tools()) as scene:
        seat_people(scene)
        scene.stub.fail(
            Failure(method="PUT", contains="/send/m.room.message", status=400, errcode="M_BAD")
        )

        said = await scene.ask(RESTART)

        assert said[-1].body.startswith("The card for the approval could not be shown")


async def test_strangers_are_not_asked(tmp_path: Path, services: Services) -> None:
    lists = type(LISTS)(viewer=["*"], operator=["*:hs.test"])
    async with open_scene(tmp_path, lists=lists, tools=services.tools()) as scene:
        scene.seat(*EVERYBODY, STRANGER)
        await ask_restart(scene, sender=STRANGER)

        await vote(scene, by=STRANGER)
        assert services.restarted == []
        await vote(scene, by=OTHER)

        assert services.restarted == ["web"]
