"""Ask `search_logs` through the gate, with sources as an operator would configure them."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from lycatra_appservice.toolkit.base import ToolResult
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.tools.logs._settings import LogsSettings
from tests.support.toolbench import OPERATOR, bench

SearchLogs: TypeAlias = Callable[..., Awaitable[ToolResult]]
Source: TypeAlias = dict[str, Any]


@pytest.fixture
async def search_logs(tmp_path: Path) -> AsyncIterator[SearchLogs]:
    """Call the tool with these sources; the configuration's folder is `tmp_path`."""
    async with AsyncExitStack() as stack:

        async def call(
            *sources: Source, zone: str = "UTC", hide: tuple[str, ...] = (), **args: Any
        ) -> ToolResult:
            section = {"sources": sources, "hide": hide}
            on = await stack.enter_async_context(
                bench(
                    registry=discover(),
                    settings={"logs": LogsSettings.model_validate(section)},
                    folder=tmp_path,
                    zone=zone,
                )
            )
            return await on.toolbox(OPERATOR).call("search_logs", args)

        yield call


def shop(path: str = "shop.log", **more: Any) -> Source:
    return {"name": "shop", "kind": "file", "path": path, **more}


def write(path: Path, *lines: str, changed: datetime | None = None) -> None:
    """Lines into a file, last changed at some time; else at the time of all benches."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    touch(path, changed or datetime(2026, 11, 22, 12, 0, tzinfo=UTC))


def touch(path: Path, changed: datetime) -> None:
    os.utime(path, (changed.timestamp(), changed.timestamp()))


def texts(result: ToolResult) -> list[str]:
    return [entry["text"] for entry in result.data["entries"]]
