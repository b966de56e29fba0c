"""What may be said again only after a while, or only once, on both databases."""

from datetime import timedelta

from lycatra_appservice.chat.unasked import NoticeStore
from lycatra_appservice.db.connection import Database
from tests.support.turns import query

FIVE_MINUTES = timedelta(minutes=5)


async def test_one_may_say_it_and_the_others_wait(database: Database) -> None:
    notices = NoticeStore(database)

    assert await notices.take_for("unseen|!room", "$1", FIVE_MINUTES)
    assert not await notices.take_for("unseen|!room", "$2", FIVE_MINUTES)
    assert await notices.take_for("unseen|!other", "$2", FIVE_MINUTES)
    assert await notices.take_for("unseen|!room", "$1", FIVE_MINUTES)  # again after a crash

    await query(database, "UPDATE notice SET expires_at = expires_at - 300001")
    assert await notices.take_for("unseen|!room", "$3", FIVE_MINUTES)
    assert not await notices.take_for("unseen|!room", "$1", FIVE_MINUTES)


async def test_what_is_said_once_beside_an_answer_needs_no_hour_of_its_room(
    database: Database,
) -> None:
    notices = NoticeStore(database)

    assert await notices.take_once("thread|@ann:hs.test", "$1")
    assert await notices.take_once("thread|@ann:hs.test", "$1")
    assert not await notices.take_once("thread|@ann:hs.test", "$2")
    assert await notices.take_once("thread|@ben:hs.test", "$2")


async def test_the_first_holds_a_notice_until_it_is_forgotten(database: Database) -> None:
    notices = NoticeStore(database)

    assert await notices.holder("model_outage|any", "$1") == "$1"
    assert await notices.holder("model_outage|any", "$2") == "$1"
    await notices.forget("model_outage|any")
    assert await notices.holder("model_outage|any", "$2") == "$2"


async def test_a_word_for_an_admin_is_told_once_and_again_only_to_the_same_turn(
    database: Database,
) -> None:
    notices = NoticeStore(database)
    assert await notices.tell_admin("$0") is None

    for _ in range(2):
        await notices.note_for_admin({"key": "model", "real": 4096})
    assert await notices.tell_admin("$1") == {"key": "model", "real": 4096}
    assert await notices.tell_admin("$2") is None
    await notices.note_for_admin({"key": "model", "real": 2048})
    await notices.note_for_admin({"key": "model", "real": 4096})  # told already
    assert await notices.tell_admin("$1") == {"key": "model", "real": 4096}  # after a crash
    assert await notices.tell_admin("$3") == {"key": "model", "real": 2048}
    assert await notices.tell_admin("$4") is None
