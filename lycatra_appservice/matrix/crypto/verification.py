"""Lets people verify our users by emoji: they start, we agree, they compare.

    they            we
    request   ->
              <-    ready
    start     ->              between devices also without a request
              <-    accept    our commitment to a key
    key       ->
              <-    key, what we see, mac
    mac       ->
              <-    done

Nobody of us looks at a screen, so our MACs come at once: it is the person who compares what we
show with what their client shows, and says there whether it is the same.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Final, NamedTuple, Protocol

from lycatra_appservice.matrix.crypto import verification_steps as steps
from lycatra_appservice.matrix.crypto.sas import SasOffer, SasSecret, SasSide
from lycatra_appservice.matrix.crypto.verification_steps import (
    StepRefusedError,
    VerificationMessage,
    message_between_devices,
    message_in_room,
)
from lycatra_appservice.matrix.events import mapping
from lycatra_appservice.model import JSON, RoomID, UserID

__all__ = [
    "OwnKeys",
    "VerificationMessage",
    "VerificationPorts",
    "Verifications",
    "message_between_devices",
    "message_in_room",
]

logger: Final = logging.getLogger(__name__)

_MAX_RUNNING: Final = 50
_MAX_PER_PERSON: Final = 3
_MAX_ENDED: Final = 500  # whose late steps are known as such
_EVERY_DEVICE: Final = "*"  # for steps that do not say from which one they are


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnKeys:
    """What people verify: the ed25519 public keys of one of our users, in unpadded base64."""

    user_id: UserID
    device_id: str
    device_key: str
    master_key: str


class VerificationPorts(Protocol):
    """What a verification needs of the world."""

    async def own_keys(self, ours: UserID) -> OwnKeys:
        """The published keys of one of our users."""
        ...

    async def their_device_key(self, ours: UserID, user: UserID, device_id: str) -> str | None:
        """The ed25519 key of somebody's device; None when it is unknown."""
        ...

    async def send_to_device(
        self, ours: UserID, to: UserID, device_id: str, type: str, content: Mapping[str, JSON]
    ) -> None:
        """Send between devices; the device `*` is all of that user's."""
        ...

    async def send_in_room(
        self, ours: UserID, room_id: RoomID, type: str, content: Mapping[str, JSON]
    ) -> None:
        """Send an event, encrypted where the room is."""
        ...

    async def show(
        self, ours: UserID, to: UserID, room_id: RoomID | None, emoji: Sequence[tuple[str, str]]
    ) -> None:
        """Say in the room what we see: pictures with names. Without a room nothing is said."""
        ...


class _Id(NamedTuple):
    """Which one; a step of somebody else never belongs to it."""

    ours: UserID
    person: UserID
    room_id: RoomID | None
    transaction_id: str


@dataclass(slots=True, kw_only=True)
class _Verification:
    """One that runs: whose device it is with, the next step, and what is to be done then."""

    id: _Id
    since: float
    device_id: str = _EVERY_DEVICE
    awaits: str
    then: "_Handler"
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


_Handler = Callable[[_Verification, Mapping[str, JSON]], Awaitable[None]]


async def _out_of_turn(running: _Verification, content: Mapping[str, JSON]) -> None:
    raise StepRefusedError(steps.UNEXPECTED)


