"""Calls that send events and media, and calls that read what was sent."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Literal
from urllib.parse import urlsplit

from lycatra_appservice.matrix.calls import ROOMS, V3, Calls, event_id_of, identity, text_of
from lycatra_appservice.matrix.http import Request
from lycatra_appservice.matrix.users import DEVICE_ID
from lycatra_appservice.model import JSON, EventID, RoomID, UserID


class EventCalls(Calls):
    """Send, redact, type, upload; page, sync."""

    async def send_event(
        self,
        room_id: RoomID,
        event_type: str,
        txn_id: str,
        content: Mapping[str, JSON],
        *,
        as_user: UserID,
    ) -> EventID:
        """Send an event; the same user, room and txn id again give the same event."""
        path = (*ROOMS, room_id, "send", event_type, txn_id)
        return event_id_of(await self._put(as_user, path, content))

    async def redact(
        self,
        room_id: RoomID,
        event_id: EventID,
        txn_id: str,
        reason: str | None = None,
        *,
        as_user: UserID,
    ) -> EventID:
        """Take an event's content away for everybody; returns the redaction's own event id."""
        path = (*ROOMS, room_id, "redact", event_id, txn_id)
        body = {} if reason is None else {"reason": reason}
        return event_id_of(await self._put(as_user, path, body))

    async def typing(
        self, room_id: RoomID, on: bool, lasting: timedelta = timedelta(0), *, as_user: UserID
    ) -> None:
        """Show or clear "is typing"; shown, it clears itself after `lasting`."""
        body: dict[str, JSON] = {"typing": on}
        if on:
            body["timeout"] = _milliseconds(lasting)
        await self._put(as_user, (*ROOMS, room_id, "typing", as_user), body)

    async def create_mxc(self, *, as_user: UserID) -> str:
        """Reserve a media id (`mxc://…`) for this user; it ends after a day if not filled."""
        path = ("_matrix", "media", "v1", "create")
        return text_of(await self._post(as_user, path, {}), "content_uri")

    async def upload(
        self,
        mxc: str,
        data: bytes,
        *,
        content_type: str,
        filename: str | None = None,
        as_user: UserID,
    ) -> None:
        """Fill a reserved media id. A filled one answers 409 M_CANNOT_OVERWRITE_MEDIA."""
        where = urlsplit(mxc)
        query = identity(as_user)
        if filename is not None:
            query = (*query, ("filename", filename))
        await self._homeserver.ask(
            Request(
                method="PUT",
                path=("_matrix", "media", "v3", "upload", where.netloc, where.path[1:]),
                query=query,
                data=data,
                content_type=content_type,
            )
        )

    async def download(self, mxc: str, *, max_bytes: int, as_user: UserID) -> bytes:
        """What is behind a media id. Raises TooManyBytesError for what is larger than that."""
        where = urlsplit(mxc)
        path = ("_matrix", "client", "v1", "media", "download", where.netloc, where.path[1:])
        request = Request(method="GET", path=path, query=identity(as_user))
        return await self._homeserver.download(request, max_bytes)

    async def event(
        self, room_id: RoomID, event_id: EventID, *, as_user: UserID
    ) -> Mapping[str, JSON] | None:
        """One event as this user sees it; None when there is none that it may see."""
        path = (*ROOMS, room_id, "event", event_id)
        event: Mapping[str, JSON] | None = await self._get_if_there(as_user, path)
        return event

    async def messages(
        self,
        room_id: RoomID,
        *,
        as_user: UserID,
        direction: Literal["b", "f"] = "b",
        start: str | None = None,
        end: str | None = None,
        limit: int = 100,
        event_filter: Mapping[str, JSON] | None = None,
    ) -> Mapping[str, JSON]:
        """A page of the timeline: `chunk`, and `end` unless there is no more; `b`: newest first.

        The user's own events carry `unsigned.transaction_id`. `event_filter` is a
        RoomEventFilter.
        """
        more = [("dir", direction), ("limit", str(limit)), *_filter(event_filter)]
        if start is not None:
            more.append(("from", start))
        if end is not None:
            more.append(("to", end))
        page: Mapping[str, JSON] = await self._get(as_user, (*ROOMS, room_id, "messages"), more)
        return page

    async def sync(
        self,
        *,
        as_user: UserID,
        since: str | None = None,
        event_filter: Mapping[str, JSON] | None = None,
        wait: timedelta = timedelta(0),
        device_id: str = DEVICE_ID,
    ) -> Mapping[str, JSON]:
        """What happened to one user since a token. The technical sender may not (HTTP 500).

        Messages to `device_id` come, too, and those from before `since` are erased.
        """
        # A virtual user that looks for gaps is not "online" for that.
        more = [("timeout", str(_milliseconds(wait))), ("set_presence", "offline")]
        more.extend(_filter(event_filter))
        if since is not None:
            more.append(("since", since))
        query = (*identity(as_user, device_id), *more)
        answer: Mapping[str, JSON] = await self._homeserver.ask(
            Request(method="GET", path=(*V3, "sync"), query=query)
        )
        return answer


def _filter(event_filter: Mapping[str, JSON] | None) -> list[tuple[str, str]]:
    return [] if event_filter is None else [("filter", json.dumps(event_filter))]


def _milliseconds(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)
