"""One change, asked for by each of the four faces: the same approval under the same gate."""

import asyncio
from pathlib import Path

from lycatra_appservice.model import RoomID
from tests.support.approving import LISTS, OPERATOR, Services, seat_people
from tests.support.mcp_desk import open_desk
from tests.support.mcp_served import request
from tests.support.model_server import calls, model_server, says
from tests.support.scene import MAIN, SERVICES, at_work, open_scene
from tests.support.turns import query

DIRECT = RoomID("!direct")


async def test_all_four_faces_ask_for_the_same_approval(tmp_path: Path) -> None:
    services = Services()
    async with (
        model_server() as model,
        open_scene(
            tmp_path, lists=LISTS, tools=services.tools(), model_url=model.base_url
        ) as scene,
    ):
        seat_people(scene)
        scene.seat(OPERATOR, MAIN, room_id=DIRECT)
        await scene.push(scene.message("!help", sender=OPERATOR, room_id=DIRECT))
        await scene.work()
        called_by_model = calls(("restart_service", '{"service": "web"}'))
        model.will(called_by_model, called_by_model, says("A newer request took its place."))
        # The command, the virtual user and the assistant.
        await scene.ask("!restart service web", sender=OPERATOR)
        pill = {"user_ids": [SERVICES]}
        await scene.ask("lycatra_services: restart service web", sender=OPERATOR, m_mentions=pill)
        await scene.ask("lycatra: please bring the web service up again", sender=OPERATOR)
        async with at_work(scene), open_desk(scene) as desk:
            called = {"name": "restart_service", "arguments": {"service": "web"}}
            message = request("tools/call", called)
            asking = asyncio.ensure_future(
                desk.served.post(message, Authorization="Bearer operator")
            )
            async with asyncio.timeout(20):
                code = await desk.card(3)
            rows = await query(scene.database, "SELECT * FROM approval ORDER BY id")
            assert [row["face"] for row in rows] == ["command", "agent", "agent", "mcp"]
            for row in rows[1:]:
                for column in ("tool", "args", "args_hash", "rule", "requester", "target"):
                    assert row[column] == rows[0][column]
            # In the room the newest counts, as everywhere; by MCP it stands in the direct chat.
            assert [row["state"] for row in rows] == ["withdrawn", "withdrawn", "open", "open"]
            await desk.vote(code, OPERATOR)
            async with asyncio.timeout(20):
                response = await asking
            assert "web is back" in await response.text()
    assert services.restarted == ["web"]
