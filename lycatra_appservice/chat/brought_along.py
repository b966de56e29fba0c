"""Questions that brought somebody's message along, when that message is taken back."""

from lycatra_appservice.chat.asking import AsTrigger
from lycatra_appservice.chat.conversation import ConversationStore
from lycatra_appservice.matrix.events import mapping
from lycatra_appservice.model import EventID
from lycatra_appservice.turns.forgetting import Forgetting, Forgotten
from lycatra_appservice.turns.known import KnownTurns
from lycatra_appservice.turns.revisions import Revisions


class BroughtAlong:
    """The questions stand; what was read of the message goes."""

    def __init__(
        self,
        conversations: ConversationStore,
        known: KnownTurns,
        revisions: Revisions,
        forgetting: Forgetting,
        as_trigger: AsTrigger,
    ) -> None:
        self._conversations = conversations
        self._known = known
        self._revisions = revisions
        self._forgetting = forgetting
        self._as_trigger = as_trigger

    async def knows(self, event_id: EventID) -> bool:
        """Whether any question brought it along."""
        return bool(await self._conversations.brought_by(event_id))

    async def ask_anew(self, event_id: EventID) -> None:
        """Let the questions that are being answered begin anew, without it."""
        for trigger_id in await self._conversations.brought_by(event_id):
            known = await self._known.find(trigger_id)
            question = mapping(known.input.get("event")) if known and known.is_open else {}
            # The words are the same, but the turn must not look as if it had them already.
            trigger = self._as_trigger(question, f"redacted:{event_id}") if question else None
            if trigger is not None:
                await self._revisions.replace(trigger, reopen=False)

    async def forget(self, event_id: EventID) -> Forgotten:
        """Erase what the answered questions have of it; may be called again."""
        for trigger_id in await self._conversations.brought_by(event_id):
            forgotten = await self._forgetting.forget_findings(trigger_id, self._conversations)
            if forgotten is Forgotten.NOT_YET:
                return forgotten
            await self._conversations.not_brought(event_id, trigger_id)
        return Forgotten.DONE
