"""What the servers have in common: their arguments, and serving until they are told to go."""

import asyncio
import signal
import sys

from aiohttp import web

TAKEN = "/bench/taken"
TRANSACTIONS = "/_matrix/app/v1/transactions/{txn}"
HS_TOKEN = "hs-token-of-the-benchmarks"  # noqa: S105 (of nobody's homeserver)
# A push of 100 events is larger than aiohttp's default; the same for everybody.
MAX_BODY_BYTES = 64 * 1024 * 1024


def arguments() -> tuple[int, str]:
    """The port to listen on and the database."""
    _, port, dsn = sys.argv
    return int(port), dsn


async def serve(application: web.Application, port: int, *, sees_who_leaves: bool = False) -> None:
    """Serve on loopback until SIGTERM; `sees_who_leaves` ends the handlers of clients that go."""
    runner = web.AppRunner(application, access_log=None, handler_cancellation=sees_who_leaves)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await until_terminated()
    await runner.cleanup()


async def until_terminated() -> None:
    """Return when SIGTERM comes."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
