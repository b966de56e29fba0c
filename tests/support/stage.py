"""A stage for service tests: a real Synapse, people, and replicas behind a proxy."""

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from lycatra_appservice.demo.homeserver import free_port
from lycatra_appservice.demo.people import PersonClient, register_person
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, EventID, RoomID, UserID
from tests.support.lycatra import Lycatra, lycatra_config
from tests.support.oracle import Findings, as_read, examine
from tests.support.own_tools import mount_more_tools
from tests.support.proxy import Proxy
from tests.support.pushes import Pusher, token_of
from tests.support.site import Site
from tests.support.tables import Tables
from tests.support.waiting import until

HELP = "!help"
Entered = TypeVar("Entered")


@dataclass(slots=True)
class Room:
    """A room with one person in it who asks."""

    room_id: RoomID
    person: PersonClient
    asked: list[EventID] = field(default_factory=list)

    async def say(self, text: str) -> EventID:
        """Send a message without expecting anything."""
        return await self.person.send_text(self.room_id, text)

    async def ask(self, text: str) -> EventID:
        """Send a message whose answer is expected."""
        event_id = await self.say(text)
        self.asked.append(event_id)
        return event_id

    async def ask_as_is(self, content: Mapping[str, JSON]) -> EventID:
        """Send a message with exactly this content."""
        event_id = await self.person.send_event(self.room_id, "m.room.message", content)
        self.asked.append(event_id)
        return event_id

    async def answer_to(self, event_id: EventID) -> JSON:
        """Wait for the last part of an answer and return its event."""
        found: list[JSON] = []

        async def came() -> bool:
            for event in reversed(as_read(await self.events())):
                mark = event.get("content", {}).get("org.lycatra.reply", {})
                if mark.get("kind") in {"progress", "draft"}:
                    continue
                if mark.get("to") == event_id and mark.get("part") == mark.get("of"):
                    found.append(event)
                    return True
            return False

        await until(came, f"an answer to {event_id} in {self.room_id}")
        return found[0]

    async def said_to(self, text: str) -> str:
        """Ask, and return the words of the answer."""
        return str((await self.answer_to(await self.ask(text)))["content"]["body"])

    async def answers(self) -> Sequence[JSON]:
        """Wait until every question has its answer; the answers in the order asked."""
        return [await self.answer_to(event_id) for event_id in self.asked]

    async def findings(self) -> Findings:
        """What the oracle says of this room now."""
        return examine(await self.events(), self.asked)

    async def settled(self, tables: Tables) -> Findings:
        """What the oracle says when a message sent now has its answer and no work is left.

        So that what should not come has had its time to come.
        """
        await self.answer_to(await self.ask(HELP))
        await tables.until_idle()
        return await self.findings()

    async def events(self) -> Sequence[JSON]:
        """The whole timeline, oldest first, by paging."""
        return await self.person.all_messages(self.room_id)


class Stage:
    """What one test plays on; made by `open_stage`."""

    def __init__(self, site: Site, proxy: Proxy, folder: Path, stack: AsyncExitStack) -> None:
        self.site = site
        self.proxy = proxy
        self.folder = folder
        self._stack = stack
        self._replicas = 0

    async def enter(self, context: AbstractAsyncContextManager[Entered]) -> Entered:
        """Open something that ends with the stage."""
        return await self._stack.enter_async_context(context)

    async def homeserver_proxy(self) -> Proxy:
        """A way for a replica to Synapse that can be made to hold or drop."""
        return await self.enter(Proxy(free_port(), [self.site.homeserver.settings.port]))

    def pusher(self, replica: Lycatra) -> Pusher:
        """Somebody who pushes to this replica with Synapse's token."""
        return Pusher(replica.url, token_of(self.site.registration))

    @property
    def users(self) -> VirtualUsers:
        """Our users."""
        return self.site.users

    async def person(self, name: str | None = None) -> PersonClient:
        """A new person, logged in."""
        name = name or f"person-{secrets.token_hex(4)}"
        made = await register_person(self.site.homeserver, name, "password")
        return await self.enter(PersonClient(self.site.homeserver.url, made))

    async def replica(
        self,
        database_url: str,
        *,
        model_url: str | None = None,
        homeserver_url: str | None = None,
        more: Mapping[str, JSON] | None = None,
        behind_proxy: bool = True,
        more_tools: bool = False,
    ) -> Lycatra:
        """A new replica, not started yet; it is stopped with the stage.

        With `more_tools` it has those of the tests, too, as tools of its operator's own.
        """
        self._replicas += 1
        config = lycatra_config(
            homeserver_url=homeserver_url or self.site.homeserver.url,
            server_name=self.site.homeserver.server_name,
            registration=self.site.registration,
            database_url=database_url,
            appservice_url=self.proxy.url,
            model_url=model_url,
            more={**(mount_more_tools(self.folder) if more_tools else {}), **(more or {})},
        )
        name = f"replica{self._replicas}"
        replica = Lycatra(self.folder, config, name)
        self._stack.push_async_callback(replica.stop)
        if behind_proxy:
            self.proxy.targets.append(replica.port)
        return replica

    async def room(
        self,
        person: PersonClient | None = None,
        *,
        invite: Sequence[UserID] | None = None,
        others: int = 1,
        name: str = "a room",
        extra: Mapping[str, JSON] | None = None,
    ) -> Room:
        """A group room with @lycatra in it; with `others=0` and nobody else it is a DM."""
        person = person or await self.person()
        invited = [self.users.main] if invite is None else list(invite)
        room_id = await person.create_room(name, invite=invited, extra=extra)
        for _ in range(others):
            other = await self.person()
            await person.invite(room_id, other.user_id)
            await other.join(room_id)
        for user in invited:
            await person.wait_for_member(room_id, user)
        return Room(room_id, person)


@asynccontextmanager
async def open_stage(site: Site, folder: Path) -> AsyncIterator[Stage]:
    """A stage with its proxy on the registered port; everything started on it ends with it."""
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(Proxy(site.appservice_port, []))
        yield Stage(site, proxy, folder, stack)


def sqlite_in(folder: Path, name: str = "lycatra") -> str:
    """The URL of a database file that need not exist yet."""
    return f"sqlite:///{folder / name}.db"
