"""Who listens on our port: the running service, nobody, or a program that should not."""

from enum import Enum, auto
from typing import Final

import aiohttp

from lycatra_appservice.settings import Appservice, Listen

_ANY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - where we ask
_PATIENCE: Final = aiohttp.ClientTimeout(total=5)


class Holder(Enum):
    """Who has the port."""

    NOBODY = auto()
    SERVICE = auto()  # Lycatra, and it takes the token that it should
    STALE_SERVICE = auto()  # Lycatra, with other tokens than the configuration has now
    STRANGER = auto()


async def who_listens(session: aiohttp.ClientSession, appservice: Appservice) -> Holder:
    """Knock as the homeserver would."""
    url = f"{local_address(appservice.listen)}/_matrix/app/v1/ping"
    headers = {"Authorization": f"Bearer {appservice.hs_token.get_secret_value()}"}
    try:
        async with session.post(
            url, json={}, headers=headers, timeout=_PATIENCE, allow_redirects=False
        ) as answer:
            body = await answer.json(content_type=None)
    except aiohttp.ClientConnectorError:
        return Holder.NOBODY
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return Holder.STRANGER
    if answer.status == 200 and body == {}:
        return Holder.SERVICE
    refused = answer.status == 403 and isinstance(body, dict)
    return (
        Holder.STALE_SERVICE
        if refused and body.get("errcode") == "M_FORBIDDEN"
        else Holder.STRANGER
    )


def local_address(listen: Listen) -> str:
    """The address of a listener as this machine reaches it."""
    host = _ANY_ADDRESS.get(listen.host, listen.host)
    return f"http://{host}:{listen.port}"
