"""Reactions: a stop sign, a vote, the number of a choice that we offered, a magnifying glass."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from lycatra_appservice.chat.asking import MESSAGE, AsTrigger, aged
from lycatra_appservice.chat.emoji import STOP_SIGNS, plain_emoji, vote_of
from lycatra_appservice.chat.magnifier import MAGNIFYING_GLASSES, Magnifier
from lycatra_appservice.chat.router import is_too_old
from lycatra_appservice.chat.stop_sign import StopSign
from lycatra_appservice.chat.welcome import CHOICES
from lycatra_appservice.matrix.events import age_of, is_id, mapping, text
from lycatra_appservice.model import JSON, EventID, Outgoing, UserID
from lycatra_appservice.turns.inbox import Inbox
from lycatra_appservice.turns.known import KnownTurns, OurMessage
from lycatra_appservice.turns.turn import Turn

_VIA: Final = "pick"


def pick_of(reaction_id: str) -> str:
    """The trigger id of what a reaction has picked."""
    return f"{_VIA}:{reaction_id}"


class Votes(Protocol):
    """Takes what may be a vote."""

    async def react(
        self, turn: Turn, event: Mapping[str, JSON], target: EventID, *, yes: bool
    ) -> Sequence[Outgoing]:
        """Count a reaction to `target`, if that is a card; return what there is to say."""


class ReactionHandler:
    """Keys are compared as people see them. Our own reactions never come here."""

    def __init__(
        self,
        known: KnownTurns,
        stop_sign: StopSign,
        votes: Votes,
        magnifier: Magnifier,
        inbox: Inbox,
        as_trigger: AsTrigger,
    ) -> None:
        self._magnifier = magnifier
        self._known = known
        self._stop_sign = stop_sign
        self._votes = votes
        self._inbox = inbox
        self._as_trigger = as_trigger

    async def handle(self, turn: Turn, event: Mapping[str, JSON]) -> Sequence[Outgoing]:
        """Do what the key says; what comes of it speaks for itself."""
        relation = mapping(mapping(event.get("content")).get("m.relates_to"))
        target, key = relation.get("event_id"), plain_emoji(text(relation.get("key")))
        if relation.get("rel_type") != "m.annotation" or not is_id(target):
            return ()
        vote = vote_of(key)
        if vote is not None:
            # Before anything is looked up: the card may be one whose id is not known yet.
            return await self._votes.react(turn, event, EventID(target), yes=vote)
        message = await self._known.find_message(EventID(target))
        if message is not None and message.room_id != event["room_id"]:
            return ()
        if key in STOP_SIGNS:
            stopped = message.turn if message else await self._known.find(target)
            return () if stopped is None else await self._stop_sign.stop(turn, event, stopped)
        if message is not None and key in MAGNIFYING_GLASSES:
            age = age_of(event, turn.input["age_ms"], turn.created_at_ms)
            return await self._magnifier.look(
                UserID(event["sender"]), message, EventID(target), age
            )
        if message is not None:
            await self._pick(turn, event, EventID(target), message, key)
        return ()

    async def _pick(
        self,
        turn: Turn,
        event: Mapping[str, JSON],
        target: EventID,
        message: OurMessage,
        key: str,
    ) -> None:
        """Ask what stands behind the key, as if this person had written it to who offered it."""
        offered = mapping(message.content.get(CHOICES)).items()
        choices = {plain_emoji(each): words for each, words in offered}
        words = text(choices.get(key))
        age = age_of(event, turn.input["age_ms"], turn.created_at_ms)
        if not words or is_too_old(age, only_reads=False):
            return
        asked = {
            **event,
            "type": MESSAGE,
            "event_id": target,
            "content": {
                "msgtype": "m.text",
                "body": words,
                "m.mentions": {"user_ids": [message.sender]},
            },
        }
        trigger = self._as_trigger(aged(asked, age), _VIA)
        if trigger is not None:
            await self._inbox.store([replace(trigger, id=pick_of(turn.trigger_id))])
