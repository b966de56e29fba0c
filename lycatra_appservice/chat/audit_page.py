"""What `!audit` says: who had what done, to admins; to everybody else what was done for them."""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from lycatra_appservice.audit.entry import STARTED, Entry, Recorded, Ruling
from lycatra_appservice.audit.store import AuditStore, Wanted
from lycatra_appservice.chat import messages
from lycatra_appservice.chat.audit_wish import AuditWish, read_audit_wish
from lycatra_appservice.chat.call_words import call_in_words, minute, second
from lycatra_appservice.chat.private_answers import PrivateAnswers
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import Inbound, Level, UserID
from lycatra_appservice.toolkit.observing import Outcome
from lycatra_appservice.toolkit.rights import Rights
from lycatra_appservice.words.text import Said

Settled: TypeAlias = Callable[[], Awaitable[None]]

_BY_PEOPLE: Final = frozenset({Ruling.APPROVED, Ruling.DENIED})
_KNOWN: Final = frozenset({STARTED, *Outcome, *Ruling})


class AuditPage:
    """Shows nobody of others what only admins may see, and a room nothing of other rooms."""

    def __init__(
        self,
        store: AuditStore,
        settled: Settled,
        rights: Rights,
        private: PrivateAnswers,
        users: VirtualUsers,
        zone: ZoneInfo,
    ) -> None:
        """`settled` returns when everything that was noted by then can be read."""
        self._store = store
        self._settled = settled
        self._rights = rights
        self._private = private
        self._users = users
        self._zone = zone

    async def answer(self, inbound: Inbound, room: RoomView, words: str) -> Said:
        """For the words behind `!audit`, of somebody who may ask."""
        named = sorted(user for user in inbound.mentions if not self._users.is_ours(user))
        wish = read_audit_wish(words, named)
        asker = inbound.sender
        is_admin = await self._rights.level(asker, inbound.room_id) >= Level.ADMIN
        if not is_admin and not _is_about(wish, asker):
            return messages.audit_of_others()
        await self._settled()
        is_alone = await self._private.is_alone(asker, room.room_id)
        shown = Wanted(
            person=None if is_admin else asker,
            room_id=None if is_alone else room.room_id,
        )
        if wish.last:
            found = await self._store.last_story(wish.within(shown))
            return self._story(found, is_direct=is_alone)
        found = await self._store.latest(wish.within(shown), wish.entries)
        return self._table(found, is_direct=is_alone)

    def _table(self, found: Sequence[Recorded], *, is_direct: bool) -> Said:
        if not found:
            return messages.audit_nothing()
        rows = [
            messages.audit_row(
                minute(each.at, self._zone),
                each.entry.person,
                _call(each.entry).replace("|", "\\|"),
                _came_of(each.entry),
            )
            for each in reversed(found)
        ]
        return messages.audit_table(rows, self._zone.key, is_direct=is_direct)

    def _story(self, found: Sequence[Recorded], *, is_direct: bool) -> Said:
        if not found:
            return messages.audit_nothing()
        lines = [
            messages.audit_line(
                second(each.at, self._zone), _call(each.entry), _came_of(each.entry)
            )
            for each in found
        ]
        first = found[0]
        day = minute(first.at, self._zone)
        return messages.audit_story(
            first.entry.person, day, self._zone.key, lines, is_direct=is_direct
        )


def _is_about(wish: AuditWish, asker: UserID) -> bool:
    """Whether the wish names nobody else."""
    if wish.person is not None:
        return wish.person == asker.casefold() or wish.person == asker
    return wish.beginning is None or asker.startswith(wish.beginning)


def _call(entry: Entry) -> str:
    if entry.arguments is None:
        return f"{entry.tool} …"
    return call_in_words(entry.tool, json.loads(entry.arguments))


def _came_of(entry: Entry) -> Said:
    key = entry.outcome or entry.ruling
    if key not in _KNOWN:
        return key  # of a newer version
    if key in _BY_PEOPLE:
        return messages.audit_decided(key, entry.approvers)
    if key == Outcome.CRASHED and entry.reference:
        return messages.audit_crashed(entry.reference)
    if key == Outcome.OK and entry.took_ms is not None:
        return messages.audit_done(entry.took_ms / 1000)
    return messages.audit_outcome(key)
