"""Keeps in the audit that a change was not even put to people."""

import json
import secrets
from typing import Protocol

from lycatra_appservice.audit.entry import Entry, Ruling
from lycatra_appservice.chat.approvals.occasion import Occasion
from lycatra_appservice.toolkit.approvals import NeedsApprovalError
from lycatra_appservice.toolkit.observing import Outcome


class NotedSoon(Protocol):
    """Keeps entries."""

    async def note(self, entry: Entry) -> None:
        """Keep it soon. Raises StoreUnavailableError when too much waits already."""


class Refusals:
    """What the gate has let through up to there, so that it does not know how it ended."""

    def __init__(self, audit: NotedSoon) -> None:
        self._audit = audit

    async def note(self, occasion: Occasion, needed: NeedsApprovalError) -> None:
        """Keep a refusal to ask, in the place of the request."""
        await self._audit.note(
            Entry(
                call=secrets.token_hex(8),
                person=occasion.inbound.sender,
                face=occasion.face.value,
                tool=needed.tool,
                ruling=Ruling.REFUSED,
                outcome=Outcome.NOT_ALLOWED.value,
                room_id=occasion.room.room_id,
                trigger_id=occasion.turn.trigger_id,
                run=occasion.turn.first_n,
                arguments=json.dumps(needed.shown, ensure_ascii=False),
            )
        )
