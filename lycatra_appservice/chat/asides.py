"""What is said beside an answer, or in place of one, but rarely."""

from datetime import timedelta
from typing import Final

from lycatra_appservice.chat.unasked import NoticeStore
from lycatra_appservice.model import RoomID, UserID
from lycatra_appservice.turns.turn import Turn

_BETWEEN_PICTURES: Final = timedelta(minutes=5)  # a whole album is one thing to speak about
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
