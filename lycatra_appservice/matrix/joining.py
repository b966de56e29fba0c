"""Brings one of our users into a room, with an invitation by another where one is needed."""

from datetime import timedelta
from typing import Final

from lycatra_appservice.matrix.accounts import is_account_missing
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.model import UserID
from lycatra_appservice.turns.delivery import SendRow

_JOIN_TIMEOUT: Final = timedelta(minutes=2)  # over federation a join takes tens of seconds


async def join(client: MatrixClient, row: SendRow, *, helper: UserID) -> None:
    """Join the row's room as its sender; refused, once more after `helper` has invited it.

    Nothing happens when the sender is in the room already. With `alone` in the row nobody helps:
    it only follows an invitation, which may have been taken back.
    """
    patient = client.within(_JOIN_TIMEOUT)
    servers = [str(server) for server in row.content.get("via", ())]
    try:
        await patient.join(row.room_id, servers, as_user=row.sender)
    except MatrixError as exc:
        not_let_in = exc.status in {403, 404} and not is_account_missing(exc)
        if not not_let_in or row.sender == helper or row.content.get("alone"):
            raise
        await _invite(client, row, helper)
        await patient.join(row.room_id, servers, as_user=row.sender)


async def _invite(client: MatrixClient, row: SendRow, helper: UserID) -> None:
    try:
        await client.invite(row.room_id, row.sender, as_user=helper)
    except MatrixError as exc:
        if exc.status != 403:
            raise
        # In the room already, or no right to invite: the join that follows tells which.
