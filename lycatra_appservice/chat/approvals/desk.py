"""Where a call that needs an approval comes to: it is put to people, or refused at once."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, NoReturn
from zoneinfo import ZoneInfo

from lycatra_appservice.chat.approvals import wording
from lycatra_appservice.chat.approvals.card import Shown, new_card_text, shown_of
from lycatra_appservice.chat.approvals.electorate import Electorate
from lycatra_appservice.chat.approvals.occasion import Occasion
from lycatra_appservice.chat.approvals.refusals import Refusals
from lycatra_appservice.chat.compose import Composer, is_event
from lycatra_appservice.errors import NotAllowedError, StoreBusyError
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.events import REPLY_MARKER
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import Outgoing, Reply, SendKind, UserID
from lycatra_appservice.toolkit.approvals import NeedsApprovalError, Rule, rule_to_json
from lycatra_appservice.turns.approvals import CodeTakenError, NewApproval, new_code
from lycatra_appservice.turns.deciding import Deciding
from lycatra_appservice.turns.records import ParkedError
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.text import Said

_MENTIONED: Final = 5  # whose phones ring; more would be noise
_TRIES: Final = 20  # for a code that is free: hardly ever more than one


class ApprovalDesk:
    """Parks turns. What is refused is refused before anybody is asked."""

    def __init__(
        self,
        users: VirtualUsers,
        rooms: RoomStore,
        electorate: Electorate,
        refusals: Refusals,
        composer: Composer,
        deciding: Deciding,
        zone: ZoneInfo,
        now: Callable[[], datetime],
    ) -> None:
        self._users = users
        self._rooms = rooms
        self._electorate = electorate
        self._refusals = refusals
        self._composer = composer
        self._deciding = deciding
        self._zone = zone
        self._now = now

    async def ask(
        self,
        occasion: Occasion,
        step_name: str,
        needed: NeedsApprovalError,
        *,
        news: Said | None = None,
    ) -> NoReturn:
        """Put a call to people and let its turn wait; `news` stand above it on the card.

        Ends the handler by ParkedError. Raises NotAllowedError, with nothing asked, when nobody
        could approve it here and now.
        """
        try:
            await self._put_to_people(occasion, step_name, needed, news)
        except NotAllowedError:
            await self._refusals.note(occasion, needed)
            raise

    async def _put_to_people(
        self,
        occasion: Occasion,
        step_name: str,
        needed: NeedsApprovalError,
        news: Said | None,
    ) -> NoReturn:
        rule, now = needed.rule, self._now().astimezone(self._zone)
        frozen_until = rule.frozen_until(now)
        if frozen_until is not None:
            raise NotAllowedError(wording.frozen(wording.moment(frozen_until, now)))
        card_room = await self._card_room(occasion.room, rule)
        eligible = await self._eligible(needed, occasion, card_room)
        shown = self._shown(needed, occasion, card_room, now, news)
        speaker = occasion.speaker
        if card_room.room_id != occasion.room.room_id:
            speaker = card_room.host(self._users.main)
        for _ in range(_TRIES):
            code = new_code()
            reply = Reply(
                markdown=new_card_text(shown, occasion.inbound.sender, rule, code),
                sender=speaker,
                mentions=eligible[:_MENTIONED],
            )
            rows = self._rows(reply, occasion, card_room, news)
            new = _approval(needed, occasion, step_name, card_room, shown, code)
            await self._park(occasion.turn, new, rows)
        raise StoreBusyError("no code is free for an approval")

    async def _park(self, turn: Turn, new: NewApproval, rows: Sequence[Outgoing]) -> None:
        """Return only when the code is another's."""
        try:
            await turn.park(new, rows)
        except CodeTakenError:
            return
        except ParkedError as parked:
            # Should this be cut off, the leader does it a moment later.
            await self._deciding.supersede(parked.approval_id)
            raise

    async def _card_room(self, room: RoomView, rule: Rule) -> RoomView:
        if rule.room is None or rule.room == room.room_id:
            return room
        try:
            return await self._rooms.view(rule.room)
        except MatrixError as error:
            if error.outlasted:
                raise
            raise NotAllowedError(wording.no_room()) from error

    async def _eligible(
        self, needed: NeedsApprovalError, occasion: Occasion, card_room: RoomView
    ) -> Sequence[UserID]:
        """Some who could approve. Raises NotAllowedError when they are too few."""
        rule, requester = needed.rule, occasion.inbound.sender
        at_most = max(rule.quorum, _MENTIONED + 1)
        found = await self._electorate.eligible(rule, requester, card_room.room_id, at_most)
        if len(found) < rule.quorum:
            raise NotAllowedError(
                wording.nobody_can(
                    needed.tool,
                    wording.approvers(rule, requester),
                    self._electorate.who_could(rule, card_room.room_id),
                    here=card_room.room_id == occasion.room.room_id,
                )
            )
        others = [person for person in found if person != requester]
        return others or found

    def _shown(
        self,
        needed: NeedsApprovalError,
        occasion: Occasion,
        card_room: RoomView,
        now: datetime,
        news: Said | None,
    ) -> Shown:
        is_here = card_room.room_id == occasion.room.room_id and is_event(occasion.inbound)
        return shown_of(
            needed,
            until=wording.moment(now + needed.rule.lifetime, now),
            language=self._composer.language(occasion.inbound, occasion.room),
            reply_to=occasion.inbound.event_id if is_here else None,
            thread=occasion.inbound.thread if is_here else None,
            news=news,
        )

    def _rows(
        self, reply: Reply, occasion: Occasion, card_room: RoomView, news: Said | None
    ) -> Sequence[Outgoing]:
        inbound, room = occasion.inbound, occasion.room
        rows = self._composer.card(reply, inbound, room, card_room)
        if card_room.room_id == room.room_id:
            return rows
        said = wording.asked_elsewhere(card_room.room_id)
        if news is not None:
            said = wording.below_news(news, said)
        note = Reply(markdown=said, sender=occasion.speaker, notice=True)
        return [*rows, *map(_as_progress, self._composer.answer(note, inbound, room))]


def _approval(
    needed: NeedsApprovalError,
    occasion: Occasion,
    step_name: str,
    card_room: RoomView,
    shown: Shown,
    code: str,
) -> NewApproval:
    return NewApproval(
        code=code,
        face=occasion.face,
        step_name=step_name,
        requester=occasion.inbound.sender,
        room_id=occasion.room.room_id,
        card_room=card_room.room_id,
        tool=needed.tool,
        target=needed.plan.target or needed.args_hash if needed.plan.steps else needed.args_hash,
        args=needed.arguments,
        args_hash=needed.args_hash,
        shown=shown.to_json(),
        rule=rule_to_json(needed.rule),
        lifetime=needed.rule.lifetime,
    )


def _as_progress(row: Outgoing) -> Outgoing:
    """It is no answer yet."""
    if row.kind is not SendKind.MESSAGE:
        return row
    marker = {**row.content[REPLY_MARKER], "kind": "progress"}
    return replace(row, content={**row.content, REPLY_MARKER: marker})
