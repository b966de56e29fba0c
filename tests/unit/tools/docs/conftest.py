"""Ask the docs tools through the gate, with sets as an operator would configure them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from lycatra_appservice.toolkit.base import ToolResult
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.tools.docs._settings import DocsSettings
from tests.support.toolbench import bench

Docs: TypeAlias = Callable[..., Awaitable[ToolResult]]

BACKUPS = """\
---
author: nobody
---
# Backups of the wiki

Every night at three the wiki is copied to the other house.

## Restoring a backup

Stop the wiki, then type `restore latest`. It takes ten minutes.

```sh
# this is no heading
restore latest
```

### When that fails

Call the person on duty.

## Where they are

On the second disk.
"""


@pytest.fixture
def handbook(tmp_path: Path) -> Path:
    """A folder with three documents."""
    folder = tmp_path / "handbook"
    (folder / "guides").mkdir(parents=True)
    (folder / "guides" / "Backups.md").write_text(BACKUPS, "utf-8")
    (folder / "guides" / "Getting started.md").write_text("# Welcome\n\nAsk for a key.\n")
    (folder / "README.md").write_text("# The handbook\n\nHow we live here.\n")
    (folder / "notes.txt").write_text("restore restore restore")
    return folder


@pytest.fixture
async def docs(tmp_path: Path) -> AsyncIterator[Docs]:
    """Call a tool, with the set `home` in the folder `handbook` unless others are given."""
    async with AsyncExitStack() as stack:
        settings = DocsSettings.model_validate({"sets": [{"name": "home", "folder": "handbook"}]})

        async def call(
            tool: str, *, configured: DocsSettings | None = None, **args: Any
        ) -> ToolResult:
            on = await stack.enter_async_context(
                bench(
                    registry=discover(), settings={"docs": configured or settings}, folder=tmp_path
                )
            )
            return await on.toolbox().call(tool, args)

        yield call
