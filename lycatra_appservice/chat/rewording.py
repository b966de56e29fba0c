"""Questions get other words: by an edit, or because an edit was taken back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol, TypeAlias

from lycatra_appservice.chat.asking import (
    AsTrigger,
    is_message,
    new_content,
    present_content,
    reworded,
    same_words,
)
from lycatra_appservice.chat.originals import Originals
from lycatra_appservice.chat.router import MAX_AGE
from lycatra_appservice.matrix.events import mapping, read_inbound
from lycatra_appservice.model import JSON, EventID, Inbound, RoomID
from lycatra_appservice.turns.inbox import Inbox
from lycatra_appservice.turns.known import KnownTurn, KnownTurns
from lycatra_appservice.turns.records import Trigger
from lycatra_appservice.turns.revisions import Replaced, Revisions
from lycatra_appservice.turns.turn import Turn

QUESTION: Final = "question"  # the step of an edit's turn that tells what it was about
_VIA: Final = "edit"
_NOTHING_ASKED: Final = "{}"
# A question that has ended so keeps the words that it has.
_TOO_LATE: Final = frozenset({Replaced.ANSWERED, Replaced.CHANGE_STARTED, Replaced.OVER})


WordsOf: TypeAlias = Callable[[Inbound], str]


class History(Protocol):
    """What later questions read of this one."""

    async def reword(self, trigger_id: str, words: str) -> None:
        """Let the question stand there in these words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reworded:
    """What became of an edit; `question` is the message as it reads now."""

    outcome: Replaced
    question: Mapping[str, JSON]
    is_news: bool  # the words differ from those that were known


class Rewording:
    """Trusts only the homeserver and what is stored: anybody can send an edit of anything."""

    def __init__(
        self,
        known: KnownTurns,
        originals: Originals,
        revisions: Revisions,
        inbox: Inbox,
        as_trigger: AsTrigger,
        history: History,
        words_of: WordsOf,
    ) -> None:
        """`words_of` is what a message says to us, without our names at its beginning."""
        self._known = known
        self._originals = originals
        self._revisions = revisions
        self._inbox = inbox
        self._as_trigger = as_trigger
        self._history = history
        self._words_of = words_of

    async def by_edit(self, turn: Turn, inbound: Inbound) -> Reworded | None:
        """Follow an edit; None when it is nothing to us, or not the author's.

        Of what was never ours nothing is stored, unless its new words make it ours in time.
        """
        question_id = inbound.replaces or inbound.event_id
        edit = mapping(turn.input["event"])
        words = new_content(edit)
        known = await self._known.find(question_id)
        is_forgotten = known is None or not (known.is_open or known.input)
        bare = {**edit, "event_id": question_id, "content": {}}
        if is_forgotten and self._trigger(reworded(bare, words, inbound.age)) is None:
            return None  # before anything is asked: people edit all the time
        original = await self._originals.find(known, inbound.room_id, question_id)
        if original is None or not _may_edit(inbound, original):
            return None

        async def note() -> JSON:
            return question_id

        await turn.step(QUESTION, note)
        question = reworded(original, words, inbound.age)
        is_young = inbound.age + _between(original, edit) <= MAX_AGE
        outcome = await self._reword(known, question, is_young=is_young)
        if outcome is Replaced.ANSWERED:
            await self._reword_history(question)
        answered = mapping(mapping(known.input.get("event")).get("content")) if known else {}
        is_news = bool(answered) and not same_words(answered, question["content"])
        return Reworded(outcome=outcome, question=question, is_news=is_news)

    async def back(self, edit_id: EventID, room_id: RoomID, age: timedelta) -> str | None:
        """Let the words stand that stand without an edit; `age` is that of its redaction.

        Returns the question that it comes too late for: it has the edit's words for good.
        """
        question_id = await self._known.journaled(edit_id, QUESTION)
        known = await self._known.find(question_id) if question_id is not None else None
        if known is None:
            return None
        event = await self._originals.fetch(room_id, EventID(known.trigger_id))
        if event is None or not is_message(event):
            return None
        question = reworded(event, present_content(event), age)
        await self._reword_history(question)
        if mapping(known.input.get("event")).get("content") == question["content"]:
            return None
        outcome = await self._reword(known, question, is_young=False)
        return known.trigger_id if outcome in _TOO_LATE else None

    async def _reword(
        self, known: KnownTurn | None, question: Mapping[str, JSON], *, is_young: bool
    ) -> Replaced:
        trigger = self._trigger(question)
        if known is None:
            if trigger is None or not is_young:
                return Replaced.UNKNOWN
            if await self._inbox.store([trigger]):
                return Replaced.REOPENED
        if trigger is not None:
            return await self._revisions.replace(trigger, reopen=is_young)
        if known is None:
            return Replaced.UNKNOWN
        nothing = Trigger(
            id=known.trigger_id, lane=known.lane, kind=known.kind, input=_NOTHING_ASKED
        )
        return await self._revisions.replace(nothing, reopen=False)

    async def _reword_history(self, question: Mapping[str, JSON]) -> None:
        """What was answered stays answered, but it is remembered in its writer's present words."""
        words = self._words_of(read_inbound(question, timedelta(0)))
        await self._history.reword(question["event_id"], words)

    def _trigger(self, question: Mapping[str, JSON]) -> Trigger | None:
        return self._as_trigger(question, _VIA)


def _may_edit(edit: Inbound, original: Mapping[str, JSON]) -> bool:
    return is_message(original) and original["sender"] == edit.sender


def _between(original: Mapping[str, JSON], edit: Mapping[str, JSON]) -> timedelta:
    """How much later the edit was written, by the clock of its author's server."""
    wrote, changed = original.get("origin_server_ts"), edit.get("origin_server_ts")
    if not isinstance(wrote, int) or not isinstance(changed, int):
        return timedelta(0)
    return timedelta(milliseconds=min(max(changed - wrote, 0), 10**12))
