"""Ask `list_updates` through the gate, with sources as an operator would configure them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from lycatra_appservice.toolkit.base import ToolResult
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.tools.updates._settings import UpdatesSettings
from tests.support.toolbench import bench

ListUpdates: TypeAlias = Callable[..., Awaitable[ToolResult]]


@pytest.fixture
async def list_updates(tmp_path: Path) -> AsyncIterator[ListUpdates]:
    """Call the tool with these sources; the configuration's folder is `tmp_path`."""
    async with AsyncExitStack() as stack:

        async def call(
            sources: list[dict[str, Any]] | None, zone: str = "UTC", **args: Any
        ) -> ToolResult:
            section = {} if sources is None else {"sources": sources}
            on = await stack.enter_async_context(
                bench(
                    registry=discover(),
                    settings={"updates": UpdatesSettings.model_validate(section)},
                    folder=tmp_path,
                    zone=zone,
                )
            )
            return await on.toolbox().call("list_updates", args)

        yield call
