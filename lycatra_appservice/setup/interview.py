"""The questions: what was given is checked, what can be seen is a default, the rest is asked."""

from collections.abc import Callable
from typing import Final, TypeVar

from lycatra_appservice.doctor.address import NoHomeserverError, Seen
from lycatra_appservice.settings_types import Actors, BaseUrl, Localpart, ServerName
from lycatra_appservice.setup.answers import Answers, Given, Place, SetupError, checked
from lycatra_appservice.setup.console import Console
from lycatra_appservice.setup.looking import why_port_is_taken
from lycatra_appservice.setup.model_interview import ModelInterview
from lycatra_appservice.setup.surroundings import Surroundings

ReadT = TypeVar("ReadT")

_LOCAL: Final = "127.0.0.1"
_ANYWHERE: Final = "0.0.0.0"  # noqa: S104 - Synapse comes from another machine or container
_PORT: Final = 8080
_PLACES: Final = {
    Place.HERE: "on this computer, as a package or in an environment of its own",
    Place.DOCKER: "in a Docker container on this computer",
    Place.ELSEWHERE: "on another computer",
}


class Interview:
    """One run through all questions; without anybody to ask, defaults and `Given` must do."""

    def __init__(self, console: Console, given: Given, surroundings: Surroundings) -> None:
        self._console = console
        self._given = given
        self._surroundings = surroundings

    def run(self) -> Answers:
        """Return the answers. Raises SetupError for what is missing and cannot be asked."""
        admin = self._admin()
        server_name = self._server_name(admin)
        homeserver = self._homeserver(server_name)
        self._look_for(admin, server_name, homeserver)
        localpart = self._localpart(server_name, homeserver)
        place = self._place()
        port = self._port()
        appservice_url = self._appservice_url(place, port)
        is_local = appservice_url.startswith(("http://localhost:", f"http://{_LOCAL}:"))
        return Answers(
            server_name=server_name,
            homeserver_url=homeserver.url,
            ca_file=self._given.ca_file,
            admin=admin,
            localpart=localpart,
            appservice_url=appservice_url,
            listen_host=_LOCAL if is_local else _ANYWHERE,
            port=port,
            model=ModelInterview(self._console, self._given, self._surroundings).run(),
        )

    def _admin(self) -> str | None:
        if self._given.admin is None and not self._console.is_interactive:
            return None
        return self._answer(
            "--admin",
            self._given.admin,
            "Your own Matrix ID, which becomes Lycatra's admin (@name:server)",
            None,
            _read_admin,
        )

    def _server_name(self, admin: str | None) -> str:
        known = self._given.server_name or (admin.partition(":")[2] if admin else None)
        if known is not None and self._given.server_name is None:
            return known  # whoever runs a homeserver has an account there, nearly always
        return self._answer(
            "--server-name",
            known,
            "Synapse's server_name, the part behind the colon of your Matrix ID",
            None,
            lambda text: checked(ServerName, text),
        )

    def _homeserver(self, server_name: str) -> Seen:
        found = None
        if self._given.homeserver is None:
            found = self._surroundings.usual_homeserver(server_name)
        seen = self._answer(
            "--homeserver",
            self._given.homeserver,
            "How Lycatra reaches Synapse",
            found.url if found is not None else None,
            lambda text: self._read_homeserver(text, server_name),
        )
        self._console.say(f"  {seen.url} answers.")
        return seen

    def _read_homeserver(self, text: str, server_name: str) -> Seen:
        try:
            seen = self._surroundings.homeserver(checked(BaseUrl, text))
        except NoHomeserverError as failed:
            raise SetupError(str(failed)) from failed
        told = self._surroundings.server_name(seen.url)
        if told not in (None, server_name):
            raise SetupError(
                f"{seen.url} is the homeserver {told}, not {server_name} (--server-name)"
            )
        return seen

    def _look_for(self, admin: str | None, server_name: str, homeserver: Seen) -> None:
        if admin is None or not admin.endswith(f":{server_name}"):
            return
        if self._surroundings.person(homeserver.url, admin) is False:
            self._console.say(f"  Nobody called {admin} is known there. Is it spelled right?")

    def _localpart(self, server_name: str, homeserver: Seen) -> str:
        wanted = self._checked_localpart()
        user = f"@{wanted}:{server_name}"
        if not self._surroundings.person(homeserver.url, user):
            return wanted
        self._console.say(
            f"  {user} exists already. If it is from an earlier Lycatra, go on with it; "
            "if it is a person, Lycatra needs another name (--localpart)."
        )
        if self._given.localpart is not None or not self._console.is_interactive:
            return wanted
        return self._console.ask(
            "Lycatra's name on the server", wanted, lambda text: checked(Localpart, text)
        )

    def _checked_localpart(self) -> str:
        try:
            return checked(Localpart, self._given.localpart or "lycatra")
        except SetupError as mistaken:
            raise SetupError(f"--localpart: {mistaken}") from mistaken

    def _place(self) -> Place:
        likely = self._surroundings.likely_place()
        if self._given.synapse is not None or self._given.appservice_url is not None:
            return self._given.synapse or likely
        if not self._console.is_interactive:
            return likely
        places = list(_PLACES)
        chosen = self._console.choose(
            "Where does Synapse run?", list(_PLACES.values()), places.index(likely)
        )
        return places[chosen]

    def _port(self) -> int:
        default = _PORT if why_port_is_taken(_ANYWHERE, _PORT) is None else None
        given = str(self._given.port) if self._given.port is not None else None
        if given is None and default is not None:
            return default
        return self._answer(
            "--port", given, f"Port {_PORT} is in use; another one for Lycatra", None, _read_port
        )

    def _appservice_url(self, place: Place, port: int) -> str:
        default = self._usual_url(place, port)
        if self._given.appservice_url is None and place is not Place.ELSEWHERE and default:
            return default
        return self._answer(
            "--appservice-url",
            self._given.appservice_url,
            f"How Synapse reaches port {port} of this computer (http://…:{port})",
            default,
            lambda text: checked(BaseUrl, text),
        )

    def _usual_url(self, place: Place, port: int) -> str | None:
        if place is Place.HERE:
            return f"http://localhost:{port}"
        if place is Place.DOCKER:
            ours = "lycatra" if self._surroundings.in_container else "host.docker.internal"
            return f"http://{ours}:{port}"
        return None

    def _answer(
        self,
        option: str,
        given: str | None,
        question: str,
        default: str | None,
        read: Callable[[str], ReadT],
    ) -> ReadT:
        if given is None and self._console.is_interactive:
            return self._console.ask(question, default, read)
        known = given or default
        if known is None:
            raise SetupError(f"{option} is missing: {question}")
        try:
            return read(known)
        except SetupError as mistaken:
            raise SetupError(f"{option}: {mistaken}") from mistaken


def _read_admin(text: str) -> str:
    words = text.strip()
    if not words.startswith("@") or "," in words:
        raise SetupError("it should be a whole Matrix ID, such as @alice:example.org")
    checked(Actors, words)
    return words


def _read_port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 65535:
        raise SetupError("it should be a number from 1 to 65535")
    problem = why_port_is_taken(_ANYWHERE, int(text))
    if problem is not None:
        raise SetupError(f"Lycatra cannot listen on port {text}: {problem}")
    return int(text)
