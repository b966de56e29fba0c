"""One ping round trip: we ask the homeserver, it calls us, and what comes back says who erred."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from lycatra_appservice.doctor.findings import Finding, error, ok
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.errors import HomeserverUnavailableError, MatrixError
from lycatra_appservice.settings import Settings

CHECK: Final = "introduction.ping"


class Echo(Enum):
    """What came of a ping."""

    CAME_BACK = auto()
    NO_HOMESERVER = auto()
    UNKNOWN_TOKEN = auto()
    OTHER_ID = auto()
    NO_SUCH_CALL = auto()
    NOT_REACHED = auto()
    REFUSED = auto()
    ODD_ANSWER = auto()
    TOO_SLOW = auto()
    NO_URL = auto()
    FAILED = auto()


# Synapse's codes, from the specification's ping.
_BY_CODE: Final[Mapping[str, Echo]] = {
    "M_UNKNOWN_TOKEN": Echo.UNKNOWN_TOKEN,
    "M_MISSING_TOKEN": Echo.UNKNOWN_TOKEN,
    "M_FORBIDDEN": Echo.OTHER_ID,
    "M_UNRECOGNIZED": Echo.NO_SUCH_CALL,
    "M_CONNECTION_FAILED": Echo.NOT_REACHED,
    "M_CONNECTION_TIMEOUT": Echo.TOO_SLOW,
    "M_URL_NOT_SET": Echo.NO_URL,
}


@dataclass(frozen=True, slots=True)
class Ping:
    """What came back; `detail` holds the homeserver's own words."""

    echo: Echo
    detail: str = ""


async def ping(client: MatrixClient, appservice_id: str) -> Ping:
    """Ping once; never raises for what a homeserver may answer."""
    try:
        await client.ping(appservice_id, f"lyc-{secrets.token_hex(8)}")
    except HomeserverUnavailableError as failed:
        return Ping(Echo.NO_HOMESERVER, str(failed))
    except MatrixError as refused:
        return Ping(_echo_of(refused), refused.reason)
    return Ping(Echo.CAME_BACK)


def _echo_of(refused: MatrixError) -> Echo:
    if refused.errcode == "M_BAD_STATUS":
        wrong_token = any(status in refused.reason for status in ("401", "403"))
        return Echo.REFUSED if wrong_token else Echo.ODD_ANSWER
    return _BY_CODE.get(refused.errcode, Echo.FAILED)


_WHY: Final = "messages do not reach Lycatra until this works"
_FIXES: Final[Mapping[Echo, tuple[str, str]]] = {
    Echo.NO_HOMESERVER: (
        "the homeserver does not answer",
        "homeserver.url, or start Synapse",
    ),
    Echo.UNKNOWN_TOKEN: (
        "Synapse does not know Lycatra's as_token",
        "homeserver.yaml: the registration under app_service_config_files "
        "(a copy has to be copied again), then restart Synapse",
    ),
    Echo.OTHER_ID: (
        "Synapse knows this as_token under another id than {id!r}",
        "appservice.id as in the registration that Synapse has, or `lycatra registration`, "
        "then restart Synapse",
    ),
    Echo.NO_SUCH_CALL: (
        "the homeserver does not know the ping of application services",
        "homeserver.url: Synapse itself rather than a proxy that lets only some paths through",
    ),
    Echo.NOT_REACHED: (
        "Synapse knows Lycatra, and cannot reach it at {url}: {detail}",
        "appservice.url: Lycatra as Synapse's machine or container sees it (there localhost "
        "is Synapse itself); then `lycatra registration`, and restart Synapse",
    ),
    Echo.REFUSED: (
        "Synapse reaches {url}, with another hs_token than the registration has",
        "give Synapse the registration as it is now (a copy has to be copied again), "
        "and restart Synapse; another service on that address looks the same",
    ),
    Echo.ODD_ANSWER: (
        "something that is not Lycatra answers Synapse at {url}: {detail}",
        "appservice.url: Lycatra's own address and port; then `lycatra registration`, "
        "and restart Synapse",
    ),
    Echo.TOO_SLOW: (
        "Synapse waits in vain for an answer from {url}",
        "a firewall between them, or appservice.url; then `lycatra registration`, "
        "and restart Synapse",
    ),
    Echo.NO_URL: (
        "the registration that Synapse has names no url",
        "`lycatra registration`, then restart Synapse",
    ),
    Echo.FAILED: (
        "Synapse could not ping Lycatra: {detail}",
        "Synapse's log says more",
    ),
}


def judge_ping(result: Ping, settings: Settings) -> Finding:
    """Say what it means and what to change."""
    appservice = settings.appservice
    if result.echo is Echo.CAME_BACK:
        return ok(CHECK, f"Synapse reaches Lycatra at {appservice.url}; both tokens fit")
    what, fix = _FIXES[result.echo]
    shown = what.format(url=appservice.url, id=appservice.id, detail=result.detail)
    return error(CHECK, shown, why=_WHY, fix=fix)
