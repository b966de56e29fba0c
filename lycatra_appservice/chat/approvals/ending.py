"""The turn that edits a card, so that it shows how the approval stands."""

from collections.abc import Sequence
from dataclasses import replace

from lycatra_appservice.chat.approvals.card import Shown, card_text
from lycatra_appservice.chat.language import Tongue
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.events import HOPS_MARKER
from lycatra_appservice.matrix.render import MAX_EDIT_BYTES, as_edit, render_message
from lycatra_appservice.matrix.sent import find_sent
from lycatra_appservice.model import Address, Outgoing, Reply, SendKind
from lycatra_appservice.turns.approvals import Approval, Approvals
from lycatra_appservice.turns.turn import Turn


class CardNotOutError(LycatraError):
    """The card is on its way, or what it has to show is not known yet: later again."""

    retryable = True
    outlasted = True


class CardEnding:
    """Shows the state of the moment, whatever the occasion was: edits of a card never go back."""

    def __init__(self, approvals: Approvals, client: MatrixClient, tongue: Tongue) -> None:
        self._approvals = approvals
        self._client = client
        self._tongue = tongue

    async def run(self, turn: Turn) -> Sequence[Outgoing]:
        """The job. Does nothing for a card that never was, or whose words were erased."""
        approval = await self._approvals.get(int(turn.trigger_id.split(":")[1]))
        shown = Shown.of(approval) if approval is not None else None
        if approval is None or shown is None:
            return ()
        if approval.card is None:
            if not await self._approvals.card_is_settled(approval.id):
                raise CardNotOutError("the card is not out yet")
            approval = await self._as_found(approval)
        return self._edit(approval, shown, await self._newer(approval), turn)

    async def _as_found(self, approval: Approval) -> Approval:
        """With its card, if that was given up on its way and has arrived all the same."""
        row = await self._approvals.given_up_card(approval.id)
        card = await find_sent(self._client, row) if row is not None else None
        return replace(approval, card=card)

    async def _newer(self, approval: Approval) -> Approval | None:
        if approval.superseded_by is None:
            return None
        newer = await self._approvals.get(approval.superseded_by)
        if newer is not None and newer.card is None and newer.is_open:
            raise CardNotOutError("the newer card is not out yet")
        return newer

    def _edit(
        self, approval: Approval, shown: Shown, newer: Approval | None, turn: Turn
    ) -> Sequence[Outgoing]:
        if approval.card is None or approval.card_sender is None or approval.card_room is None:
            return ()
        text = self._tongue.say(card_text(shown, approval, newer), shown.language)
        address = Address(room_id=approval.card_room, reply_to=shown.reply_to, thread=shown.thread)
        marker = {"to": approval.trigger_id or turn.trigger_id, "kind": "card"}
        reply = Reply(markdown=text, sender=approval.card_sender)
        content = as_edit(
            render_message(reply, address, marker, max_bytes=MAX_EDIT_BYTES, tables="list")[0]
        )
        relation = {**content["m.relates_to"], "event_id": approval.card}
        return [
            Outgoing(
                kind=SendKind.EDIT,
                room_id=approval.card_room,
                sender=approval.card_sender,
                content={**content, "m.relates_to": relation, HOPS_MARKER: 1},
            )
        ]
