"""Whether a message may be acted on now; who asks too much reads one line, and then a reaction."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final, Protocol

from lycatra_appservice.budgets.budgets import Budgets
from lycatra_appservice.budgets.limits import Kind, Payer, Refusal
from lycatra_appservice.chat.budget_words import slow_down
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.control import ControlWord
from lycatra_appservice.chat.routes import Ask, Control, Explain, Route, RunTool, RunTools
from lycatra_appservice.chat.unasked import NoticeStore
from lycatra_appservice.db.connection import Connection
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.model import JSON, Inbound, Level, Outgoing, Reply, UserID
from lycatra_appservice.toolkit.rights import Rights
from lycatra_appservice.turns.turn import Turn

_STEP: Final = "budget"
_LATER: Final = "\u23f3"  # an hourglass
# What ends or decides something is never too much.
_FREE: Final = frozenset(
    {ControlWord.STOP, ControlWord.APPROVE, ControlWord.DENY, ControlWord.ANSWER}
)
# How long the line is not said again to the same person, or in the same room.
_SILENT_FOR: Final[Mapping[Kind, timedelta]] = {
    Kind.PERSON_TURNS: timedelta(minutes=1),
    Kind.ROOM_TURNS: timedelta(minutes=1),
    Kind.PERSON_TOKENS: timedelta(hours=1),  # who asks again in the evening has forgotten why
    Kind.ROOM_TOKENS: timedelta(hours=1),
    Kind.BOTS: timedelta(minutes=10),
}


class RefusalObserver(Protocol):
    """Where the figures go."""

    def budget_refused(self, kind: str) -> None:
        """Something was not done because a limit is reached; the kinds are those of `Kind`."""


class Pacing:
    """Asked before anything is done for a message; a turn that is run again hears the same."""

    def __init__(
        self,
        budgets: Budgets,
        rights: Rights,
        notices: NoticeStore,
        composer: Composer,
        observer: RefusalObserver,
    ) -> None:
        self._budgets = budgets
        self._rights = rights
        self._notices = notices
        self._composer = composer
        self._observer = observer

    async def slowed(
        self, route: Route, turn: Turn, inbound: Inbound, room: RoomView, speaker: UserID
    ) -> Sequence[Outgoing] | None:
        """What is said instead of doing it; None when it may be done."""
        if not _counts(route):
            return None
        level = await self._rights.level(inbound.sender, room.room_id)
        payer = Payer(person=inbound.sender, level=level, room_id=room.room_id)
        refusal = await self._decided(payer, turn, inbound, is_question=isinstance(route, Ask))
        if refusal is None:
            return None
        if not await self._is_told(refusal, turn, inbound):
            return [self._composer.acknowledgement(speaker, _LATER, inbound, room)]
        said = slow_down(refusal)
        reply = Reply(markdown=said, sender=speaker, notice=True)
        return self._composer.answer(reply, inbound, room, brings=False)

    async def _decided(
        self, payer: Payer, turn: Turn, inbound: Inbound, *, is_question: bool
    ) -> Refusal | None:
        async def decide(connection: Connection) -> JSON:
            refusal = await self._budgets.may_begin(connection, payer)
            if refusal is None and is_question:
                refusal = await self._budgets.may_go_on(connection, payer, _came_at(turn, inbound))
            if refusal is None and is_question and payer.level > Level.NONE:
                left = await self._budgets.may_spend(payer, connection)
                refusal = left if isinstance(left, Refusal) else None
            return self._noted(refusal)

        return _read(await turn.decide(_STEP, decide))

    def _noted(self, refusal: Refusal | None) -> JSON:
        if refusal is None:
            return None
        self._observer.budget_refused(refusal.kind)
        wait = refusal.wait
        return {
            "kind": refusal.kind,
            "limit": refusal.limit,
            "wait_ms": None if wait is None else wait // timedelta(milliseconds=1),
        }

    async def _is_told(self, refusal: Refusal, turn: Turn, inbound: Inbound) -> bool:
        whose = "" if refusal.kind.is_of_room else inbound.sender
        key = f"slow|{refusal.kind}|{inbound.room_id}|{whose}"

        async def take() -> JSON:
            lasting = _SILENT_FOR[refusal.kind]
            return await self._notices.take_for(key, turn.trigger_id, lasting)

        return bool(await turn.step(f"{_STEP}:told", take))


def _counts(route: Route) -> bool:
    match route:
        case Ask() | RunTool() | RunTools() | Explain():
            return True
        case Control(word=word):
            return word not in _FREE
        case _:
            return False


def _came_at(turn: Turn, inbound: Inbound) -> int:
    """When it was sent, in milliseconds of the database's clock."""
    return turn.created_at_ms - inbound.age // timedelta(milliseconds=1)


def _read(decided: JSON) -> Refusal | None:
    if decided is None:
        return None
    wait_ms = decided["wait_ms"]
    return Refusal(
        kind=Kind(decided["kind"]),
        limit=decided["limit"],
        wait=None if wait_ms is None else timedelta(milliseconds=wait_ms),
    )
