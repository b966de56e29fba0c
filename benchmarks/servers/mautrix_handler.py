"""mautrix' own application service, which stores nothing: its handlers run after the 200."""

import asyncio

from aiohttp import web
from mautrix.appservice import AppService
from mautrix.appservice.state_store import ASStateStore
from mautrix.client.state_store import MemoryStateStore
from mautrix.types import Event

from benchmarks.servers.serving import HS_TOKEN, MAX_BODY_BYTES, TAKEN, arguments, until_terminated


class _MemoryStore(ASStateStore, MemoryStateStore):
    """What mautrix keeps of rooms, without its file in the working folder."""

    def __init__(self) -> None:
        ASStateStore.__init__(self)
        MemoryStateStore.__init__(self)


class Handled:
    """Counts the events that reached a handler."""

    def __init__(self) -> None:
        self.events = 0

    async def handle(self, _: Event) -> None:
        """Do nothing with it."""
        self.events += 1

    async def taken(self, _: web.Request) -> web.Response:
        """Count the events that were handled."""
        return web.json_response(self.events)


async def _main(port: int, _: str) -> None:
    service = AppService(
        server="http://127.0.0.1:1",
        domain="hs.test",
        as_token=HS_TOKEN,  # for calls, of which there are none
        hs_token=HS_TOKEN,
        bot_localpart="lycatra",
        id="lycatra",
        state_store=_MemoryStore(),
        aiohttp_params={"client_max_size": MAX_BODY_BYTES},
    )
    handled = Handled()
    service.matrix_event_handler(handled.handle)
    service.app.router.add_get(TAKEN, handled.taken)
    await service.start("127.0.0.1", port)
    await until_terminated()
    await service.stop()


if __name__ == "__main__":
    asyncio.run(_main(*arguments()))
