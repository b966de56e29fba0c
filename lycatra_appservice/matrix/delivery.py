"""Carries out one send row against the homeserver: look, send, and judge the answer."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from lycatra_appservice.matrix.accounts import Accounts, is_account_missing
from lycatra_appservice.matrix.amend import is_draft, said_instead, without_relation
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.encrypted_notice import ONCE_EVER
from lycatra_appservice.matrix.errors import HomeserverUnavailableError, MatrixError
from lycatra_appservice.matrix.files import INSTEAD
from lycatra_appservice.matrix.joining import join
from lycatra_appservice.matrix.media import Uploader
from lycatra_appservice.matrix.posting import IsEncrypted, Posting
from lycatra_appservice.matrix.render import MARKER
from lycatra_appservice.matrix.seals import Seals
from lycatra_appservice.matrix.sent import find_sent
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.matrix.verdicts import is_for_the_operator, judge
from lycatra_appservice.model import JSON, EventID, SendKind
from lycatra_appservice.turns.delivery import (
    Amended,
    Delivered,
    Delivery,
    Dropped,
    RetryLater,
    SendRow,
)

logger: Final = logging.getLogger(__name__)
_LEAVES_TRACE: Final = frozenset(
    {SendKind.MESSAGE, SendKind.CARD, SendKind.EDIT, SendKind.REACTION, SendKind.REDACTION}
)
_IS_FILE: Final = frozenset({"m.file", "m.image", "m.audio", "m.video"})


class MatrixDeliverer:
    """The turn engine's `Deliverer`. Holds nothing between two rows; safe to share."""

    def __init__(
        self,
        client: MatrixClient,
        users: VirtualUsers,
        *,
        is_encrypted: IsEncrypted,
        seals: Seals | None = None,
    ) -> None:
        """Without `seals` nothing goes into encrypted rooms; see `Posting`."""
        self._client = client
        self._users = users
        self._posting = Posting(client, is_encrypted, seals)
        self._accounts = Accounts(client, users)
        self._uploader = Uploader(client)

    async def deliver(self, row: SendRow, *, look_first: bool) -> Delivery:
        """Do what the row says, at most once, and say what came of it."""
        try:
            return await self._with_account(row, look_first)
        except HomeserverUnavailableError as exc:
            return RetryLater(None, str(exc))
        except MatrixError as exc:
            return self._judged(row, exc)

    async def _with_account(self, row: SendRow, look_first: bool) -> Delivery:
        try:
            return await self._attempt(row, look_first)
        except MatrixError as exc:
            if not is_account_missing(exc) or not self._users.exists(row.sender):
                raise
        await self._accounts.ensure(row.sender)
        # With the old device the homeserver's memory of our txn ids is gone.
        return await self._attempt(row, look_first=True)

    async def _attempt(self, row: SendRow, look_first: bool) -> Delivery:
        if (look_first or _is_said_once(row)) and row.kind in _LEAVES_TRACE:
            found = await find_sent(self._client, row)
            if found is not None:
                return Delivered(found, was_there=True)
        closed = await self._posting.is_closed(row)
        if closed and self._posting.seals is None:
            return Dropped("encrypted room")
        return await self._do(row, closed=closed)

    async def _do(self, row: SendRow, *, closed: bool) -> Delivery:
        match row.kind:
            case SendKind.MESSAGE | SendKind.CARD | SendKind.EDIT:
                return await self._say(row, closed=closed)
            case SendKind.REACTION:
                return await self._react(row, closed=closed)
            case SendKind.REDACTION:
                return await self._redact(row)
            case SendKind.UPLOAD:
                return await self._upload(row, closed=closed)
            case SendKind.JOIN:
                await join(self._client, row, helper=self._users.main)
                return Delivered(None)
            case SendKind.LEAVE:
                reason = row.content.get("reason")
                await self._client.leave(row.room_id, reason, as_user=row.sender)
                return Delivered(None)

    async def _say(self, row: SendRow, *, closed: bool) -> Delivery:
        content = _aimed(row)
        if content is None:
            if is_draft(row.content):
                return Dropped("the message to edit was never sent")
            return Amended(None, without_relation(row.content), "the message to edit is missing")
        if content.get("msgtype") in _IS_FILE:
            return await self._show_file(row, content, closed=closed)
        return await self._posting.post(row, "m.room.message", content, closed=closed)

    async def _show_file(
        self, row: SendRow, content: Mapping[str, JSON], *, closed: bool
    ) -> Delivery:
        url = row.mxc or content.get("url")
        if url is None:
            why = "its file was not uploaded"
            said = said_instead(row.content)
            return Dropped(why) if said is None else Amended(None, said, why)
        shown = {key: value for key, value in content.items() if key != INSTEAD}
        where = {"url": url} if row.file is None else {"file": {**row.file, "url": url}}
        return await self._posting.post(row, "m.room.message", {**shown, **where}, closed=closed)

    async def _react(self, row: SendRow, *, closed: bool) -> Delivery:
        content = _aimed(row)
        if content is None:
            return Dropped("the message to react to was never sent")
        return await self._posting.post(row, "m.reaction", content, closed=closed)

    async def _redact(self, row: SendRow) -> Delivery:
        target = row.target or row.content.get("redacts")
        if target is None:
            return Dropped("the event to redact was never sent")
        reason = row.content.get("reason")
        return Delivered(
            await self._client.redact(
                row.room_id, EventID(target), row.txn_id, reason, as_user=row.sender
            )
        )

    async def _upload(self, row: SendRow, *, closed: bool) -> Delivery:
        if row.data is None:
            return Dropped("an upload without its bytes")
        seals, key = self._posting.seals, row.content.get("file")
        if closed and seals is not None and key is None:
            content = {"file": seals.files.new_key(row.data)}
            return Amended(None, content, "its room is encrypted")
        if key is not None and seals is not None:
            row = replace(row, data=seals.files.close(row.data, key))
        mxc = row.mxc or await self._uploader.reserve(row.sender)
        try:
            return Delivered(None, await self._uploader.fill(mxc, row.data or b"", row))
        except HomeserverUnavailableError as exc:
            return RetryLater(None, str(exc), mxc)
        except MatrixError as exc:
            verdict = self._judged(row, exc)
            return replace(verdict, mxc=mxc) if isinstance(verdict, RetryLater) else verdict

    def _judged(self, row: SendRow, error: MatrixError) -> Delivery:
        verdict = judge(row, error, self._users)
        logger.log(
            logging.ERROR if is_for_the_operator(error) else logging.INFO,
            "send_refused",
            extra={
                "kind": row.kind.value,
                "room_id": row.room_id,
                "sender": row.sender,
                "txn_id": row.txn_id,
                "status": error.status,
                "errcode": error.errcode,
                "reason": error.reason,
                "verdict": type(verdict).__name__,
            },
        )
        return verdict


def _is_said_once(row: SendRow) -> bool:
    """Whether it may be there although nobody knows: a database that was lost knows nothing."""
    marker = row.content.get(MARKER)
    return isinstance(marker, Mapping) and marker.get("kind") in ONCE_EVER


def _aimed(row: SendRow) -> dict[str, JSON] | None:
    """The content with the event that it is about; None when that event does not exist."""
    content = dict(row.content)
    relation = content.get("m.relates_to")
    if not isinstance(relation, Mapping) or "rel_type" not in relation:
        return content
    if row.target is not None:
        content["m.relates_to"] = {**relation, "event_id": row.target}
        return content
    return content if "event_id" in relation else None
