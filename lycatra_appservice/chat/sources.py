"""What `!sources` and 🔍 show: the tool results that an answer rests on, to who may see them."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from lycatra_appservice.agent.sources import Source, sources_in
from lycatra_appservice.audit.entry import Recorded
from lycatra_appservice.audit.store import AuditStore
from lycatra_appservice.chat import messages
from lycatra_appservice.chat.audit_page import Settled
from lycatra_appservice.chat.call_words import call_in_words, minute
from lycatra_appservice.chat.conversation import ConversationStore, conversation_of
from lycatra_appservice.chat.memory import SURROUNDINGS
from lycatra_appservice.chat.private_answers import PrivateAnswers
from lycatra_appservice.errors import ToolError, UnknownToolError
from lycatra_appservice.matrix.events import mapping, text
from lycatra_appservice.model import JSON, Caller, Face, Inbound, RoomID, UserID
from lycatra_appservice.toolkit.arguments import shortened
from lycatra_appservice.toolkit.observing import Outcome
from lycatra_appservice.toolkit.redaction import Mask, shown_arguments
from lycatra_appservice.toolkit.toolbox import Gate, Toolbox
from lycatra_appservice.turns.known import KnownStep, KnownTurn, KnownTurns, OurMessage
from lycatra_appservice.words.text import Said

_GAVE_RESULTS: Final = frozenset({Outcome.OK, Outcome.CACHED, Outcome.FAILED, Outcome.TIMEOUT})
_FENCE: Final = re.compile(r"^(\s*)(`{3,}|~{3,})", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Reader:
    """Who wants to see it, and where."""

    user_id: UserID
    room_id: RoomID


class SourcesPage:
    """Reads the journals of turns that have ended. Nothing is asked or run again."""

    def __init__(
        self,
        known: KnownTurns,
        conversations: ConversationStore,
        audit: AuditStore,
        settled: Settled,
        gate: Gate,
        private: PrivateAnswers,
        mask: Mask,
        zone: ZoneInfo,
    ) -> None:
        """`settled` returns when all that was noted for the audit by then can be read.

        `mask` takes the secrets of the configuration out of what is shown.
        """
        self._known = known
        self._conversations = conversations
        self._audit = audit
        self._settled = settled
        self._gate = gate
        self._private = private
        self._mask = mask
        self._zone = zone

    async def asked_by(self, inbound: Inbound) -> Said:
        """For `!sources`: of the answer replied to, else of the last one in this place."""
        reader = Reader(inbound.sender, inbound.room_id)
        if inbound.reply_to is not None:
            message = await self._known.find_message(inbound.reply_to)
            if message is not None and message.room_id == inbound.room_id:
                return await self.behind(message, reader)
            return messages.sources_which()
        last = await self._conversations.last_turn(
            conversation_of(inbound), with_threads=inbound.thread is None
        )
        turn = await self._known.find(last) if last is not None else None
        return messages.sources_which() if turn is None else await self._of(turn, reader)

    async def behind(self, message: OurMessage, reader: Reader) -> Said:
        """Of the answer that this message is, or is a part of."""
        if not message.content:
            return messages.sources_gone()
        return await self._of(message.turn, reader)

    async def _of(self, turn: KnownTurn, reader: Reader) -> Said:
        steps = await self._known.steps(turn.trigger_id)
        found = sources_in(steps)
        toolbox = await self._toolbox(reader)
        if found:
            is_closed = _is_private(steps, found, toolbox) and not (
                await self._is_asker_alone(turn, reader)
            )
            shown = [self._shown(source, toolbox, is_closed=is_closed) for source in found]
            return messages.sources(_question(turn), shown, self._zone.key)
        await self._settled()
        recorded = [
            each
            for each in await self._audit.of_turn(turn.trigger_id)
            if each.entry.outcome in _GAVE_RESULTS
        ]
        if any(each.entry.face == Face.AGENT for each in recorded):
            return messages.sources_gone()
        if not recorded:
            return messages.sources_none()
        calls = self._raw(recorded, toolbox)
        return messages.sources_raw(calls, self._zone.key) if calls else messages.source_unknown()

    async def _is_asker_alone(self, turn: KnownTurn, reader: Reader) -> bool:
        asker = text(mapping(turn.input.get("event")).get("sender"))
        is_asker = reader.user_id == asker
        return is_asker and await self._private.is_alone(reader.user_id, reader.room_id)

    async def _toolbox(self, reader: Reader) -> Toolbox:
        """As the command face: whoever may run it as a command may read what it gave."""
        return await self._gate.open(
            Caller(user_id=reader.user_id, face=Face.COMMAND, room_id=reader.room_id)
        )

    def _shown(self, source: Source, toolbox: Toolbox, *, is_closed: bool) -> Said:
        try:
            tool = toolbox.tool(source.tool)
        except UnknownToolError:
            return messages.source_unknown()
        except ToolError as refused:
            return messages.source_refused(refused.said)
        if is_closed:
            return messages.source_private()
        arguments = shown_arguments(tool.args, source.arguments, self._mask)
        return messages.source(
            call_in_words(tool.name, arguments),
            minute(source.at, self._zone),
            _in_code(self._mask(source.result)),
        )

    def _raw(self, recorded: Sequence[Recorded], toolbox: Toolbox) -> Sequence[Said]:
        """The calls of a command: what they gave stands in the answer already."""
        return [
            messages.source_raw(
                call_in_words(each.entry.tool, _arguments(each)), minute(each.at, self._zone)
            )
            for each in recorded
            if each.entry.tool in toolbox.known_names()
        ]


def _is_private(steps: Sequence[KnownStep], found: Sequence[Source], toolbox: Toolbox) -> bool:
    """Whether the whole turn is for its asker alone.

    What one tool gave, or was remembered, may stand in what the model asked another one.
    """
    remembered = next((mapping(each.output) for each in steps if each.name == SURROUNDINGS), {})
    return bool(remembered.get("is_private")) or toolbox.has_private(
        [source.tool for source in found]
    )


def _arguments(recorded: Recorded) -> Mapping[str, JSON]:
    return mapping(json.loads(recorded.entry.arguments or "{}"))


def _question(turn: KnownTurn) -> str:
    return shortened(text(mapping(mapping(turn.input.get("event")).get("content")).get("body")))


def _in_code(result: str) -> str:
    """The result as a block of code, its JSON with a line for each value."""
    try:
        lines = json.dumps(json.loads(result), ensure_ascii=False, indent=2)
    except ValueError:
        lines = _FENCE.sub(r"\1 \2", result)  # it was cut: its end is a line of ours
    return f"```json\n{lines}\n```"
