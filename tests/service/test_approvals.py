"""Approvals on a real Synapse: a second account's reactions, edits, time and crashes."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from lycatra_appservice.demo.people import PersonClient
from lycatra_appservice.model import JSON, EventID
from tests.support.lycatra import Lycatra
from tests.support.model_server import calls, model_server, says
from tests.support.oracle import examine
from tests.support.proxy import Mode
from tests.support.revising import edit
from tests.support.stage import Room, Stage, sqlite_in
from tests.support.tables import Tables
from tests.support.waiting import until

# Leaves a line when it begins, and does not end before it may.
_RESTART = """
import pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
with (folder / "restarts").open("a") as log:
    print(sys.argv[2], file=log)
while not (folder / "may-end").exists():
    time.sleep(0.02)
"""


@dataclass(frozen=True, kw_only=True)
class Play:
    """A room with somebody who asks and somebody who may approve."""

    room: Room
    operator: PersonClient
    replica: Lycatra
    tables: Tables
    folder: Path

    def restarts(self) -> Sequence[str]:
        """What was restarted, in order: the proof."""
        log = self.folder / "restarts"
        return log.read_text().split() if log.exists() else []

    async def card_of(self, request: EventID) -> JSON:
        """Wait for the card of a request."""
        return (await self._marked(request, "card"))[-1]

    async def answer_to(self, request: EventID) -> str:
        """Wait for what came of it."""
        return str((await self._marked(request, "message"))[-1]["content"]["body"])

    async def shows(self, card: JSON, words: str) -> None:
        """Wait until the card says this."""

        async def says() -> bool:
            return any(
                words in event["content"]["m.new_content"]["body"]
                for event in await self.room.events()
                if event["content"].get("m.relates_to", {}).get("event_id") == card["event_id"]
                and "m.new_content" in event["content"]
            )

        await until(says, f"a card that says {words!r}")

    async def approve(self, card: JSON, key: str = "✅") -> EventID:
        """React as the operator."""
        return await self.operator.react(self.room.room_id, EventID(card["event_id"]), key)

    async def _marked(self, request: EventID, kind: str) -> Sequence[JSON]:
        found: list[JSON] = []

        async def came() -> bool:
            found[:] = [
                event
                for event in await self.room.events()
                if (mark := event["content"].get("org.lycatra.reply"))
                and (mark["to"], mark["kind"]) == (request, kind)
                and "m.new_content" not in event["content"]
            ]
            return bool(found)

        await until(came, f"a {kind} for {request}")
        return found


@pytest.fixture
async def play(stage: Stage, tmp_path: Path) -> Play:
    """A running replica, its room, and an operator in it."""
    return await begin_play(stage, tmp_path)


async def begin_play(
    stage: Stage,
    tmp_path: Path,
    homeserver_url: str | None = None,
    *,
    model_url: str | None = None,
) -> Play:
    """The same, with another way to Synapse, or a model."""
    operator, asker = await stage.person(), await stage.person()
    server = stage.site.homeserver.server_name
    restart = {
        "service": "web",
        "kind": "command",
        "argv": [sys.executable, "-c", _RESTART, str(tmp_path), "{service}"],
        "shown": "systemctl restart web",
    }
    database = {**restart, "service": "database"}
    url = sqlite_in(tmp_path)
    replica = await stage.replica(
        url,
        homeserver_url=homeserver_url,
        model_url=model_url,
        more={
            "access": {
                "viewer": [f"*:{server}"],
                "operator": [operator.user_id, asker.user_id],
            },
            "approvals": {"people": [operator.user_id]},
            "tools": {"services": {"restarts": [restart, database]}},
        },
    )
    (tmp_path / "may-end").touch()
    await replica.start()
    room = await stage.room(asker)
    await asker.invite(room.room_id, operator.user_id)
    await operator.join(room.room_id)
    return Play(room=room, operator=operator, replica=replica, tables=Tables(url), folder=tmp_path)


async def test_a_reaction_of_another_account_approves_once(play: Play) -> None:
    request = await play.room.ask("!restart service web")
    card = await play.card_of(request)
    assert card["content"]["m.mentions"] == {"user_ids": [play.operator.user_id]}
    assert play.restarts() == []

    await play.room.person.react(play.room.room_id, EventID(card["event_id"]), "✅")
    await play.approve(card)
    await play.approve(card, "👍🏽")

    assert "`web` was restarted" in await play.answer_to(request)
    await play.shows(card, "and done")
    await play.tables.until_idle()
    assert play.restarts() == ["web"]
    events = await play.room.events()
    assert examine(events, play.room.asked).clean
    asides = [e for e in events if "does not count" in str(e["content"].get("body"))]
    assert len(asides) == 1


@pytest.mark.slow
async def test_a_refusal_ends_it(play: Play) -> None:
    request = await play.room.ask("!restart service web")
    card = await play.card_of(request)

    await play.approve(card, "❌")

    assert "denied this" in await play.answer_to(request)
    await play.shows(card, "Denied by")
    await play.approve(card)
    await play.tables.until_idle()
    assert play.restarts() == []


@pytest.mark.slow
async def test_a_word_with_the_code_approves_too(play: Play) -> None:
    request = await play.room.ask("!restart service web")
    await play.card_of(request)
    [row] = await play.tables.rows("SELECT code FROM approval")

    await play.operator.send_text(play.room.room_id, f"!approve {row['code'].lower()}")

    assert "`web` was restarted" in await play.answer_to(request)
    assert play.restarts() == ["web"]


@pytest.mark.slow
async def test_an_edit_of_the_request_withdraws_the_card(play: Play) -> None:
    request = await play.room.ask("!restart service web")
    card = await play.card_of(request)

    await edit(play.room, request, "!restart service database")
    await play.shows(card, "because the request was changed")
    await play.approve(card)
    await play.tables.until_idle()
    assert play.restarts() == []

    new = await play.card_of(request)
    assert new["event_id"] != card["event_id"]
    await play.approve(new)
    assert "`database` was restarted" in await play.answer_to(request)
    assert play.restarts() == ["database"]


@pytest.mark.slow
async def test_what_waits_too_long_expires_while_nobody_runs_too(play: Play) -> None:
    request = await play.room.ask("!restart service web")
    card = await play.card_of(request)
    await play.replica.stop()
    config = play.replica.config_path
    written = json.loads(config.read_text())
    written["approvals"]["lifetime"] = "2s"
    config.write_text(json.dumps(written))
    await play.replica.start()
    short = await play.room.ask("!restart service database")
    await play.card_of(short)
    play.replica.kill()

    async def is_over() -> bool:
        now_ms = "(julianday('now') - 2440587.5) * 86400000"
        over = f"SELECT 1 FROM approval WHERE expires_at < {now_ms}"  # noqa: S608 (a constant)
        return bool(await play.tables.rows(over))

    await until(is_over, "the end of the shorter one")
    await play.replica.start()

    assert "Nobody approved this in time" in await play.answer_to(short)
    await play.shows(await play.card_of(short), "Nobody decided in time")
    await play.approve(card)
    assert "`web` was restarted" in await play.answer_to(request)
    assert play.restarts() == ["web"]


@pytest.mark.slow
async def test_what_was_asked_before_a_crash_is_approved_and_done_after_it(play: Play) -> None:
    request = await play.room.ask("!restart service web")
    card = await play.card_of(request)
    play.replica.kill()

    await play.approve(card)
    await play.replica.start()

    assert "`web` was restarted" in await play.answer_to(request)
    assert play.restarts() == ["web"]


@pytest.mark.slow
async def test_a_crash_in_the_middle_is_told_and_not_repeated(play: Play) -> None:
    (play.folder / "may-end").unlink()
    request = await play.room.ask("!restart service web")
    card = await play.card_of(request)
    await play.approve(card)

    async def begun() -> bool:
        return play.restarts() == ["web"]

    await until(begun, "the beginning of the restart")
    play.replica.kill()
    (play.folder / "may-end").touch()
    await play.replica.start()

    assert "may or may not have happened" in await play.answer_to(request)
    await play.shows(card, "may or may not have happened")
    assert play.restarts() == ["web"]


@pytest.mark.slow
async def test_a_crash_before_the_start_is_made_up_for_and_one_after_it_is_told(
    play: Play,
) -> None:
    """Both are approved; the second runs, and the first waits for it, when everything ends."""
    (play.folder / "may-end").unlink()
    first = await play.room.ask("!restart service web")
    waits = await play.card_of(first)
    second = await play.room.ask("!restart service database")
    await play.approve(await play.card_of(second))

    async def begun() -> bool:
        return play.restarts() == ["database"]

    await until(begun, "the beginning of the second")
    await play.approve(waits)

    async def approved() -> bool:
        return bool(await play.tables.rows("SELECT 1 FROM approval WHERE state = 'approved'"))

    await until(approved, "the approval of the first")
    play.replica.kill()
    (play.folder / "may-end").touch()
    await play.replica.start()

    assert "`web` was restarted" in await play.answer_to(first)
    assert "may or may not have happened" in await play.answer_to(second)
    assert play.restarts() == ["database", "web"]


@pytest.mark.slow
async def test_a_crash_after_the_end_says_once_what_came_of_it(
    stage: Stage, tmp_path: Path
) -> None:
    homeserver = await stage.homeserver_proxy()
    play = await begin_play(stage, tmp_path, homeserver.url)
    (play.folder / "may-end").unlink()
    request = await play.room.ask("!restart service web")
    await play.approve(await play.card_of(request))

    async def begun() -> bool:
        return play.restarts() == ["web"]

    await until(begun, "the beginning of the restart")
    homeserver.set(Mode.HOLD_ANSWERS)
    (play.folder / "may-end").touch()

    async def done() -> bool:
        return bool(await play.tables.rows("SELECT 1 FROM approval WHERE outcome = 'done'"))

    await until(done, "the end of the restart")
    play.replica.kill()
    homeserver.cut()
    homeserver.set(Mode.PASS)
    await play.replica.start()

    assert "`web` was restarted" in await play.answer_to(request)
    await play.tables.until_idle()
    assert play.restarts() == ["web"]
    assert examine(await play.room.events(), play.room.asked).clean


@pytest.mark.slow
async def test_stop_in_the_middle_breaks_nothing_off(play: Play) -> None:
    (play.folder / "may-end").unlink()
    request = await play.room.ask("!restart service web")
    card = await play.card_of(request)
    await play.approve(card)

    async def begun() -> bool:
        return play.restarts() == ["web"]

    await until(begun, "the beginning of the restart")
    assert "I do not break it off" in await play.room.said_to("!stop")
    (play.folder / "may-end").touch()

    assert "`web` was restarted" in await play.answer_to(request)
    await play.shows(card, "and done")


@pytest.mark.slow
async def test_a_redacted_request_takes_its_card_along(play: Play) -> None:
    request = await play.room.ask("!restart service web")
    card = await play.card_of(request)

    await play.room.person.redact(play.room.room_id, request)

    async def gone() -> bool:
        events = {event["event_id"]: event for event in await play.room.events()}
        return not events[card["event_id"]]["content"]

    await until(gone, "the end of the card")
    await play.approve(card)
    await play.tables.until_idle()
    assert play.restarts() == []
    shown = [event["content"].get("body", "") for event in await play.room.events()]
    assert not any("systemctl" in body for body in shown)


@pytest.mark.slow
async def test_what_a_model_asked_for_before_a_crash_is_approved_and_done_after_it(
    stage: Stage, tmp_path: Path
) -> None:
    async with model_server() as model:
        play = await begin_play(stage, tmp_path, model_url=model.base_url)
        model.will(calls(("restart_service", '{"service": "web"}'), text="I shall ask."))
        request = await play.room.ask("lycatra: please restart web")
        card = await play.card_of(request)
        play.replica.kill()

        await play.approve(card)
        model.will(says("It is back."))
        await play.replica.start()

        assert (await play.answer_to(request)).startswith("It is back.")
        assert play.restarts() == ["web"]
        again = model.asked[1].messages
        assert [row["role"] for row in again[-3:]] == ["user", "assistant", "tool"]
        assert "restarted" in again[-1]["content"]
        assert len(model.asked) == 2  # the plan was not made anew
        assert (await play.room.settled(play.tables)).clean
