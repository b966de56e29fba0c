"""Lines that are done instead of typed: `@approve`, `@deny` and `@release VERSION`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from lycatra_appservice.demo.person_client import PersonClient
from lycatra_appservice.demo.release_server import NotReleasedError
from lycatra_appservice.demo.talk import edited_event, reply_mark
from lycatra_appservice.model import JSON, EventID, RoomID

_VOTES: Final = {"@approve": "\u2705", "@deny": "\u274c"}
_RELEASE: Final = "@release"


class AsideError(Exception):
    """A sentence that says why a line could not be done."""


class Releasing(Protocol):
    """Whoever can make a release."""

    async def release(self, version: str) -> None:
        """Make it. Raises NotReleasedError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What was done by whom, in a few words.

    `request` is what the outcome will answer; None where it is the next card.
    """

    who: str
    what: str
    request: EventID | None


@dataclass(frozen=True, slots=True)
class _Card:
    event_id: EventID
    request: EventID


class OpenCards:
    """The cards of a room that wait for somebody, the newest last."""

    def __init__(self) -> None:
        self._cards: Sequence[_Card] = ()

    def note(self, event: JSON) -> None:
        """Hear of an event of the appservice, in the room's order."""
        edited = edited_event(event)
        if edited is not None:
            # An edit that still lets people vote is rare; they can react by themselves then.
            self._cards = [card for card in self._cards if card.event_id != edited]
            return
        mark = reply_mark(event)
        if mark is not None and mark.is_card:
            self._cards = [*self._cards, _Card(EventID(event["event_id"]), EventID(mark.to))]

    @property
    def last(self) -> _Card | None:
        """The one that was shown last."""
        return self._cards[-1] if self._cards else None


class Asides:
    """Does what such a line says, as the one who does it: the approver, or a programmer."""

    def __init__(self, approver: PersonClient, room_id: RoomID, releasing: Releasing) -> None:
        self._approver = approver
        self._room_id = room_id
        self._releasing = releasing

    async def do(self, line: str, cards: OpenCards) -> Done | None:
        """Do it; None for a line that is to be typed. Raises AsideError, ClientApiError."""
        word, _, rest = line.partition(" ")
        if word == _RELEASE:
            return await self._release(rest.strip())
        if line in _VOTES:
            return await self._vote(_VOTES[line], cards)
        return None

    async def _release(self, version: str) -> Done:
        try:
            await self._releasing.release(version)
        except NotReleasedError as error:
            raise AsideError(str(error)) from error
        return Done(who="release", what=f"web {version}", request=None)

    async def _vote(self, key: str, cards: OpenCards) -> Done:
        card = cards.last
        if card is None:
            raise AsideError("There is no open card.")
        await self._approver.react(self._room_id, card.event_id, key)
        return Done(who=self._approver.localpart, what=key, request=card.request)
