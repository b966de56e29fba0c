"""Whom to ask about what somebody may not do: names, then groups that a person can find. Pure."""

from collections.abc import Callable, Sequence
from typing import Final

from lycatra_appservice.actors import Actor, ActorKind
from lycatra_appservice.model import RoomID
from lycatra_appservice.words.text import Said, Text

_NAMED: Final = 3  # enough to know whom to ask; a whole list would only be noise


def who_could(
    actors: Sequence[Actor], room_id: RoomID | None, is_denied: Callable[[Actor], bool]
) -> Text | None:
    """A sentence on those of the actors who are at hand; None when there is nobody.

    `room_id` is where somebody asked.
    """
    left = sorted(
        (actor for actor in actors if not is_denied(actor)), key=lambda each: each.written
    )
    here = [*_people(left), *_members(left, room_id), *_powerful(left, room_id)]
    if here:
        return Text("these_could", people=_joined(here))
    if _of(left, ActorKind.EVERYBODY):
        return Text("most_could")
    servers = [actor.name for actor in _of(left, ActorKind.SERVER)]
    if servers:
        return Text("servers_could", servers=", ".join(servers[:_NAMED]))
    rooms = [f"`{actor.room}`" for actor in _of(left, ActorKind.ROOM)]
    return Text("members_could", rooms=", ".join(rooms[:_NAMED])) if rooms else None


def _people(actors: Sequence[Actor]) -> Sequence[Said]:
    names = [actor.name for actor in _of(actors, ActorKind.PERSON)]
    return [", ".join(names[:_NAMED])] if names else []


def _members(actors: Sequence[Actor], room_id: RoomID | None) -> Sequence[Said]:
    is_here = any(actor.room == room_id for actor in _of(actors, ActorKind.ROOM))
    return [Text("members_of_this_room")] if is_here else []


def _powerful(actors: Sequence[Actor], room_id: RoomID | None) -> Sequence[Said]:
    if room_id is None:
        return []
    levels = [
        actor.power
        for actor in actors
        if actor.kind in {ActorKind.POWER, ActorKind.POWER_IN_ROOM} and actor.room in {"", room_id}
    ]
    return [Text("people_with_power", power=min(levels))] if levels else []


def _of(actors: Sequence[Actor], kind: ActorKind) -> Sequence[Actor]:
    return [actor for actor in actors if actor.kind is kind]


def _joined(parts: Sequence[Said]) -> Said:
    *first, last = parts
    for part in reversed(first):
        last = Text("or", first=part, second=last)
    return last
