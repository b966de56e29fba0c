"""Pushing to a replica as Synapse does, with whatever nobody's Synapse would send."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import aiohttp

from lycatra_appservice.model import JSON, EventID
from lycatra_appservice.registration import read_registration


def token_of(registration: Path, name: str = "hs_token") -> str:
    """A secret of a registration file."""
    return str(read_registration(registration)[name])


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    body: JSON

    @property
    def errcode(self) -> str | None:
        """The Matrix error code of a refusal."""
        return self.body.get("errcode") if isinstance(self.body, dict) else None


class Pusher:
    """Speaks to one replica with the homeserver's token, or with any other headers."""

    def __init__(self, url: str, token: str) -> None:
        self._url = f"{url}/_matrix/app/v1"
        self._headers = {"Authorization": f"Bearer {token}"}

    async def push(
        self,
        events: Sequence[JSON],
        *,
        txn: str | None = None,
        more: Mapping[str, JSON] | None = None,
    ) -> Answer:
        """PUT a transaction with these events."""
        return await self.push_raw(json.dumps({"events": events, **(more or {})}), txn=txn)

    async def push_raw(self, body: str | bytes, *, txn: str | None = None) -> Answer:
        """PUT a transaction with this very body."""
        path = f"/transactions/{txn or secrets.token_hex(8)}"
        return await self.call("PUT", path, body=body, headers=self._headers)

    async def look_up(self, path: str) -> Answer:
        """GET with the right token."""
        return await self.call("GET", path, headers=self._headers)

    async def call(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        body: str | bytes = b"",
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """Any request below `/_matrix/app/v1`."""
        raw = body.encode() if isinstance(body, str) else body
        async with (
            aiohttp.ClientSession() as http,
            http.request(
                method, self._url + path, data=BytesIO(raw), headers=headers, params=query
            ) as answer,
        ):
            return Answer(status=answer.status, body=await answer.json(content_type=None))


def message(room: str, by: str, body: JSON, **more: JSON) -> dict[str, JSON]:
    """A message event as it would be pushed; `more` replaces its keys."""
    return {
        "type": "m.room.message",
        "event_id": EventID(f"$made-{secrets.token_hex(12)}"),
        "room_id": room,
        "sender": by,
        "origin_server_ts": 1,
        "unsigned": {"age": 10},
        "content": {"msgtype": "m.text", "body": body},
        **more,
    }
