"""A script trades the OpenID token that a real Synapse gave its person for a token of ours."""

from pathlib import Path

import pytest
from aiohttp import ClientSession

from tests.support.stage import Stage, sqlite_in

pytestmark = pytest.mark.slow


async def test_the_own_homeserver_vouches_for_a_person_who_then_has_the_tools(
    stage: Stage, tmp_path: Path
) -> None:
    person = await stage.person()
    server = stage.site.homeserver.server_name
    more = {"access": {"viewer": [f"*:{server}"]}}
    replica = await stage.replica(sqlite_in(tmp_path), more=more)
    await replica.start()
    asked = await person.call("POST", f"/user/{person.user_id}/openid/request_token", {})
    proof = {name: asked[name] for name in ("access_token", "matrix_server_name")}
    async with ClientSession() as http:
        exchange = f"{replica.url}/mcp/token-exchange"
        async with http.post(exchange, json=proof) as response:
            assert response.status == 200, await response.text()
            token = (await response.json())["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        async with http.post(f"{replica.url}/mcp", json=message, headers=headers) as response:
            names = {tool["name"] for tool in (await response.json())["result"]["tools"]}
            assert "list_updates" in names
        wrong = {**proof, "access_token": "made up"}
        async with http.post(exchange, json=wrong) as response:
            assert response.status == 403
    assert token not in replica.log()
    assert proof["access_token"] not in replica.log()
