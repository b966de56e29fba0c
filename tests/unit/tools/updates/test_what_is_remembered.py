"""What is remembered of deployments, where the database or another version gets in the way."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lycatra_appservice.errors import ToolFailedError
from lycatra_appservice.model import JSON
from lycatra_appservice.toolkit.memory import KeyValues, ShortMemory
from tests.unit.tools.updates.deploying import SWIFT, desk

WEB: dict[str, Any] = {
    "service": "web",
    "kind": "command",
    "apply": ["true", "{version}"],
    **SWIFT,
    "watch_seconds": 0,
}
DB = {**WEB, "service": "db"}
OF_A_NEWER_VERSION = {"format": 2, "deployments": []}


class Unsure:
    """A database that takes the first change, and loses its answer."""

    def __init__(self, values: KeyValues) -> None:
        self.get, self.put, self.keys = values.get, values.put, values.keys
        self._values = values
        self.is_answer_lost = False

    async def change(self, key: str, how: Callable[[JSON], JSON]) -> JSON:
        value = await self._values.change(key, how)
        if not self.is_answer_lost:
            self.is_answer_lost = True
            raise ToolFailedError("The database does not answer.")
        return value


class UnsureMemory:
    """Gives one that is unsure of the first change."""

    def __init__(self) -> None:
        self.values = Unsure(ShortMemory().of("updates", ""))

    def of(self, namespace: str, place: str) -> KeyValues:
        return self.values


async def newer_memory() -> ShortMemory:
    memory = ShortMemory()
    await memory.of("updates", "").put("deployments:web", OF_A_NEWER_VERSION)
    return memory


async def test_a_beginning_of_which_nobody_knows_whether_it_was_taken_goes_on(
    tmp_path: Path,
) -> None:
    memory = UnsureMemory()
    async with desk(tmp_path, WEB, memory=memory) as at:
        result = await at.deploy("v1")

        assert memory.values.is_answer_lost
        assert "`web` runs v1" in result.markdown
        assert [each["state"] for each in await at.listed()] == ["kept"]


async def test_what_a_newer_version_remembers_is_never_overwritten(tmp_path: Path) -> None:
    memory = await newer_memory()
    async with desk(tmp_path, WEB, memory=memory) as at:
        refusal = await at.refusal("v2")

    assert "cannot read what is remembered of the deployments of `web`" in refusal
    assert await memory.of("updates", "").get("deployments:web") == OF_A_NEWER_VERSION


async def test_what_cannot_be_read_of_one_service_hides_no_other_one(tmp_path: Path) -> None:
    async with desk(tmp_path, WEB, DB, memory=await newer_memory()) as at:
        await at.deploy("17.2", service="db")

        assert [each["service"] for each in await at.listed()] == ["db"]
        with pytest.raises(ToolFailedError, match="newer version"):
            await at.listed(service="web")