class Verifications:
    """All that run in this process; after a restart people start anew. `clock` counts seconds."""

    def __init__(self, ports: VerificationPorts, clock: Callable[[], float]) -> None:
        self._ports = ports
        self._clock = clock
        self._running: dict[_Id, _Verification] = {}  # oldest first
        self._ended: dict[_Id, None] = {}  # the same

    async def heard(self, ours: UserID, message: VerificationMessage) -> None:
        """Do what a step asks of us, whatever is in it. Raises only what the ports raise."""
        id_ = _Id(ours, message.sender, message.room_id, message.transaction_id)
        if message.sender == ours or id_ in self._ended or message.type == steps.DONE:
            return
        self._forget_old()
        running = self._running.get(id_)
        if message.type == steps.CANCEL:
            if running is not None:
                self._end(id_, "cancelled")
            return
        if running is None and steps.begins(message, ours):
            running = self._begin(id_, message)
        if running is not None:
            await self._go_on(running, message)
        elif message.type != steps.REQUEST and message.room_id is None:
            # In a room it may be a verification of two others, which is none of our business.
            await self._refuse(id_, _EVERY_DEVICE, steps.UNKNOWN_TRANSACTION)

    async def _go_on(self, running: _Verification, message: VerificationMessage) -> None:
        """One step at a time, and none after the end.

        What cannot be answered is forgotten: whoever hears a second key, after ours was told,
        lets its sender look for one that makes the emoji fit.
        """
        async with running.turn:
            is_repeated = message.type == steps.REQUEST != running.awaits
            if is_repeated or self._running.get(running.id) is not running:
                return
            then = running.then if message.type == running.awaits else _out_of_turn
            try:
                await then(running, mapping(message.content))
            except StepRefusedError as error:
                await self._refuse(running.id, running.device_id, error.code)
            except BaseException:
                self._running.pop(running.id, None)
                raise

    # --- the steps -------------------------------------------------------------------------

    async def _request(self, running: _Verification, content: Mapping[str, JSON]) -> None:
        running.device_id = steps.checked_device(content)
        steps.check_request(content)
        own = await self._ports.own_keys(running.id.ours)
        ready = {"from_device": own.device_id, "methods": [steps.METHOD]}
        await self._say(running, steps.READY, ready)
        running.awaits, running.then = steps.START, self._start

    async def _start(self, running: _Verification, content: Mapping[str, JSON]) -> None:
        device_id = steps.checked_device(content)
        if running.device_id not in (_EVERY_DEVICE, device_id):
            raise StepRefusedError(steps.UNEXPECTED)
        running.device_id = device_id
        offer = SasOffer(content, running.id.transaction_id)
        await self._say(running, steps.ACCEPT, offer.acceptance)
        running.awaits, running.then = steps.KEY, partial(self._key, offer)

    async def _key(
        self, offer: SasOffer, running: _Verification, content: Mapping[str, JSON]
    ) -> None:
        ours, person, room_id, _ = running.id
        own = await self._ports.own_keys(ours)
        them = SasSide(user_id=person, device_id=running.device_id)
        secret = offer.meet(content, them, SasSide(user_id=ours, device_id=own.device_id))
        await self._say(running, steps.KEY, {"key": offer.public_key})
        await self._ports.show(ours, person, room_id, secret.emoji)
        keys = {own.device_id: own.device_key, own.master_key: own.master_key}
        named = {f"ed25519:{name}": key for name, key in keys.items()}
        await self._say(running, steps.MAC, secret.our_macs(named))
        running.awaits, running.then = steps.MAC, partial(self._mac, secret)

    async def _mac(
        self, secret: SasSecret, running: _Verification, content: Mapping[str, JSON]
    ) -> None:
        ours, person, _, _ = running.id
        key = await self._ports.their_device_key(ours, person, running.device_id)
        secret.check_macs(content, {} if key is None else {f"ed25519:{running.device_id}": key})
        await self._say(running, steps.DONE, {})
        self._end(running.id, "done")

    async def _say(self, running: _Verification, type_: str, content: Mapping[str, JSON]) -> None:
        await self._send(running.id, running.device_id, type_, content)

    async def _refuse(self, id_: _Id, device_id: str, code: str) -> None:
        self._end(id_, code)
        why = {"code": code, "reason": steps.REASONS[code]}
        await self._send(id_, device_id, steps.CANCEL, why)

    async def _send(
        self, id_: _Id, device_id: str, type_: str, content: Mapping[str, JSON]
    ) -> None:
        whole = steps.addressed(content, id_.transaction_id, id_.room_id)
        if id_.room_id is None:
            await self._ports.send_to_device(id_.ours, id_.person, device_id, type_, whole)
        else:
            await self._ports.send_in_room(id_.ours, id_.room_id, type_, whole)

    # --- which ones run --------------------------------------------------------------------

    def _begin(self, id_: _Id, message: VerificationMessage) -> _Verification:
        theirs = [each for each in self._running if each.person == id_.person]
        if len(theirs) >= _MAX_PER_PERSON:
            del self._running[theirs[0]]
        elif len(self._running) >= _MAX_RUNNING:
            del self._running[next(iter(self._running))]
        self._running[id_] = _Verification(
            id=id_,
            since=self._clock() - max(message.age, timedelta(0)).total_seconds(),
            awaits=message.type,
            then=self._request if message.type == steps.REQUEST else self._start,
        )
        return self._running[id_]

    def _forget_old(self) -> None:
        oldest = self._clock() - steps.MAX_AGE.total_seconds()
        for id_ in [each.id for each in self._running.values() if each.since <= oldest]:
            del self._running[id_]

    def _end(self, id_: _Id, how: str) -> None:
        """Later steps of it are not answered, as far as they are remembered."""
        self._running.pop(id_, None)
        self._ended[id_] = None
        if len(self._ended) > _MAX_ENDED:
            del self._ended[next(iter(self._ended))]
        logger.info(
            "verification_over", extra={"user_id": id_.ours, "sender": id_.person, "how": how}
        )
