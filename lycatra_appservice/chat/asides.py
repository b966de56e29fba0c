"""What is said beside an answer, or in place of one, but rarely."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Final

from lycatra_appservice.agent.messages import SmallerWindow
from lycatra_appservice.chat import messages
from lycatra_appservice.chat.unasked import NoticeStore
from lycatra_appservice.model import RoomID, UserID
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.text import Text

_BETWEEN_PICTURES: Final = timedelta(minutes=5)  # a whole album is one thing to speak about
_LONGEST_OUTAGE: Final = timedelta(days=7)  # after that a room is told once more
_BETWEEN_SIGNPOSTS: Final = timedelta(hours=1)  # who has read it goes there


class Asides:
    """Remembers for the whole deployment what was said; a turn hears the same in every run."""

    def __init__(self, notices: NoticeStore) -> None:
        self._notices = notices

    async def cannot_see(self, turn: Turn, room_id: RoomID, msgtype: str) -> bool:
        """Whether to say that pictures, or files of another kind, cannot be seen."""

        async def take() -> bool:
            key = f"unseen|{room_id}|{msgtype}"
            return await self._notices.take_for(key, turn.trigger_id, _BETWEEN_PICTURES)

        return bool(await turn.step("aside:unseen", take))

    async def has_moved(self, turn: Turn, room_id: RoomID) -> bool:
        """Whether to say that the conversation goes on in another room."""

        async def take() -> bool:
            key = f"moved|{room_id}"
            return await self._notices.take_for(key, turn.trigger_id, _BETWEEN_SIGNPOSTS)

        return bool(await turn.step("aside:moved", take))

    async def note_windows(self, smaller: Sequence[SmallerWindow]) -> None:
        """Keep for an admin that models read less than configured; safe to say again."""
        for each in smaller:
            await self._notices.note_for_admin(asdict(each))

    async def for_admin(self, turn: Turn) -> Text | None:
        """What an admin has to know and change: each thing once ever, in the whole deployment."""
        found = await self._notices.tell_admin(turn.trigger_id)
        return messages.window_is_smaller(SmallerWindow(**found)) if found else None

    async def has_shown(self, turn: Turn, room_id: RoomID) -> bool:
        """Whether to ask what somebody wants to know about what came without words."""

        async def take() -> bool:
            key = f"shown|{room_id}"
            return await self._notices.take_for(key, turn.trigger_id, _BETWEEN_PICTURES)

        return bool(await turn.step("aside:shown", take))

    async def was_forgotten(self, turn: Turn, conversation: str, begun_by: str | None) -> bool:
        """Whether to tell that a conversation's beginning was left out: once in each.

        `begun_by` is the reset that it began with.
        """

        async def take() -> bool:
            key = f"forgot|{conversation}|{begun_by or ''}"
            return await self._notices.take_once(key, turn.trigger_id)

        return bool(await turn.step("aside:forgot", take))

    async def how_to_go_on(self, turn: Turn, person: UserID) -> bool:
        """Whether to tell somebody how a thread goes on: once ever."""

        async def take() -> bool:
            return await self._notices.take_once(f"thread|{person}", turn.trigger_id)

        return bool(await turn.step("aside:thread", take))

    async def model_is_away(self, turn: Turn, room_id: RoomID, *, local_only: bool) -> bool:
        """Whether to say at length that no model answers: once in a room and outage.

        Rooms that ask local models only have outages of their own.
        """

        async def take() -> bool:
            outage = await self._notices.holder(_outage(local_only=local_only), turn.trigger_id)
            key = f"model_away|{room_id}|{outage}"
            return await self._notices.take_for(key, turn.trigger_id, _LONGEST_OUTAGE)

        return bool(await turn.step("aside:model_away", take))

    async def model_is_back(self, *, local_only: bool) -> None:
        """A model has answered in such a room: the outage is over, in all of them.

        A local model answers in every room.
        """
        await self._notices.forget(_outage(local_only=False))
        if local_only:
            await self._notices.forget(_outage(local_only=True))


def _outage(*, local_only: bool) -> str:
    return f"model_outage|{'local' if local_only else 'any'}"
