"""Acting as one of our users with the application service's token, beside the service."""

from collections.abc import Mapping

import aiohttp

from lycatra_appservice.model import JSON
from tests.support.pushes import Answer, token_of
from tests.support.site import Site


async def call_as(
    site: Site, user_id: str, method: str, path: str, body: Mapping[str, JSON] | None = None
) -> Answer:
    """One call of the client API; `path` starts behind `/_matrix/client/v3`."""
    token = token_of(site.registration, "as_token")
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as http,
        http.request(
            method,
            f"{site.homeserver.url}/_matrix/client/v3{path}",
            params={"user_id": user_id},
            json=body,
        ) as answer,
    ):
        return Answer(status=answer.status, body=await answer.json())
