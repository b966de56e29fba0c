"""Wiring of what brings our users into rooms, moves them on and lets them leave."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from lycatra_appservice.chat.company import Company
from lycatra_appservice.chat.doorkeeper import Doorkeeper
from lycatra_appservice.chat.handlers.dispatch import Job
from lycatra_appservice.chat.handlers.invitation import (
    DirectLine,
    Greeter,
    InvitationHandler,
    InvitationObserver,
)
from lycatra_appservice.chat.handlers.state import EncryptedRooms, OnLeft, StateHandler
from lycatra_appservice.chat.handlers.upgrade import Upgrades
from lycatra_appservice.chat.leaving import Leaving
from lycatra_appservice.chat.room_jobs import FOLLOW, TIDY, RoomJobs
from lycatra_appservice.chat.room_memory import RoomMemory
from lycatra_appservice.chat.room_settings import RoomDefaults
from lycatra_appservice.db.connection import Database
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.functional_members import FunctionalMembers
from lycatra_appservice.matrix.invitations import InvitationStore, Limits
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.matrix.seals import Seals
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import RoomID
from lycatra_appservice.toolkit.registry import Registry
from lycatra_appservice.toolkit.rights import Rights
from lycatra_appservice.toolkit.state import StateStore
from lycatra_appservice.toolkit.toolbox import Gate
from lycatra_appservice.turns.inbox import Inbox


@dataclass(frozen=True, slots=True, kw_only=True)
class ComingAndGoing:
    """The handlers, and the jobs that they ask for."""

    invitation: InvitationHandler
    state: StateHandler
    jobs: Mapping[str, Job]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What all of it stands on."""

    users: VirtualUsers
    rooms: RoomStore
    client: MatrixClient
    database: Database
    inbox: Inbox
    gate: Gate
    rights: Rights
    registry: Registry
    limits: Limits
    defaults: RoomDefaults
    seals: Seals | None = None  # where encrypted rooms are read


def build_coming_and_going(
    ground: Ground,
    greeter: Greeter,
    direct_line: DirectLine,
    encrypted: EncryptedRooms,
    observer: InvitationObserver,
    on_joined: Callable[[], Awaitable[None]],
    on_left: OnLeft,
) -> ComingAndGoing:
    """Put them together."""
    users, rooms = ground.users, ground.rooms
    functional = FunctionalMembers(ground.client, users.main)
    memory = RoomMemory(StateStore(ground.database), rooms)
    upgrades = Upgrades(users, rooms, functional, memory.moved)
    leaving = Leaving(users, rooms, ground.client)
    store = InvitationStore(ground.database, ground.limits, users.server_name)
    invitation = InvitationHandler(
        users,
        rooms,
        Doorkeeper(users, ground.rights.access, store, upgrades),
        upgrades,
        Company(users, ground.registry, ground.gate, ground.defaults),
        functional,
        leaving,
        greeter,
        direct_line,
        observer,
        on_joined,
    )

    async def left(room_id: RoomID) -> None:
        await on_left(room_id)
        await memory.left(room_id)

    state = StateHandler(
        users,
        rooms,
        RoomJobs(ground.inbox),
        leaving,
        functional,
        encrypted,
        left,
    )
    return ComingAndGoing(
        invitation=invitation,
        state=state,
        jobs={FOLLOW: upgrades.follow, TIDY: leaving.tidy},
    )
