"""Our own unfinished edits, back by push: one that came after the last word is put right.

A fence keeps whoever has lost a lane from writing, but not from ending a request that was on its
way when its process froze. Such an edit puts half an answer over the whole one.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.model import JSON, EventID, LaneKind
from lycatra_appservice.turns.delivery import SendRow
from lycatra_appservice.turns.records import Trigger, send_of

REPAIR: Final = "repair"  # of the trigger id of the turn that puts a draft right

# How an unfinished content is told from others, and an edit from what it became on its way, in
# the form in which both are stored: inside of a text the quotes would be escaped.
LIVE: Final = '%"org.matrix.msc4357.live":%'
REPLACES: Final = '%"rel_type": "m.replace"%'


@dataclass(frozen=True, slots=True)
class Echo:
    """An edit of ours that says of itself that it is unfinished, and the message it is about."""

    event_id: EventID
    draft: EventID


@dataclass(frozen=True, slots=True)
class LastWord:
    """How a draft should read: the edit that was sent last, and the message it is about."""

    row: SendRow
    draft: EventID


class Echoes:
    """Tells late edits from those that came in time, which are nearly all."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "echoes", database.dialect)

    async def repairs(self, echoes: Sequence[Echo]) -> Sequence[Trigger]:
        """The turns that put right what came too late; one for each message at most."""
        found = [await self._repair(echo) for echo in echoes]
        return [trigger for trigger in found if trigger is not None]

    async def last_word(self, about: JSON) -> LastWord | None:
        """What stands, by the input of such a turn; None when it was erased or redacted."""
        row = await self._database.fetch_one(
            self._sql["last_word"],
            trigger_id=about["of"],
            n=about["n"],
            live=LIVE,
            replaces=REPLACES,
        )
        return None if row is None else LastWord(send_of(row), EventID(row["draft"]))

    async def _repair(self, echo: Echo) -> Trigger | None:
        row = await self._database.fetch_one(
            self._sql["is_late"],
            draft=echo.draft,
            event_id=echo.event_id,
            live=LIVE,
            replaces=REPLACES,
        )
        if row is None:
            return None
        trigger_id = f"{REPAIR}:{row['trigger_id']}:{row['n']}"
        return Trigger(
            id=trigger_id,
            lane=f"{trigger_id}|{LaneKind.CONTROL}",
            kind=LaneKind.CONTROL,
            input=json.dumps({"of": row["trigger_id"], "n": row["n"]}),
        )
