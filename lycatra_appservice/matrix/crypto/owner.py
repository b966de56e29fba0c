"""The replica that has the keys: takes them when nobody has, and works with them until it ends."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from time import monotonic
from typing import Final

from lycatra_appservice.db.connection import Signals
from lycatra_appservice.errors import LycatraError, StoreUnavailableError
from lycatra_appservice.matrix.crypto.keyring import Keyring
from lycatra_appservice.matrix.crypto.lease import (
    CRYPTO_CHANNEL,
    FREE,
    KeyLease,
    KeysLostError,
)
from lycatra_appservice.matrix.crypto.opener import Opener
from lycatra_appservice.matrix.crypto.raw_inbox import LOW, TO_READ, USED
from lycatra_appservice.matrix.crypto.seal_desk import TO_SEAL
from lycatra_appservice.matrix.crypto.sealer import Sealer
from lycatra_appservice.matrix.crypto.upkeep import KeyUpkeep
from lycatra_appservice.model import UserID

logger: Final = logging.getLogger(__name__)

LEASE: Final = timedelta(seconds=3)  # a new owner may be without its keys for as long
_RENEW: Final = 0.75  # seconds
_LOOK: Final = 0.5
_AGAIN: Final = 1.0


class KeyOwner:
    """One in each replica; at most one of them works."""

    def __init__(
        self,
        lease: KeyLease,
        keyring: Keyring,
        opener: Opener,
        sealer: Sealer,
        upkeep: KeyUpkeep,
        signals: Signals,
    ) -> None:
        self._lease = lease
        self._keyring = keyring
        self._opener = opener
        self._sealer = sealer
        self._upkeep = upkeep
        self._to_read, self._to_seal = asyncio.Event(), asyncio.Event()
        self._stirred = asyncio.Event()
        self._stopping = asyncio.Event()
        signals.listen(CRYPTO_CHANNEL, self._hinted)

    async def run(self) -> None:
        """Take the keys whenever they are free, until `stop`; then give them back."""
        while not self._stopping.is_set():
            self._stirred.clear()
            try:
                if await self._lease.take():
                    await self._own()
            except StoreUnavailableError as error:
                logger.warning("keys_unreachable", extra={"error": str(error)})
            await self._pause()

    def stop(self) -> None:
        """Let another replica have them."""
        self._stopping.set()
        self._stirred.set()

    async def _own(self) -> None:
        logger.info("keys_taken")
        self._keyring.forget()
        works = {
            "renewing": self._renew,
            "opening": lambda: self._opener.run(self._to_read),
            "sealing": lambda: self._sealer.run(self._to_seal),
            "upkeep": self._upkeep.run,
        }
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(_keep_on(name, run), name=f"keys {name}")
                    for name, run in works.items()
                ]
                await self._stopping.wait()
                for task in tasks:
                    task.cancel()
        except* KeysLostError:
            logger.warning("keys_lost")
        finally:
            self._keyring.forget()
        if self._lease.is_held:
            await self._lease.give_back()
            logger.info("keys_given_back")

    async def _renew(self) -> None:
        """Hold the lease. While the database is away it ends by itself, here as there."""
        held_at = monotonic()
        while True:
            await asyncio.sleep(_RENEW)
            try:
                async with asyncio.timeout(LEASE.total_seconds()):
                    await self._lease.renew()
            except (StoreUnavailableError, TimeoutError):
                if monotonic() - held_at > LEASE.total_seconds():
                    self._lease.lose()
                    raise KeysLostError("the database was away for too long") from None
            else:
                held_at = monotonic()

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK):
                await self._stirred.wait()

    def _hinted(self, payload: str) -> None:
        """Something new; an empty payload may be anything."""
        if payload in {"", TO_READ}:
            self._to_read.set()
        if payload in {"", TO_SEAL}:
            self._to_seal.set()
        if payload in {"", FREE}:
            self._stirred.set()
        if payload.startswith(LOW):
            self._upkeep.hurry(UserID(payload.removeprefix(LOW)))
        if payload.startswith(USED):
            self._upkeep.renew(UserID(payload.removeprefix(USED)))


async def _keep_on(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Go on after every error but the loss of the keys."""
    while True:
        try:
            await run()
        except KeysLostError:
            raise
        except LycatraError as error:
            logger.warning("keys_work_failed", extra={"work": name, "error": str(error)})
        except Exception:
            logger.exception("keys_work_broke", extra={"work": name})
        await asyncio.sleep(_AGAIN)
