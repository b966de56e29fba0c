"""The turn of a change that a client asked for: its card, the wait, the call, its end."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final, Protocol

from lycatra_appservice.chat.approvals.asking_toolbox import AskingToolbox
from lycatra_appservice.chat.approvals.desk import ApprovalDesk
from lycatra_appservice.chat.approvals.keeping import result_to_json
from lycatra_appservice.chat.approvals.occasion import Occasion
from lycatra_appservice.chat.approvals.settling import Settling
from lycatra_appservice.errors import (
    NotAllowedError,
    OutcomeUnknownError,
    ToolError,
)
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.mcp.calls import CALL, Call, CallStore, Wish
from lycatra_appservice.model import (
    JSON,
    Caller,
    EventID,
    Face,
    Inbound,
    Outgoing,
    RoomID,
    UserID,
)
from lycatra_appservice.toolkit.toolbox import Gate
from lycatra_appservice.turns.approvals import ApprovalState
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.text import Text, said_to_json

_STEP: Final = "call"
RESULT: Final = "result"
FAILED: Final = "failed"


class OpensDirectRoom(Protocol):
    """Has a direct room with a person."""

    async def open(self, turn: Turn, person: UserID) -> RoomID | None:
        """The room, once for a turn; None when there is none and none can be opened."""


class ChangingTurn:
    """Does with a client's wish what is done with one from a room."""

    def __init__(
        self,
        calls: CallStore,
        gate: Gate,
        desk: ApprovalDesk,
        settling: Settling,
        rooms: RoomStore,
        users: VirtualUsers,
        line: OpensDirectRoom,
    ) -> None:
        self._calls = calls
        self._gate = gate
        self._desk = desk
        self._settling = settling
        self._rooms = rooms
        self._users = users
        self._line = line

    async def run(self, turn: Turn) -> Sequence[Outgoing]:
        """The job. Says nothing in a room but by the card; the client reads what came of it."""
        call = await self._calls.get(turn.trigger_id.removeprefix(f"{CALL}:"))
        if call is None or call.ending is not None:
            return ()
        await self._calls.end(call.id, await self._ending(turn, call))
        return ()

    async def _ending(self, turn: Turn, call: Call) -> Mapping[str, JSON]:
        wish = call.wish
        if call.is_disowned and not _has_begun(turn):
            return {FAILED: said_to_json(Text("mcp_token_ended"))}
        try:
            occasion = await self._occasion(turn, wish)
            caller = Caller(
                user_id=wish.person,
                face=Face.MCP,
                room_id=wish.room_id,
                on_behalf_of_turn=turn.trigger_id,
                run=turn.first_n,
            )
            toolbox = AskingToolbox(
                await self._gate.open(caller),
                occasion,
                self._desk,
                self._settling,
                Text("mcp_asked_by", client=wish.client),
            )
            result = await toolbox.call(wish.tool, wish.args, key=_STEP)
        except (ToolError, OutcomeUnknownError) as error:
            return {FAILED: said_to_json(error.said)}
        return {RESULT: result_to_json(result)}

    async def _occasion(self, turn: Turn, wish: Wish) -> Occasion:
        """In the room that the token belongs to, else in the person's direct room with us."""
        room_id = wish.room_id or await self._line.open(turn, wish.person)
        if room_id is None:
            raise NotAllowedError(Text("mcp_no_room"))
        room = await self._rooms.view(room_id)
        return Occasion(
            turn=turn,
            inbound=_nobody_wrote(room_id, wish.person),
            room=room,
            speaker=room.host(self._users.main),
            face=Face.MCP,
        )


def _has_begun(turn: Turn) -> bool:
    approval = turn.approval(_STEP)
    return approval is not None and approval.state is ApprovalState.USED


def _nobody_wrote(room_id: RoomID, person: UserID) -> Inbound:
    """What stands for the message that was none."""
    return Inbound(
        event_id=EventID(""),
        room_id=room_id,
        sender=person,
        msgtype="m.text",
        body="",
        age=timedelta(0),
    )
