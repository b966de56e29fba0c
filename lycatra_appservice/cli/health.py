"""`lycatra health`: asks the running service whether it lives; for containers without curl."""

import http.client
from argparse import Namespace

from lycatra_appservice.cli.command import (
    Command,
    CommandError,
    add_config_argument,
    read_written_settings,
)
from lycatra_appservice.settings import Listen

_TIMEOUT_SECONDS = 5
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where we ask, not where we listen


def _run(arguments: Namespace) -> int:
    appservice = read_written_settings(arguments).appservice
    listen = appservice.ops or appservice.listen
    status = _status(listen)
    if status != http.HTTPStatus.OK:
        raise CommandError(f"/healthz on port {listen.port} answers {status}")
    print("ok")
    return 0


def _status(listen: Listen) -> int:
    host = _ANY_ADDRESS.get(listen.host, listen.host)
    # http.client and not a library with more comfort: it never asks a proxy of the environment.
    connection = http.client.HTTPConnection(host, listen.port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise CommandError(f"nothing healthy answers on {host}, port {listen.port}") from error
    finally:
        connection.close()


HEALTH = Command(
    name="health",
    summary="Ask the running service on this computer whether it lives (exit code 0 or 1).",
    add_arguments=add_config_argument,
    run=_run,
)
