"""Pictures and files that come without words: kept for the question that follows."""

from collections.abc import Mapping

from lycatra_appservice.agent.loop import Agent, ModelWish
from lycatra_appservice.agent.messages import (
    AssistantMessage,
    AttachedKind,
    UserMessage,
    attached_from_json,
    attached_to_json,
)
from lycatra_appservice.chat import messages
from lycatra_appservice.chat.asides import Asides
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.conversation import ConversationStore, conversation_of
from lycatra_appservice.chat.looking import Looked, Looking, Reason, Unseen
from lycatra_appservice.chat.routes import Unseen as UnseenRoute
from lycatra_appservice.matrix.events import mapping
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.sent_media import SentMedia, media_in
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, Inbound, Level
from lycatra_appservice.toolkit.rights import Rights
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.catalogue import in_english
from lycatra_appservice.words.text import Text


class ShownAlone:
    """Says in one line what can be done with it, once for a whole album."""

    def __init__(
        self,
        agent: Agent | None,
        rights: Rights,
        looking: Looking,
        conversations: ConversationStore,
        composer: Composer,
        asides: Asides,
        users: VirtualUsers,
    ) -> None:
        self._agent = agent
        self._rights = rights
        self._looking = looking
        self._conversations = conversations
        self._composer = composer
        self._asides = asides
        self._users = users

    async def answer(
        self, route: UnseenRoute, turn: Turn, inbound: Inbound, room: RoomView
    ) -> Text | None:
        """What to say to it; None when it was said just now."""
        media = media_in(mapping(mapping(turn.input.get("event")).get("content")))
        level = await self._rights.level(inbound.sender, inbound.room_id)
        if self._agent is None or media is None or level is Level.NONE:
            may = await self._asides.cannot_see(turn, room.room_id, route.msgtype)
            return messages.unseen(route.msgtype) if may else None
        looked = await self._look(self._agent, media, turn, inbound, room)
        if looked.unseen is not None and looked.unseen.reason is not Reason.CUT:
            may = await self._asides.cannot_see(turn, room.room_id, route.msgtype)
            return messages.not_seen(looked.unseen.reason.value, media.name) if may else None
        is_picture = looked.attached.kind is AttachedKind.IMAGE
        said = messages.what_about_it(is_picture=is_picture)
        await self._conversations.append(
            conversation_of(inbound),
            turn.trigger_id,
            [
                UserMessage(text="", name=inbound.sender, attached=(looked.attached,)),
                AssistantMessage(text=in_english(said)),
            ],
            run=turn.first_n,
        )
        return said if await self._asides.has_shown(turn, room.room_id) else None

    async def _look(
        self, agent: Agent, media: SentMedia, turn: Turn, inbound: Inbound, room: RoomView
    ) -> Looked:
        local_only = self._composer.settings(room).local_only == "on"

        async def look() -> JSON:
            looked = await self._looking.at(
                media,
                inbound.event_id,
                turn.created_at_ms,
                as_user=room.host(self._users.main),
                pictures=agent.can_see(ModelWish(local_only=local_only)),
            )
            return _looked_to_json(looked)

        return _looked_from_json(await turn.step("looked", look))


def _looked_to_json(looked: Looked) -> JSON:
    unseen = looked.unseen
    return {
        "attached": attached_to_json(looked.attached),
        "unseen": unseen and [unseen.reason.value, unseen.name],
    }


def _looked_from_json(row: Mapping[str, JSON]) -> Looked:
    unseen = row["unseen"]
    return Looked(
        attached_from_json(row["attached"]),
        Unseen(Reason(unseen[0]), unseen[1]) if unseen else None,
    )
