"""A list of the configuration that names people, asked which of its entries names somebody."""

from collections.abc import Iterator, Sequence
from typing import Final

from lycatra_appservice.actors import Actor, ActorKind, is_localpart, read_actor
from lycatra_appservice.matrix.standing import Standing
from lycatra_appservice.model import RoomID, UserID

_EVERYBODY: Final = "*"


class ActorList:
    """Finds the entries that name somebody, the most specific first; nobody by an empty list.

    Servers are compared letter by letter: one that only looks the same is another server.
    """

    def __init__(self, entries: Sequence[str], *, denies: bool = False) -> None:
        """Raises ValueError for an entry that is none.

        With `denies` the list takes rights away, so it also names whom it may name: who stands
        in a room nobody knows how, and servers that differ only in case or by a final dot, which
        are the same people by the specification.
        """
        self.actors = tuple(read_actor(entry) for entry in entries)
        self._denies = denies
        self._named = {
            self._folded(actor.written): actor
            for actor in self.actors
            if not actor.kind.is_about_a_room
        }
        self._in_rooms = sorted(
            (actor for actor in self.actors if actor.kind.is_about_a_room),
            key=lambda actor: (actor.kind, actor.power),
            reverse=True,
        )
        self._rooms = frozenset(actor.room for actor in self._in_rooms if actor.room)
        self._minds_power = any(actor.kind is ActorKind.POWER for actor in self._in_rooms)

    def minds(self, room_id: RoomID) -> bool:
        """Whether how somebody stands in this room can matter."""
        return self._minds_power or room_id in self._rooms

    def first_naming(self, user_id: UserID, standing: Standing) -> Actor | None:
        """The most specific entry that names somebody; None also for what is no user id."""
        return next(self.naming(user_id, standing), None)

    def naming(self, user_id: UserID, standing: Standing) -> Iterator[Actor]:
        """All entries that name somebody, the most specific first."""
        local, _, server = user_id.partition(":")
        if not (is_localpart(local) and server):
            return
        yield from self._written(user_id)
        yield from (actor for actor in self._in_rooms if self._fits(actor, standing))
        yield from self._written(f"*:{server}")
        yield from self._written(_EVERYBODY)

    def _written(self, entry: str) -> Iterator[Actor]:
        actor = self._named.get(self._folded(entry))
        if actor is not None:
            yield actor

    def _folded(self, entry: str) -> str:
        if not self._denies:
            return entry
        local, colon, server = entry.partition(":")
        return f"{local}{colon}{server.lower().rstrip('.')}"

    def _fits(self, actor: Actor, standing: Standing) -> bool:
        if standing.room_id is None or (actor.room and actor.room != standing.room_id):
            return False
        has_power: bool | None = True
        if actor.kind is not ActorKind.ROOM:
            has_power = None if standing.power is None else standing.power >= actor.power
        facts = (standing.is_joined, has_power)
        return False not in facts and (self._denies or None not in facts)
