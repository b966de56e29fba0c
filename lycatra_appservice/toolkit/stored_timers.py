"""The timers of the service: kept over restarts, and posted by whichever replica is there."""

from datetime import timedelta

from lycatra_appservice.errors import StoreUnavailableError, ToolFailedError
from lycatra_appservice.model import Caller
from lycatra_appservice.toolkit.registry import AnyTool
from lycatra_appservice.toolkit.timers import Timer
from lycatra_appservice.turns.timers import (
    MOST_OF_PERSON,
    MOST_OF_ROOM,
    NewTimer,
    TimerName,
    TimerTable,
    TooManyTimersError,
)
from lycatra_appservice.words.text import Text, said_to_json


class StoredTimers:
    """The `TimerSource` of the service."""

    def __init__(self, table: TimerTable) -> None:
        self._table = table

    def of(self, caller: Caller, tool: AnyTool, namespace: str) -> "TimersOfCall":
        """Those that a call may set."""
        return TimersOfCall(self._table, caller, tool, namespace)


class TimersOfCall:
    """Where no room was asked from, nothing can be said later."""

    def __init__(self, table: TimerTable, caller: Caller, tool: AnyTool, namespace: str) -> None:
        self._table = table
        self._caller = caller
        self._tool = tool
        self._namespace = namespace

    async def put(self, timer: Timer, after: timedelta) -> None:
        """Set it. Raises ToolFailedError."""
        caller = self._caller
        name = self._named(timer.name)
        new = NewTimer(
            name=name,
            person=caller.user_id,
            asked_by=caller.on_behalf_of_turn,
            run=caller.run,
            after=after,
            input={
                "namespace": self._namespace,
                "tool": self._tool.name,
                "face": caller.face.value,
                "room": name.room_id,
                "person": caller.user_id,
                "asked_by": caller.on_behalf_of_turn,
                "text": said_to_json(timer.text),
            },
        )
        try:
            await self._table.put(new)
        except TooManyTimersError as error:
            raise ToolFailedError(
                Text("timers_too_many", here=MOST_OF_ROOM, yours=MOST_OF_PERSON)
            ) from error
        except StoreUnavailableError as error:
            raise ToolFailedError(error.said) from error

    async def drop(self, name: str) -> bool:
        """Take one back; whether there was one."""
        try:
            return await self._table.drop(self._named(name))
        except StoreUnavailableError as error:
            raise ToolFailedError(error.said) from error

    def _named(self, name: str) -> TimerName:
        room_id = self._caller.room_id
        if room_id is None:
            raise ToolFailedError(Text("timer_without_room"))
        return TimerName(namespace=self._namespace, room_id=room_id, name=name)
