"""The second half of setting up: Synapse is told, waited for, looked at, and says hello."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final, TypeVar

import aiohttp

from lycatra_appservice.chat.model_host import asked_in
from lycatra_appservice.chat.room_settings import RoomSettings
from lycatra_appservice.doctor.findings import Finding, Level, has_errors, lines_of
from lycatra_appservice.doctor.ours import our_users
from lycatra_appservice.doctor.ping import Echo, Ping, judge_ping
from lycatra_appservice.doctor.port import Holder, who_listens
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.matrix.session import homeserver_session
from lycatra_appservice.matrix.setup_client import SetupClient
from lycatra_appservice.model import UserID
from lycatra_appservice.settings import Settings
from lycatra_appservice.setup.answers import Place, SetupError
from lycatra_appservice.setup.console import Console
from lycatra_appservice.setup.greeting import Greeter
from lycatra_appservice.setup.instructions import Ground, instructions
from lycatra_appservice.setup.surroundings import DEBIAN_FOLDER
from lycatra_appservice.setup.waiting import Waiter

ResultT = TypeVar("ResultT")

_AGAIN: Final = "Then run `lycatra init` again: it goes on from here."


class Introduction:
    """Each step asks what it has to, outside of the event loop that it runs the rest in."""

    def __init__(self, console: Console, settings: Settings) -> None:
        self._console = console
        self._settings = settings
        self._users = our_users(settings)

    def instruct(self, place: Place, *, in_container: bool, container: str) -> None:
        """Say what to do to Synapse, unless it knows us already.

        `in_container` says that we are in one beside Synapse's, which is called `container`.
        """
        if self._in_session(lambda session: Waiter(session, self._settings).is_known()):
            return
        appservice = self._settings.appservice
        ground = Ground(
            place=place,
            registration=appservice.registration_file.absolute(),
            appservice_url=appservice.url,
            is_debian=DEBIAN_FOLDER.is_dir(),
            in_container=in_container,
            container=container,
        )
        self._console.say()
        self._console.say(instructions(ground))
        self._console.say()

    def wait(self, patience: timedelta) -> None:
        """Wait for the first ping, then tell what does not look right.

        Raises SetupError when the ping does not come, or something has to be repaired first.
        """

        async def wait(session: aiohttp.ClientSession) -> Ping:
            waiter = Waiter(session, self._settings)
            return await waiter.wait(patience, self._console.show_progress)

        async def look(session: aiohttp.ClientSession) -> Sequence[Finding]:
            return await Waiter(session, self._settings).findings(self._users)

        result = self._in_session(wait)
        if result.echo is not Echo.CAME_BACK:
            finding = judge_ping(result, self._settings)
            raise SetupError(f"{finding.what}. What to change: {finding.fix}. {_AGAIN}")
        self._console.say("Synapse and Lycatra reach each other.")
        findings = self._in_session(look)
        for finding in findings:
            if finding.level in (Level.WARNING, Level.ERROR):
                self._console.say(lines_of(finding))
        if has_errors(findings):
            raise SetupError(f"this has to be repaired first. {_AGAIN}")

    def greet(self, wanted: bool | None) -> None:
        """Write to the admin if that is wanted; None asks, if there is anybody to ask.

        Raises SetupError.
        """
        admin = next((each for each in self._settings.access.admin if each[0] == "@"), None)
        if wanted is None:
            wanted = admin is not None and self._console.is_interactive
            question = f"Shall {self._users.main} write to {admin} now?"
            wanted = wanted and self._console.confirm(question, default=True)
        if not wanted:
            return
        if admin is None:
            raise SetupError("there is nobody to greet: access.admin names no person")
        self._greet(UserID(admin))
        self._console.say(f"{self._users.main} has invited {admin} to a chat: look there.")

    def is_running(self) -> bool:
        """Whether the service runs here already."""
        appservice = self._settings.appservice
        holder = self._in_session(lambda session: who_listens(session, appservice))
        return holder is Holder.SERVICE

    def _greet(self, admin: UserID) -> None:
        async def greet(session: aiohttp.ClientSession) -> None:
            client = SetupClient(
                session, self._settings.homeserver.url, self._settings.appservice.as_token
            )
            language = self._settings.rooms.language
            settings = RoomSettings.of(self._settings.rooms, {})
            models = asked_in(self._settings.backends, settings)
            greeter = Greeter(client, self._users, models, language=language)
            await greeter.greet(admin)

        try:
            self._in_session(greet)
        except SetupError:
            raise
        except LycatraError as failed:
            raise SetupError(f"{admin} could not be greeted: {failed}. {_AGAIN}") from failed

    def _in_session(self, run: Callable[[aiohttp.ClientSession], Awaitable[ResultT]]) -> ResultT:
        async def within() -> ResultT:
            async with homeserver_session(self._settings.homeserver.ca_file) as session:
                return await run(session)

        return asyncio.run(within())
