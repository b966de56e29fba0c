"""What a newcomer does first, on a real Synapse."""

from pathlib import Path

from tests.support.stage import Stage


def sqlite_in(folder: Path) -> str:
    return f"sqlite:///{folder / 'lycatra.db'}"


async def test_a_command_is_answered_with_raw_data_by_its_namespaces_own_user(
    stage: Stage, tmp_path: Path
) -> None:
    async with await stage.replica(sqlite_in(tmp_path)):
        room = await stage.room()
        asked = await room.ask("!list updates")
        answer = await room.answer_to(asked)
        assert answer["sender"] == stage.users.of("updates")
        assert answer["content"]["msgtype"] == "m.notice"
        assert "Updates" in answer["content"]["body"]
        assert (await room.findings()).clean
