"""A change that nobody has typed: it is put to people on a card, and made when they let it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.approvals.desk import ApprovalDesk
from lycatra_appservice.chat.approvals.occasion import Occasion
from lycatra_appservice.chat.approvals.settling import NotApprovedError, Settling
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.news import words
from lycatra_appservice.chat.progress import ProgressNotices
from lycatra_appservice.errors import ToolError
from lycatra_appservice.matrix.events import REPLY_MARKER
from lycatra_appservice.model import JSON, Caller, Outgoing, Reply
from lycatra_appservice.toolkit.approvals import NeedsApprovalError
from lycatra_appservice.toolkit.toolbox import Gate, Toolbox
from lycatra_appservice.words.text import Said

_STEP: Final = "proposed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """What is put to people; `news` stand above it. Without a `lifetime` the rule's own holds."""

    tool: str
    args: Mapping[str, JSON]
    lifetime: timedelta | None
    news: Said | None


class Proposing:
    """Asks once for each run of a turn, and goes on where an earlier run has stopped."""

    def __init__(
        self,
        gate: Gate,
        desk: ApprovalDesk,
        settling: Settling,
        notices: ProgressNotices,
        composer: Composer,
    ) -> None:
        self._gate = gate
        self._desk = desk
        self._settling = settling
        self._notices = notices
        self._composer = composer

    async def put(
        self, proposed: Proposed, occasion: Occasion, *, by_ourselves: bool
    ) -> Sequence[Outgoing]:
        """Put it to people or, when they have decided, what came of it.

        `by_ourselves`: nobody's rights are asked for but the approvers'. Whatever cannot be put
        to people is said with the news, so that these are told in any case.
        """
        turn, room = occasion.turn, occasion.room
        caller = Caller(
            user_id=occasion.inbound.sender,
            face=occasion.face,
            room_id=room.room_id,
            on_behalf_of_turn=turn.trigger_id,
            run=turn.first_n,
        )
        async with self._notices.open(turn, occasion.inbound, room, occasion.speaker) as notice:
            toolbox = await self._gate.open(
                caller,
                progress=notice.during,
                proposes=proposed.tool if by_ourselves else None,
            )
            if turn.approval(_STEP) is None:
                return await self._ask(proposed, occasion, toolbox)
            return await self._settle(occasion, toolbox)

    async def _ask(
        self, proposed: Proposed, occasion: Occasion, toolbox: Toolbox
    ) -> Sequence[Outgoing]:
        work = toolbox.background_of(proposed.tool, proposed.args)
        if work is not None:
            await occasion.turn.go_on_in_background(occasion.room.room_id, work)
        try:
            try:
                await toolbox.call(proposed.tool, proposed.args)
            except NeedsApprovalError as needed:
                if proposed.lifetime is not None:
                    needed.rule = replace(needed.rule, lifetime=proposed.lifetime)
                await self._desk.ask(occasion, _STEP, needed, news=proposed.news)
        except ToolError as refused:
            if proposed.news is None:
                return self.rows(refused.said, occasion)
            return self.rows(words.not_proposed(proposed.news, refused.said), occasion)
        return ()

    async def _settle(self, occasion: Occasion, toolbox: Toolbox) -> Sequence[Outgoing]:
        approval = occasion.turn.approval(_STEP)
        if approval is None:
            return ()
        try:
            result = await self._settling.settle(occasion.turn, approval, toolbox)
        except NotApprovedError:
            return ()  # its card says so, and nobody waits for an answer
        except ToolError as error:
            return self.rows(messages.failed(error.said), occasion)
        said: Said = result.markdown
        if result.note:
            said = messages.with_note(said, result.note)
        return self.rows(said, occasion)

    def rows(self, said: Said, occasion: Occasion) -> Sequence[Outgoing]:
        """A new message, which rings."""
        reply = Reply(markdown=said, sender=occasion.speaker)
        rows = self._composer.answer(reply, occasion.inbound, occasion.room)
        return [_as_news(row) for row in rows]


def _as_news(row: Outgoing) -> Outgoing:
    """It is no answer."""
    if REPLY_MARKER not in row.content:
        return row
    return replace(
        row, content={**row.content, REPLY_MARKER: {**row.content[REPLY_MARKER], "kind": "news"}}
    )
