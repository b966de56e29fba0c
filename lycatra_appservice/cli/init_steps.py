"""The steps of `lycatra init`, each of which a second run finds done and passes over."""

import os
from argparse import Namespace
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from lycatra_appservice.cli.command import (
    DEFAULT_CONFIG,
    Installation,
    config_path,
    read_installation,
    read_written_settings,
    refuse_shared_mount,
)
from lycatra_appservice.setup.answers import Given, Place, place_of
from lycatra_appservice.setup.console import Console
from lycatra_appservice.setup.files import write_config, write_registration
from lycatra_appservice.setup.interview import Interview
from lycatra_appservice.setup.introduction import Introduction
from lycatra_appservice.setup.surroundings import Surroundings

_GROUP_MAY_READ = 0o640
_GIVEN_BY = {
    "server_name": "LYCATRA_HOMESERVER__SERVER_NAME",
    "homeserver": "LYCATRA_HOMESERVER__URL",
    "admin": "LYCATRA_ACCESS__ADMIN",
    "appservice_url": "LYCATRA_APPSERVICE__URL",
    "model_url": "LYCATRA_MODEL__BASE_URL",
    "model": "LYCATRA_MODEL__MODEL",
}


def set_up(arguments: Namespace, console: Console) -> int:
    """Go through all steps; returns the exit code. Raises LycatraError with what to do."""
    given = _given(arguments, os.environ)
    surroundings = Surroundings(given.ca_file)
    arguments.config = _ensure_config(arguments, console, given, surroundings)
    written = read_written_settings(arguments)
    place = given.synapse or place_of(written.appservice.url)
    in_container = place is Place.DOCKER and surroundings.in_container
    # There the registration's volume belongs to Synapse's group.
    registration = write_registration(written, _GROUP_MAY_READ if in_container else None)
    console.say(f"{registration} holds the two secrets by which both sides know each other.")
    installation = read_installation(arguments)
    settings = installation.settings
    refuse_shared_mount(settings.database)
    introduction = Introduction(console, settings)
    introduction.instruct(place, in_container=in_container, container=arguments.container)
    if not arguments.wait:
        return 0
    introduction.wait(timedelta(seconds=arguments.wait))
    introduction.greet(arguments.greet)
    if introduction.is_running():
        console.say("Lycatra runs already.")
        return 0
    return _start(arguments, console, installation)


def _start(arguments: Namespace, console: Console, installation: Installation) -> int:
    is_wanted = arguments.start
    if is_wanted is None and console.is_interactive:
        is_wanted = console.confirm("Start Lycatra now? It runs until Ctrl-C", default=True)
    if not is_wanted:
        console.say(f"Start Lycatra: lycatra run -c {arguments.config}")
        return 0
    from lycatra_appservice.app import run

    return run(installation.settings, installation.tools)


def _ensure_config(
    arguments: Namespace, console: Console, given: Given, surroundings: Surroundings
) -> Path:
    """Return the configuration that is there, or write the one that the answers make."""
    path = config_path(arguments) or DEFAULT_CONFIG
    if path.exists():
        console.say(f"{path} exists already and is used as it is; options about it are not.")
        return path
    write_config(path, Interview(console, given, surroundings).run())
    console.say(f"{path} is written; every other setting stands there with its explanation.")
    return path


def _given(arguments: Namespace, environ: Mapping[str, str]) -> Given:
    """The answers that are there already; what the environment says would win anyway."""

    def known(name: str) -> str | None:
        return getattr(arguments, name) or environ.get(_GIVEN_BY[name]) or None

    return Given(
        server_name=known("server_name"),
        homeserver=known("homeserver"),
        ca_file=arguments.ca_file,
        admin=known("admin"),
        localpart=arguments.localpart,
        synapse=arguments.synapse,
        appservice_url=known("appservice_url"),
        port=arguments.port,
        model_url=known("model_url"),
        model=known("model"),
        model_key_file=arguments.model_key_file,
        no_model=arguments.no_model,
    )
