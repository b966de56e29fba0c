"""The emoji of a verification: said in its room, so that a person can compare them."""

import json
import secrets
from collections.abc import Sequence
from typing import Final

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.language import Tongue
from lycatra_appservice.matrix.render import render_message
from lycatra_appservice.model import (
    Address,
    LaneKind,
    Outgoing,
    Reply,
    RoomID,
    SendKind,
    UserID,
)
from lycatra_appservice.turns.inbox import Inbox
from lycatra_appservice.turns.records import Trigger, lane_of_room
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.catalogue import AUTOMATIC

EMOJI: Final = "emoji"  # of the trigger id of its turn


class EmojiTriggers:
    """Has them said by a turn."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def show(
        self, ours: UserID, to: UserID, room_id: RoomID, emoji: Sequence[tuple[str, str]]
    ) -> None:
        """Store the turn."""
        told = {"room_id": room_id, "speaker": ours, "emoji": [list(each) for each in emoji]}
        trigger = Trigger(
            id=f"{EMOJI}:{room_id}:{secrets.token_hex(8)}",
            lane=lane_of_room(room_id, LaneKind.CONTROL),
            kind=LaneKind.CONTROL,
            input=json.dumps(told),
        )
        await self._inbox.store([trigger])


class EmojiShown:
    """Says them."""

    def __init__(self, tongue: Tongue) -> None:
        self._tongue = tongue

    async def say(self, turn: Turn) -> Sequence[Outgoing]:
        """One line that rings no phone: who verifies us looks at the screen."""
        room_id, speaker = RoomID(turn.input["room_id"]), UserID(turn.input["speaker"])
        said = messages.emoji_seen([f"{sign} {name}" for sign, name in turn.input["emoji"]])
        reply = Reply(
            markdown=self._tongue.say(said, self._tongue.of("", AUTOMATIC)),
            sender=speaker,
            notice=True,
        )
        marker = {"to": turn.trigger_id, "kind": EMOJI}
        return [
            Outgoing(kind=SendKind.MESSAGE, room_id=room_id, sender=speaker, content=each)
            for each in render_message(reply, Address(room_id=room_id), marker)
        ]
