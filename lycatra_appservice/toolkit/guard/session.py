"""A session for a library that speaks for itself: to one place only, behind one door."""

from dataclasses import dataclass

import aiohttp
from yarl import URL

from lycatra_appservice.toolkit.guard.door import Door
from lycatra_appservice.toolkit.guard.failures import OutboundError, OutboundRefusedError, reason


@dataclass(frozen=True, slots=True)
class GuardedSession:
    """`client` asks nobody but the place it was opened for; the guard closes it."""

    client: aiohttp.ClientSession
    _door: Door

    def failure(self, error: Exception) -> OutboundError:
        """In words for people, why an exchange ended in this error of the connection."""
        return failure(self._door, error)


def failure(door: Door, error: Exception) -> OutboundError:
    """In words for people, why nobody answered behind a door; it may have stayed shut."""
    if door.refused and not door.is_used:
        objection = next(iter(door.refused.values()))
        return OutboundRefusedError.because(door.peer, objection)
    return OutboundError.about(door.peer, reason(error))


class OnlyThere:
    """Stops what would go to another place, by a redirect or by the library's mistake."""

    def __init__(self, url: URL) -> None:
        self._origin = url.origin()

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Let through what goes there."""
        if request.url.origin() != self._origin:
            raise aiohttp.InvalidURL(request.url, "a session is for one place only")
        return await handler(request)
