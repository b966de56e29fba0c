"""Sources as an operator would configure them, and a service that can be deployed."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from lycatra_appservice.toolkit.base import ToolResult
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.tools.updates._settings import UpdatesSettings
from tests.support import swapping
from tests.support.toolbench import bench
from tests.unit.tools.updates.shop import swap

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


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Path]:
    """The folder of a service that runs as v1."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        (tmp_path / "port").write_text(str(free.getsockname()[1]))
    swap(tmp_path, "v1")
    (tmp_path / "log").unlink()
    yield tmp_path
    swapping.stop(tmp_path)
