"""Looks in the room for what an earlier attempt of a row may have left there."""

from typing import Final

from lycatra_appservice.matrix.accounts import is_account_missing
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.model import EventID
from lycatra_appservice.turns.delivery import SendRow

_PAGES: Final = 5  # of our own events; beyond them the homeserver's own memory of txn ids holds
_PAGE_SIZE: Final = 100


async def find_sent(client: MatrixClient, row: SendRow) -> EventID | None:
    """The event that carries the row's txn id, matched by nothing else; None when not found."""
    start: str | None = None
    for _ in range(_PAGES):
        try:
            page = await client.messages(
                row.room_id,
                as_user=row.sender,
                start=start,
                limit=_PAGE_SIZE,
                event_filter={"senders": [row.sender]},
            )
        except MatrixError as exc:
            if exc.status not in {403, 404} or is_account_missing(exc):
                raise
            return None  # never was in the room, so it has said nothing there
        for event in page.get("chunk", ()):
            if event.get("unsigned", {}).get("transaction_id") == row.txn_id:
                return EventID(event["event_id"])
        start = page.get("end")
        if start is None:
            return None
    return None
