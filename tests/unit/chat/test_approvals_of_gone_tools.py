"""A tool is taken out of the installation while people are asked about it."""

from pathlib import Path

from lycatra_appservice.turns.deciding import Deciding
from tests.support.approving import (
    LISTS,
    Services,
    approval_rows,
    ask_restart,
    card_now,
    seat_people,
)
from tests.support.scene import TOOLS, open_scene
from tests.unit.chat.approving import results

GONE = (
    "`restart_service` is not part of this installation any more, so the request was taken back. "
    "Nothing was done."
)
WITHOUT = {**TOOLS, "services": [t for t in TOOLS["services"] if t.name != "restart_service"]}


async def test_who_asked_reads_that_the_tool_is_gone(tmp_path: Path) -> None:
    services = Services()
    url = f"sqlite:///{tmp_path}/shared.db"
    async with open_scene(
        tmp_path, lists=LISTS, tools=services.tools(), database_url=url
    ) as before:
        seat_people(before)
        card = await ask_restart(before)
        async with open_scene(
            tmp_path, lists=LISTS, tools=WITHOUT, database_url=url, beside=before
        ) as after:
            assert await Deciding(after.database).withdraw_gone(lambda tool: tool == "other") == 0
            assert await Deciding(after.database).withdraw_gone(lambda tool: True) == 1
            await after.work()

            assert results(after)[-1] == GONE
            assert "Taken back" in card_now(after, card)
            [row] = await approval_rows(after)
            assert (row["state"], row["why"]) == ("withdrawn", "tool_gone")
            assert services.restarted == []
