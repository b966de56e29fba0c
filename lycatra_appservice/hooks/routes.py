"""The route that other services call: POST /hooks/<name>.

202  it is stored, now or before: not to be sent again
200  it is right, and of no interest
400  401  413  422  it is not taken; a wrong signature is told without a reason
404  there is no such hook, or nobody has configured it: both look alike
408  503  not stored, to be sent again
"""

import asyncio
import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Final, Protocol

from aiohttp import web

from lycatra_appservice.errors import StoreUnavailableError
from lycatra_appservice.foreign_code import ForeignCodeError
from lycatra_appservice.hooks.open_hooks import OpenHook
from lycatra_appservice.model import LaneKind
from lycatra_appservice.toolkit.base import Accepted, HookRefusedError, HookRequest
from lycatra_appservice.turns.inbox import Inbox
from lycatra_appservice.turns.records import Trigger, lane_of_job

logger = logging.getLogger(__name__)

HOOK: Final = "hook"  # begins the trigger ids of what hooks were told
PREFIX: Final = "/hooks"
MOST_AT_ONCE: Final = 50  # bodies that are held in memory
_READ_SECONDS: Final = 20.0
_AGAIN_SECONDS: Final = 30
_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9._:/+=-]{1,120}")


class HookObserver(Protocol):
    """Where the figures of hooks go."""

    def hook_called(self, hook: str, outcome: str) -> None:
        """One request, by the name of the hook as it was asked for.

        `stored`, `known`, `nothing`, `refused`, `too_large`, `unavailable`, `failed`, `unknown`.
        """


class Hooks:
    """The handler. Nothing here waits for anything but the sender and the database."""

    def __init__(
        self,
        hooks: Mapping[str, OpenHook],
        inbox: Inbox,
        observer: HookObserver,
        clock: Callable[[], float],
        read_seconds: float = _READ_SECONDS,
    ) -> None:
        """`clock` gives seconds since 1970."""
        self._hooks = hooks
        self._inbox = inbox
        self._observer = observer
        self._clock = clock
        self._read_seconds = read_seconds
        self._reading = 0

    def routes(self) -> Sequence[web.RouteDef]:
        """For the main listener."""
        return [web.post(f"{PREFIX}/{{name}}", self._called)]

    async def _called(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        hook = self._hooks.get(name)
        if hook is None:
            self._observer.hook_called(name, "unknown")
            return _said(404, "there is no such hook")
        if self._reading >= MOST_AT_ONCE:
            return self._unavailable(name, "too many requests at once")
        self._reading += 1
        try:
            return await self._judged(name, hook, request)
        finally:
            self._reading -= 1

    async def _judged(self, name: str, hook: OpenHook, request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(self._read_seconds):
                body = await _read(request, hook.hook.max_bytes)
            headers = {key.lower(): value for key, value in request.headers.items()}
            accepted = hook.accept(HookRequest(headers=headers, body=body), self._clock())
        except TimeoutError:
            return self._refused(name, HookRefusedError(408, "it took too long to come"), request)
        except HookRefusedError as error:
            return self._refused(name, error, request)
        except ForeignCodeError:
            logger.exception("hook_failed", extra={"hook": name})
            self._observer.hook_called(name, "failed")
            return _said(500, "it went wrong here")
        if accepted is None:
            self._observer.hook_called(name, "nothing")
            return web.json_response({"status": "of no interest"})
        return await self._stored(name, accepted)

    async def _stored(self, name: str, accepted: Accepted) -> web.Response:
        trigger = Trigger(
            id=f"{HOOK}:{name}:{_short(accepted.id)}",
            lane=lane_of_job(f"{HOOK}:{name}"),  # in the order in which it was told
            kind=LaneKind.JOB,
            input=json.dumps({"hook": name, "data": accepted.data}),
        )
        try:
            is_new = await self._inbox.store([trigger]) > 0
        except StoreUnavailableError as error:
            return self._unavailable(name, str(error))
        outcome = "stored" if is_new else "known"
        self._observer.hook_called(name, outcome)
        logger.info("hook_taken", extra={"hook": name, "trigger_id": trigger.id, "new": is_new})
        return web.json_response({"status": outcome}, status=202)

    def _refused(self, name: str, error: HookRefusedError, request: web.Request) -> web.Response:
        logger.warning(
            "hook_refused",
            extra={
                "hook": name,
                "status": error.status,
                "reason": error.reason,
                "remote": request.remote,
            },
        )
        is_large = error.status == web.HTTPRequestEntityTooLarge.status_code
        self._observer.hook_called(name, "too_large" if is_large else "refused")
        # Who cannot sign learns nothing of how near it was.
        is_secret = error.status == web.HTTPUnauthorized.status_code
        return _said(error.status, "not taken" if is_secret else error.reason)

    def _unavailable(self, name: str, why: str) -> web.Response:
        logger.warning("hook_not_stored", extra={"hook": name, "error": why})
        self._observer.hook_called(name, "unavailable")
        response = _said(503, "not now; send it again")
        response.headers["Retry-After"] = str(_AGAIN_SECONDS)
        return response


async def _read(request: web.Request, max_bytes: int) -> bytes:
    """The body. Raises HookRefusedError when it is too large."""
    too_large = HookRefusedError(413, f"the body is larger than {max_bytes} bytes")
    if (request.content_length or 0) > max_bytes:
        raise too_large
    pieces: list[bytes] = []
    size = 0
    try:
        async for piece in request.content.iter_any():
            size += len(piece)
            if size > max_bytes:
                raise too_large
            pieces.append(piece)
    except web.RequestPayloadError:
        raise HookRefusedError(400, "the body did not come whole") from None
    return b"".join(pieces)


def _short(name: str) -> str:
    """An id as it is, or its digest where it could be anything."""
    return name if _PLAIN_ID.fullmatch(name) else sha256(name.encode(errors="replace")).hexdigest()


def _said(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)
