"""How many invitations are accepted, and who has read why not, on both databases."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest

from lycatra_appservice.db.connection import Database
from lycatra_appservice.matrix.invitations import (
    Decision,
    Invitation,
    InvitationStore,
    Outcome,
)
from lycatra_appservice.model import EventID, RoomID, UserID
from lycatra_appservice.settings import Invitations
from tests.support.turns import query

MAIN, UPDATES = UserID("@lycatra:hs.test"), UserID("@lycatra_updates:hs.test")
PERSON, OTHER = UserID("@person:hs.test"), UserID("@other:hs.test")
AWAY, AWAY_TOO = UserID("@one:away.test"), UserID("@two:away.test")
LIMITS = Invitations(per_person_and_hour=3, per_server_and_hour=4, per_room_and_hour=2)
HOUR = timedelta(hours=1)
Invite = Callable[..., Invitation]


@pytest.fixture
def store(database: Database) -> InvitationStore:
    return InvitationStore(database, LIMITS, "hs.test")


@pytest.fixture
def invite() -> Invite:
    """An invitation into a room of its own, unless one is named."""
    count = itertools.count(1)

    def make(
        inviter: UserID = PERSON, *, user: UserID = MAIN, room: str | None = None
    ) -> Invitation:
        n = next(count)
        return Invitation(
            event_id=EventID(f"$invite{n}"),
            room_id=RoomID(room or f"!room{n}"),
            user_id=user,
            inviter=inviter,
        )

    return make


async def outcomes(
    store: InvitationStore, *invitations: Invitation, is_exempt: bool = False
) -> list[str]:
    decisions = [await store.decide(each, None, is_exempt=is_exempt) for each in invitations]
    return [decision.outcome.value for decision in decisions]


async def grow_old(database: Database, by: timedelta) -> None:
    await query(
        database,
        "UPDATE invitation SET at = at - :by RETURNING at",
        by=round(by.total_seconds() * 1000),
    )


async def test_a_person_invites_so_often_and_then_hears_when_to_try_again(
    store: InvitationStore, invite: Invite, database: Database
) -> None:
    first = await outcomes(store, invite())
    await grow_old(database, timedelta(minutes=20))
    assert first + await outcomes(store, invite(), invite()) == ["accepted"] * 3

    refused = await store.decide(invite(), None, is_exempt=False)

    assert refused.outcome is Outcome.PERSON_LIMIT
    assert timedelta(minutes=39) < refused.wait <= timedelta(minutes=40)
    assert await outcomes(store, invite(OTHER)) == ["accepted"]
    await grow_old(database, timedelta(minutes=40))
    assert await outcomes(store, invite()) == ["accepted"]


async def test_refused_invitations_do_not_prolong_the_refusal(
    store: InvitationStore, invite: Invite, database: Database
) -> None:
    await outcomes(store, *(invite() for _ in range(10)))
    await grow_old(database, HOUR)

    assert await outcomes(store, invite()) == ["accepted"]


async def test_another_homeserver_has_a_limit_for_all_of_its_people(
    store: InvitationStore, invite: Invite
) -> None:
    people = [AWAY, AWAY_TOO] * 3

    assert await outcomes(store, *map(invite, people)) == ["accepted"] * 4 + ["server_limit"] * 2


async def test_the_own_homeserver_has_none(store: InvitationStore, invite: Invite) -> None:
    people = [UserID(f"@person{n}:hs.test") for n in range(10)]

    assert await outcomes(store, *map(invite, people)) == ["accepted"] * 10


async def test_one_of_us_comes_into_one_room_only_so_often(
    store: InvitationStore, invite: Invite
) -> None:
    again = [invite(person, room="!room") for person in (PERSON, OTHER, AWAY)]

    assert await outcomes(store, *again) == ["accepted", "accepted", "room_limit"]
    assert await outcomes(store, invite(OTHER, user=UPDATES, room="!room")) == ["accepted"]


async def test_who_is_exempt_has_only_the_limit_of_the_room(
    store: InvitationStore, invite: Invite
) -> None:
    many = [invite(AWAY) for _ in range(10)]
    assert await outcomes(store, *many, is_exempt=True) == ["accepted"] * 10

    again = [invite(AWAY, room="!room") for _ in range(3)]
    assert await outcomes(store, *again, is_exempt=True) == ["accepted", "accepted", "room_limit"]


async def test_the_same_invitation_is_decided_once(
    store: InvitationStore, invite: Invite, database: Database
) -> None:
    once = invite()

    assert await outcomes(store, *[once] * 5, invite(), invite()) == ["accepted"] * 7
    refused = invite()
    assert await outcomes(store, refused, refused) == ["person_limit"] * 2
    assert len(await query(database, "SELECT * FROM invitation")) == 4


async def test_the_reason_for_a_refusal_is_new_once_an_hour_to_each_person(
    store: InvitationStore, invite: Invite, database: Database
) -> None:
    async def refuse(inviter: UserID, why: Outcome = Outcome.NOT_ALLOWED) -> Decision:
        return await store.decide(invite(inviter), why, is_exempt=False)

    assert not (await refuse(PERSON)).is_repeated
    assert (await refuse(PERSON)).is_repeated
    assert not (await refuse(OTHER)).is_repeated
    assert not (await refuse(PERSON, Outcome.TECHNICAL)).is_repeated  # other words

    await grow_old(database, HOUR)
    assert not (await refuse(PERSON)).is_repeated


async def test_a_refusal_that_is_decided_again_after_a_crash_is_still_new(
    store: InvitationStore, invite: Invite
) -> None:
    refused = invite()
    for _ in range(2):
        decision = await store.decide(refused, Outcome.SPACE, is_exempt=False)
        assert decision == Decision(outcome=Outcome.SPACE, is_repeated=False)


async def test_of_all_who_come_at_once_only_so_many_get_in(
    store: InvitationStore, invite: Invite
) -> None:
    async with asyncio.timeout(30):
        decisions = await asyncio.gather(
            *(store.decide(invite(AWAY), None, is_exempt=False) for _ in range(20))
        )

    assert Counter(decision.outcome for decision in decisions) == {
        Outcome.ACCEPTED: 3,
        Outcome.PERSON_LIMIT: 17,
    }


async def test_what_no_limit_needs_any_more_is_forgotten(
    store: InvitationStore, invite: Invite, database: Database
) -> None:
    await outcomes(store, invite())
    await grow_old(database, timedelta(days=1, minutes=1))
    await outcomes(store, invite())

    await store.forget()

    [left] = await query(database, "SELECT event_id FROM invitation")
    assert left["event_id"] == "$invite2"
